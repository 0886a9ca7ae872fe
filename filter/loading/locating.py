"""Finds the parts of a model on this machine, by known name, folder, file or hub id."""

import json
from dataclasses import dataclass, replace
from pathlib import Path

from turbolens.filter.errors import ModelNotFoundError, SettingsError, UnsupportedModelError
from turbolens.filter.settings import VaeChoice

from .catalogue import (
    CLIP_TOKENIZER,
    EMBEDDED_FOLDER,
    KNOWN,
    TINY_VAES,
    HubFile,
    HubRepo,
    KnownModel,
    SamplerName,
    known_models,
)
from .hub import HUB_ID, Hub, cached_folder
from .needed_files import INDEX
from .weights_header import family_of, read_header

SINGLE_FILE = ".safetensors"
TINY_VAE_FILE = "diffusion_pytorch_model.safetensors"


@dataclass(frozen=True)
class ModelParts:
    """The paths of a model: either `folder`, in diffusers' layout, or `file`, a whole checkpoint.

    unet: a file whose weights replace the folder's UNet. lora: a file that is added with
    `lora_weight`. tiny_vae: a folder whose autoencoder replaces the model's. sampler: replaces the
    folder's. steps: the fewest and the most recommended.
    """

    name: str
    folder: Path | None = None
    file: Path | None = None
    unet: Path | None = None
    lora: Path | None = None
    lora_weight: float = 1.0
    tiny_vae: Path | None = None
    sampler: SamplerName | None = None
    steps: tuple[int, int] = (1, 4)

    @property
    def path(self) -> Path:
        """The folder or the file."""
        found = self.folder or self.file
        assert found is not None  # noqa: S101 - one of them is always set
        return found


def locate(name_or_path: str | Path, hub: Hub | None = None) -> Path:
    """The folder or file of a model, found as by `find_model`."""
    return find_model(name_or_path, hub=hub).path


def find_model(
    name_or_path: str | Path, vae: VaeChoice = "auto", hub: Hub | None = None
) -> ModelParts:
    """Find a model by known name, folder, file or hub id.

    Nothing is downloaded, so that a video call never waits for gigabytes. vae: "auto" is the tiny
    autoencoder for known models, and the model's own for others. Raises `ModelNotFoundError`, which
    says what to pull, and `UnsupportedModelError` for other files.
    """
    if vae not in ("auto", "tiny", "full"):
        raise SettingsError(f"vae must be auto, tiny or full, got {vae!r}")
    hub = hub or Hub()
    known = known_models().get(str(name_or_path))
    if known is not None:
        return _known_parts(known, vae, hub)
    path = Path(name_or_path).expanduser()
    if path.is_dir() and str(name_or_path):
        return _folder_parts(str(name_or_path), path, vae, hub)
    if path.is_file():
        return _file_parts(str(name_or_path), path, vae, hub)
    if HUB_ID.fullmatch(str(name_or_path)):
        folder = cached_folder(HubRepo(str(name_or_path)), hub, INDEX)
        if folder is not None:
            return _folder_parts(str(name_or_path), folder, vae, hub)
        raise ModelNotFoundError(
            f"there is no folder {str(name_or_path)!r} here, and the hub's model of that name is "
            f"not on this machine: `turbolens models pull {name_or_path}` downloads it; known "
            f"models are {', '.join(KNOWN)}"
        )
    raise ModelNotFoundError(
        f"there is no model, folder or file {str(name_or_path)!r}; known models are "
        f"{', '.join(KNOWN)}, or give a folder in diffusers' layout, a .safetensors file, or a "
        "hub id such as stabilityai/sd-turbo"
    )


def tiny_vae_folder(family: str, hub: Hub) -> Path:
    """The tiny autoencoder of a family ("sd1", "sd2", "sdxl"). Raises `ModelNotFoundError`."""
    repo = TINY_VAES[family]
    folder = cached_folder(repo, hub, TINY_VAE_FILE)
    if folder is None:
        model = "sdxl-turbo" if family == "sdxl" else "sd-turbo"
        raise ModelNotFoundError(
            f"the tiny autoencoder {repo.name} is not on this machine; it is part of "
            f"`turbolens models pull {model}`, or leave out --vae tiny"
        )
    return folder


