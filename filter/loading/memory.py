"""Whether a model fits: what it needs, known before it is loaded, against what there is. Pure."""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from turbolens.filter.errors import ModelError, NotEnoughMemoryError

from .catalogue import KnownModel
from .families import Architecture, architecture
from .locating import ModelParts
from .weights_header import family_of, read_header

GIBIBYTE = 1 << 30

# Live numbers at the peak of one pass, in units of (first width · pixels of its picture), counted
# on the exact architectures by tests/filter/test_memory.py: 26 for SD's UNet and 16 for SDXL's
# (per latent pixel), 6 for AutoencoderKL and 3.1 for AutoencoderTiny (per pixel).
UNET_UNITS, FULL_VAE_UNITS, TINY_VAE_UNITS = 27.0, 6.5, 3.5
RUNTIME_BYTES = GIBIBYTE * 3 // 4
"""What a GPU's own libraries and kernels take: measured figures lie between 0.4 and 0.8 GiB."""


@dataclass(frozen=True)
class Need:
    """What a model needs in bytes: its weights, its work on one picture, and the runtime."""

    weights: int
    work: int
    runtime: int = 0

    @property
    def total(self) -> int:
        """All of it."""
        return self.weights + self.work + self.runtime


@dataclass(frozen=True)
class Room:
    """What a device has in bytes."""

    name: str
    total: int
    free: int


def need_of(
    parameters: int,
    *,
    unet_config: dict[str, Any],
    vae_config: dict[str, Any],
    size: tuple[int, int],
    bytes_each: int,
    on_gpu: bool,
) -> Need:
    """What so many numbers and one picture of `size` (width, height) take. Pure.

    bytes_each: of one number, in the format that is loaded: 4 on a CPU, whatever is computed in.
    """
    vae_bytes = 4 if vae_config.get("force_upcast") and on_gpu else bytes_each
    width, height = size
    latent_pixels = (width // 8) * (height // 8)
    unet = UNET_UNITS * unet_config["block_out_channels"][0] * latent_pixels * bytes_each
    vae = _vae_units(vae_config) * width * height * vae_bytes
    return Need(
        weights=parameters * bytes_each,
        work=int(max(unet, vae)),
        runtime=RUNTIME_BYTES if on_gpu else 0,
    )


def check_room(name: str, need: Need, room: Room, fitting: Iterable[str] = ()) -> None:
    """That the device can hold it: free memory for it, or total memory at the very least. Pure.

    Raises `NotEnoughMemoryError`, which names what would fit.
    """
    if need.total <= room.free:
        return
    names = ", ".join(fitting)
    advice = f"what fits: {names}" if names else "take another device"
    has = (
        f"has {_gib(room.total)} in all"
        if need.total > room.total
        else f"has {_gib(room.free)} free of {_gib(room.total)}; close what uses it"
    )
    raise NotEnoughMemoryError(
        f"{name} needs about {_gib(need.total)} ({_gib(need.weights)} of weights), and {room.name} "
        f"{has}; {advice}"
    )


def need_of_known(model: KnownModel, *, on_gpu: bool) -> Need:
    """What a known model needs with its tiny autoencoder, from what the catalogue says."""
    if model.family == "embedded":
        return Need(weights=model.size_bytes * 2, work=GIBIBYTE // 4)
    made = architecture(model.family)
    return need_of(
        model.size_bytes // 2,
        unet_config=made.unet,
        vae_config={"_class_name": "AutoencoderTiny"},
        size=(model.native_size, model.native_size),
        bytes_each=2 if on_gpu else 4,
        on_gpu=on_gpu,
    )


def need_of_parts(parts: ModelParts, *, bytes_each: int, on_gpu: bool) -> Need | None:
    """What the model needs, from the headers of its files; none where they do not tell."""
    try:
        unet, vae = _configs(parts)
        parameters = _parameters(parts)
        longest = _native_size(unet)
    except (ModelError, OSError, ValueError, KeyError, TypeError):
        return None  # loading it will say what is wrong with it
    return need_of(
        parameters, unet_config=unet, vae_config=vae, size=(longest, longest),
        bytes_each=bytes_each, on_gpu=on_gpu,
    )  # fmt: skip


def _configs(parts: ModelParts) -> tuple[dict[str, Any], dict[str, Any]]:
    """The configs of the UNet, and of the autoencoder that will be used."""
    made: Architecture | None = None
    if parts.file is not None:
        made = architecture(family_of(read_header(parts.file)))
    unet = made.unet if made else _read(parts.path / "unet" / "config.json")
    if parts.tiny_vae is not None:
        return unet, _read(parts.tiny_vae / "config.json")
    return unet, made.vae if made else _read(parts.path / "vae" / "config.json")


def _read(path: Path) -> dict[str, Any]:
    return dict(json.loads(path.read_text(encoding="utf-8")))


def _parameters(parts: ModelParts) -> int:
    """How many numbers will be loaded."""
    tiny = _of_one_format(parts.tiny_vae) if parts.tiny_vae is not None else []
    if parts.file is not None:
        own = read_header(parts.file).loaded_parameters(vae=parts.tiny_vae is None)
        return own + sum(read_header(file).parameters for file in tiny)
    return sum(read_header(file).parameters for file in (*_weights(parts), *tiny))


def _weights(parts: ModelParts) -> list[Path]:
    """The files of the folder that will be loaded, and that in place of its UNet."""
    skipped = {"unet"} if parts.unet is not None else set()
    skipped |= {"vae"} if parts.tiny_vae is not None else set()
    folders = [
        folder for folder in parts.path.iterdir()
        if folder.is_dir() and folder.name not in skipped
        and folder.name in ("unet", "vae", "text_encoder", "text_encoder_2")
    ]  # fmt: skip
    found = [file for folder in folders for file in _of_one_format(folder)]
    return found + ([parts.unet] if parts.unet is not None else [])


def _of_one_format(folder: Path) -> list[Path]:
    """The full weights of a folder, or those in half precision where there are no others."""
    files = list(folder.glob("*.safetensors"))
    return [file for file in files if ".fp16" not in file.name] or files


def _native_size(unet_config: dict[str, Any]) -> int:
    sample = unet_config.get("sample_size") or 64
    return 8 * (sample if isinstance(sample, int) else max(sample))


def _vae_units(vae_config: dict[str, Any]) -> float:
    """Live numbers per pixel."""
    if "Tiny" in str(vae_config.get("_class_name")):
        widths = vae_config.get("decoder_block_out_channels", (64,))
        return TINY_VAE_UNITS * float(max(widths))
    return FULL_VAE_UNITS * float(vae_config["block_out_channels"][0])


def _gib(size: int) -> str:
    return f"{size / GIBIBYTE:.1f} GiB"
