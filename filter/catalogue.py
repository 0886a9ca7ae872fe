"""The known models: name, where from, size, licence, native resolution; and where they lie."""

import re
from dataclasses import dataclass
from pathlib import Path

from huggingface_hub import snapshot_download
from huggingface_hub.errors import HfHubHTTPError, HFValidationError

from .errors import ModelNotFoundError, UnsupportedModelError

EMBEDDED_FOLDER = Path(__file__).parent / "embedded"

_HUB_ID = re.compile(r"[\w-][\w.-]*/[\w-][\w.-]*")
_TEXT_FILES = ("model_index.json", "looks.json", "*/*.json", "*/*.txt")


@dataclass(frozen=True)
class KnownModel:
    """One entry of the catalogue.

    source: a hub id, or none for the weights in this package. size_bytes: what is downloaded, or
    lies in the package. native_size: the longer side in pixels that the model was made for.
    tiny_vae: the hub id of a small autoencoder that decodes the same latents.
    """

    name: str
    source: str | None
    size_bytes: int
    licence: str
    native_size: int
    description: str
    tiny_vae: str | None = None

    @property
    def is_embedded(self) -> bool:
        """Whether the weights are part of this package."""
        return self.source is None


def _folder_bytes(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def known_models() -> dict[str, KnownModel]:
    """Every known model by its name. Sizes are of the half-precision weights."""
    models = (
        KnownModel(
            name="embedded",
            source=None,
            size_bytes=_folder_bytes(EMBEDDED_FOLDER),
            licence="MIT",
            native_size=512,
            description="A small model of 17 looks, in this package; runs live on a CPU.",
        ),
        KnownModel(
            name="sd-turbo",
            source="stabilityai/sd-turbo",
            size_bytes=2_580_000_000,
            licence="Stability AI Community License, see https://stability.ai/license",
            native_size=512,
            description="Any prompt, in one to four steps; wants a GPU.",
            tiny_vae="madebyollin/taesd",
        ),
        KnownModel(
            name="sdxl-turbo",
            source="stabilityai/sdxl-turbo",
            size_bytes=6_940_000_000,
            licence="Stability AI Non-Commercial Community License, see https://stability.ai/license",
            native_size=512,
            description="Any prompt, in one to four steps, in finer detail; wants a large GPU.",
            tiny_vae="madebyollin/taesdxl",
        ),
    )
    return {model.name: model for model in models}


KNOWN = tuple(known_models())


def locate(name_or_path: str | Path) -> Path:
    """The folder of a model: a known name, a folder, or a hub id, which is downloaded.

    Raises `ModelNotFoundError` where there is nothing of the kind, and `UnsupportedModelError` for
    a single file.
    """
    known = known_models().get(str(name_or_path))
    if known is not None:
        return _embedded() if known.source is None else _downloaded(known.source)
    path = Path(name_or_path).expanduser()
    if path.is_dir() and str(name_or_path):
        return path
    if path.is_file():
        raise UnsupportedModelError(
            f"a model must be a folder in diffusers' layout, got the file {path}"
        )
    if _HUB_ID.fullmatch(str(name_or_path)):
        return _downloaded(str(name_or_path))
    raise ModelNotFoundError(
        f"there is no model or folder {str(name_or_path)!r}; known models are {', '.join(KNOWN)}, "
        "or give a folder in diffusers' layout, or a hub id such as stabilityai/sd-turbo"
    )


def _embedded() -> Path:
    if not (EMBEDDED_FOLDER / "model_index.json").is_file():
        raise ModelNotFoundError(
            f"the embedded weights are missing from {EMBEDDED_FOLDER}; reinstall turbolens, "
            f"or make them with `turbolens train --data FOLDER --out {EMBEDDED_FOLDER}`"
        )
    return EMBEDDED_FOLDER


def _downloaded(hub_id: str) -> Path:
    """The local snapshot of a hub repository: safetensors only, in half precision if there."""
    try:
        folder = _snapshot(hub_id, "*/*.fp16.safetensors")
        if not list(folder.glob("unet/*.safetensors")):
            folder = _snapshot(hub_id, "*/*.safetensors")
    except (HfHubHTTPError, HFValidationError, OSError) as error:
        reason = str(error).strip().splitlines()[0]
        raise ModelNotFoundError(
            f"there is no folder {hub_id!r} here, and the hub's model of that name is neither "
            f"downloaded nor to be had: {reason}; known models are {', '.join(KNOWN)}"
        ) from error
    return folder


def _snapshot(hub_id: str, weights: str) -> Path:
    return Path(snapshot_download(hub_id, allow_patterns=[*_TEXT_FILES, weights]))