def tokenizer_folder(hub: Hub) -> Path:
    """A folder with CLIP's vocab.json and merges.txt, from any model that was pulled.

    Raises `ModelNotFoundError`, which says what to pull.
    """
    bases = {model.base for model in known_models().values() if model.base is not None}
    candidates = [(CLIP_TOKENIZER, "vocab.json")]
    candidates += [
        (base, "tokenizer/vocab.json") for base in sorted(bases, key=lambda base: base.name)
    ]
    for repo, file in candidates:
        folder = cached_folder(repo, hub, file)
        if folder is not None and (folder / file).with_name("merges.txt").is_file():
            return (folder / file).parent
    raise ModelNotFoundError(
        "a single-file checkpoint needs CLIP's tokenizer, which is not on this machine: "
        "`turbolens models pull clip-tokenizer` downloads it (about 2 MB)"
    )


def _known_parts(known: KnownModel, vae: VaeChoice, hub: Hub) -> ModelParts:
    if known.base is None:
        return ModelParts(known.name, folder=_embedded())
    folder = cached_folder(known.base, hub, INDEX)
    files = {name: _cached_file(getattr(known, name), hub) for name in ("unet", "lora")}
    is_incomplete = folder is None or any(
        getattr(known, name) is not None and path is None for name, path in files.items()
    )
    if is_incomplete:
        raise ModelNotFoundError(
            f"{known.name} is not on this machine yet ({known.size_bytes / 1e9:.1f} GB): "
            f"`turbolens models pull {known.name}` downloads it"
        )
    has_tiny = known.tiny_vae is not None and vae != "full"
    tiny = tiny_vae_folder(known.family, hub) if has_tiny else None
    return ModelParts(
        known.name, folder=folder, unet=files["unet"], lora=files["lora"],
        lora_weight=known.lora_weight, tiny_vae=tiny, sampler=known.sampler, steps=known.steps,
    )  # fmt: skip


def _cached_file(file: HubFile | None, hub: Hub) -> Path | None:
    folder = cached_folder(file.repo, hub, file.path) if file is not None else None
    return folder / file.path if folder is not None and file is not None else None


def _folder_parts(name: str, folder: Path, vae: VaeChoice, hub: Hub) -> ModelParts:
    parts = ModelParts(name, folder=folder)
    return replace(parts, tiny_vae=_tiny_for(folder, hub)) if vae == "tiny" else parts


def _tiny_for(folder: Path, hub: Hub) -> Path:
    try:
        index = json.loads((folder / INDEX).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ModelNotFoundError(f"{folder} must hold a readable {INDEX}: {error}") from error
    is_xl = bool(index.get("text_encoder_2", [None])[0])
    return tiny_vae_folder("sdxl" if is_xl else "sd2", hub)


def _file_parts(name: str, path: Path, vae: VaeChoice, hub: Hub) -> ModelParts:
    if path.suffix != SINGLE_FILE:
        raise UnsupportedModelError(
            f"a model must be a folder in diffusers' layout or a {SINGLE_FILE} file, got {path}; "
            "pickled checkpoints can run any code and are never loaded"
        )
    parts, family = ModelParts(name, file=path), family_of(read_header(path))
    return replace(parts, tiny_vae=tiny_vae_folder(family, hub)) if vae == "tiny" else parts


def _embedded() -> Path:
    if not (EMBEDDED_FOLDER / INDEX).is_file():
        raise ModelNotFoundError(
            f"the embedded weights are missing from {EMBEDDED_FOLDER}; reinstall turbolens, or "
            "make them with `turbolens train --data FOLDER --out RUN`, and copy RUN/model there"
        )
    return EMBEDDED_FOLDER
