"""The known models: repository, size, native resolution, steps and licence."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

EMBEDDED_FOLDER = Path(__file__).parent.parent / "embedded"

SamplerName = Literal["euler", "euler_ancestral", "lcm", "ddim"]
Family = Literal["embedded", "sd1", "sd2", "sdxl"]


@dataclass(frozen=True)
class Licence:
    """The licence of weights. must_accept: it is shown and accepted once, before a download."""

    name: str
    summary: str
    url: str
    must_accept: bool = True


@dataclass(frozen=True)
class HubRepo:
    """A repository of the hub. revision: the pinned commit; `None`: the current `main`."""

    name: str
    revision: str | None = None


@dataclass(frozen=True)
class HubFile:
    """One weights file in a repository of the hub."""

    repo: HubRepo
    path: str


@dataclass(frozen=True)
class KnownModel:
    """One entry of the catalogue.

    base: a repository in diffusers' layout; `None` for the embedded weights. unet: replaces the
    base's UNet. lora: added to the UNet with `lora_weight`. tiny_vae: a small autoencoder of the
    same latents, used unless the full one is requested; `None` if the base has no other.
    size_bytes: of the download, whose weights take `weight_bytes` each. native_size: the longer
    side in pixels that it was trained for. steps: the fewest and the most that its authors
    recommend, at most four. sampler: replaces the repository's. prediction_type: of the UNet's
    output.
    """

    name: str
    family: Family
    base: HubRepo | None
    size_bytes: int
    licence: Licence
    native_size: int
    description: str
    steps: tuple[int, int] = (1, 4)
    sampler: SamplerName | None = None
    prediction_type: Literal["epsilon", "v_prediction"] = "epsilon"
    unet: HubFile | None = None
    lora: HubFile | None = None
    lora_weight: float = 1.0
    tiny_vae: HubRepo | None = None
    weight_bytes: int = 2

    @property
    def is_embedded(self) -> bool:
        """True if the weights are part of this package."""
        return self.base is None


MIT = Licence("MIT", "Free for every use.", "https://opensource.org/license/mit", must_accept=False)
_STABILITY = "https://stability.ai/license"
_TURBO_TERMS = "Free for research and non-commercial use; see its authors' terms for other uses."
SD_TURBO_LICENCE = Licence("Stability AI Community License", _TURBO_TERMS, _STABILITY)
SDXL_TURBO_LICENCE = Licence(
    "Stability AI Non-Commercial Community License", _TURBO_TERMS, _STABILITY
)
OPENRAIL = Licence(
    "CreativeML Open RAIL-M",
    "Free, also commercially, except for the uses that its attachment A forbids.",
    "https://huggingface.co/spaces/CompVis/stable-diffusion-license",
)
OPENRAIL_XL = Licence(
    "CreativeML Open RAIL++-M",
    "Free, also commercially, except for the uses that its attachment A forbids.",
    "https://huggingface.co/stabilityai/stable-diffusion-xl-base-1.0/blob/main/LICENSE.md",
)

# Commits known to hold the files named here. The tiny autoencoders follow `main`.
_SDXS = HubRepo("IDKiro/sdxs-512-dreamshaper", "76f720262bb051da75666b22c902a78c8e16c763")
_SD15 = HubRepo(
    "stable-diffusion-v1-5/stable-diffusion-v1-5", "451f4fe16113bff5a5d2269ed5ad43b0592e9a14"
)
_SDXL = HubRepo(
    "stabilityai/stable-diffusion-xl-base-1.0", "462165984030d82259a11f4367a4eed129e94a7b"
)
_LIGHTNING = HubRepo("ByteDance/SDXL-Lightning", "c9a24f48e1c025556787b0c58dd67a091ece2e44")
_HYPER = HubRepo("ByteDance/Hyper-SD", "a08b9c3da8dc3be0a6e79b04721bf237241403f9")
_LCM_SD15 = HubRepo(
    "latent-consistency/lcm-lora-sdv1-5", "cf2fced511dbe7e26c8d1d397e728fbab875db4b"
)
_LCM_SDXL = HubRepo("latent-consistency/lcm-lora-sdxl", "e4f4bc876032ad70aa9d241af2a2f33db0f3f048")
CLIP_TOKENIZER = HubRepo("openai/clip-vit-large-patch14")
"""The tokenizer of all SD 1, SD 2 and SDXL models; single-file checkpoints do not contain it."""

_TAESD, _TAESDXL = HubRepo("madebyollin/taesd"), HubRepo("madebyollin/taesdxl")
TINY_VAES = {"sd1": _TAESD, "sd2": _TAESD, "sdxl": _TAESDXL}

_SD15_BYTES, _SDXL_BYTES, _TINY_BYTES = 2_130_000_000, 6_940_000_000, 10_000_000


def known_models() -> dict[str, KnownModel]:
    """All known models by name."""
    models = (_embedded(), *_turbo_models(), _sdxs(), *_sd15_models(), *_sdxl_models())
    return {model.name: model for model in models}


def _embedded() -> KnownModel:
    return KnownModel(
        name="embedded", family="embedded", base=None, licence=MIT, native_size=512,
        size_bytes=sum(p.stat().st_size for p in EMBEDDED_FOLDER.rglob("*") if p.is_file()),
        description="A small model of 17 looks, in this package; runs live on a CPU.",
    )  # fmt: skip


def _turbo_models() -> tuple[KnownModel, ...]:
    return (
        KnownModel(
            name="sd-turbo", family="sd2", native_size=512, licence=SD_TURBO_LICENCE,
            base=HubRepo("stabilityai/sd-turbo", "b261bac6fd2cf515557d5d0707481eafa0485ec2"),
            tiny_vae=_TAESD, size_bytes=2_580_000_000 + _TINY_BYTES,
            description="Any prompt, in one to four steps; for a GPU.",
        ),
        KnownModel(
            name="sdxl-turbo", family="sdxl", native_size=512, licence=SDXL_TURBO_LICENCE,
            base=HubRepo("stabilityai/sdxl-turbo", "71153311d3dbb46851df1931d3ca6e939de83304"),
            tiny_vae=_TAESDXL, size_bytes=_SDXL_BYTES + _TINY_BYTES,
            description="Any prompt, in one to four steps, in finer detail; for a large GPU.",
        ),
    )  # fmt: skip


def _sdxs() -> KnownModel:
    """SDXS-512-DreamShaper: its own autoencoder is a tiny one. Its files are in float32."""
    return KnownModel(
        name="sdxs", family="sd1", base=_SDXS, licence=OPENRAIL_XL, native_size=512,
        size_bytes=1_770_000_000, weight_bytes=4, steps=(1, 1), sampler="euler",
        description="SDXS-512-DreamShaper: any prompt in one step, a third of SD-Turbo's work.",
    )  # fmt: skip


def _sd15_models() -> tuple[KnownModel, ...]:
    def model(name: str, repo: HubRepo, path: str, size: int, **rest: object) -> KnownModel:
        return KnownModel(
            name=name, family="sd1", base=_SD15, licence=OPENRAIL, native_size=512,
            tiny_vae=_TAESD, size_bytes=_SD15_BYTES + _TINY_BYTES + size,
            lora=HubFile(repo, path), **rest,  # type: ignore[arg-type]
        )  # fmt: skip

    return (
        model(
            "lcm-sd15", _LCM_SD15, "pytorch_lora_weights.safetensors", 135_000_000,
            sampler="lcm", steps=(2, 4),
            description="Stable Diffusion 1.5 with LCM-LoRA, in two to four steps; for a GPU.",
        ),
        model(
            "hyper-sd15", _HYPER, "Hyper-SD15-2steps-lora.safetensors", 269_000_000,
            sampler="ddim", steps=(2, 2),
            description="Stable Diffusion 1.5 with Hyper-SD's LoRA, in two steps; for a GPU.",
        ),
    )  # fmt: skip


def _sdxl_models() -> tuple[KnownModel, ...]:
    def model(name: str, size: int, steps: tuple[int, int], **rest: object) -> KnownModel:
        return KnownModel(
            name=name, family="sdxl", base=_SDXL, licence=OPENRAIL_XL, native_size=1024,
            tiny_vae=_TAESDXL, size_bytes=_SDXL_BYTES + _TINY_BYTES + size, steps=steps,
            **rest,  # type: ignore[arg-type]
        )  # fmt: skip

    lightning = tuple(
        model(
            f"sdxl-lightning-{count}step", 0, (count, count), sampler="euler",
            unet=HubFile(_LIGHTNING, f"sdxl_lightning_{count}step_unet.safetensors"),
            description=f"SDXL distilled to {count} steps, 1024 pixels; for a large GPU.",
        )
        for count in (2, 4)
    )  # fmt: skip
    return (
        *lightning,
        model(
            "lcm-sdxl", 394_000_000, (2, 4), sampler="lcm",
            lora=HubFile(_LCM_SDXL, "pytorch_lora_weights.safetensors"),
            description="SDXL with LCM-LoRA, in two to four steps, 1024 pixels; for a large GPU.",
        ),
        model(
            "hyper-sdxl", 787_000_000, (2, 2), sampler="ddim",
            lora=HubFile(_HYPER, "Hyper-SDXL-2steps-lora.safetensors"),
            description="SDXL with Hyper-SD's LoRA, in two steps, 1024 pixels; for a large GPU.",
        ),
    )  # fmt: skip


KNOWN = tuple(known_models())
