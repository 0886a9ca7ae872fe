"""Estimates the memory that a model needs, before it is loaded, and compares it with a device."""

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

# Peak of live activations in one pass, divided by (first width · pixels), counted on the exact
# architectures by tests/filter/loading/test_memory.py: 26 for SD's UNet and 16 for SDXL's (per
# latent pixel), 6 for AutoencoderKL and 3.1 for AutoencoderTiny (per pixel).
UNET_UNITS, FULL_VAE_UNITS, TINY_VAE_UNITS = 27.0, 6.5, 3.5
RUNTIME_BYTES = GIBIBYTE * 3 // 4
"""Memory of a GPU's libraries and kernels: 0.4 to 0.8 GiB were measured."""


@dataclass(frozen=True)
class MemoryNeed:
    """The memory that a model needs, in bytes: weights, activations of one image, runtime."""

    weights: int
    activations: int
    runtime: int = 0

    @property
    def total(self) -> int:
        """The sum."""
        return self.weights + self.activations + self.runtime


@dataclass(frozen=True)
class DeviceMemory:
    """The memory of a device, in bytes."""

    name: str
    total: int
    free: int


def memory_need(
    parameters: int,
    *,
    unet_config: dict[str, Any],
    vae_config: dict[str, Any],
    size: tuple[int, int],
    bytes_each: int,
    on_gpu: bool,
) -> MemoryNeed:
    """Estimate the memory for `parameters` weights and one image of `size` (width, height).

    bytes_each: bytes of one parameter as loaded: 4 on a CPU, whatever the dtype of the computation.
    """
    vae_bytes = 4 if vae_config.get("force_upcast") and on_gpu else bytes_each
    width, height = size
    latent_pixels = (width // 8) * (height // 8)
    unet = UNET_UNITS * unet_config["block_out_channels"][0] * latent_pixels * bytes_each
    vae = _vae_units(vae_config) * width * height * vae_bytes
    return MemoryNeed(
        weights=parameters * bytes_each,
        activations=int(max(unet, vae)),
        runtime=RUNTIME_BYTES if on_gpu else 0,
    )


def check_fits(
    name: str, need: MemoryNeed, memory: DeviceMemory, fitting: Iterable[str] = ()
) -> None:
    """Raise `NotEnoughMemoryError` if the need exceeds the free memory.

    fitting: the names of models that would fit, for the message.
    """
    if need.total <= memory.free:
        return
    names = ", ".join(fitting)
    advice = f"models that fit: {names}" if names else "use another device"
    has = (
        f"has {_gib(memory.total)} in total"
        if need.total > memory.total
        else f"has {_gib(memory.free)} free of {_gib(memory.total)}; close other programs"
    )
    raise NotEnoughMemoryError(
        f"{name} needs about {_gib(need.total)} ({_gib(need.weights)} of weights), and "
        f"{memory.name} {has}; {advice}"
    )


def known_model_need(model: KnownModel, *, on_gpu: bool) -> MemoryNeed:
    """The need of a known model with its tiny autoencoder, from the catalogue."""
    if model.family == "embedded":
        return MemoryNeed(weights=model.size_bytes * 2, activations=GIBIBYTE // 4)
    configs = architecture(model.family)
    return memory_need(
        model.size_bytes // model.weight_bytes,
        unet_config=configs.unet,
        vae_config={"_class_name": "AutoencoderTiny"},
        size=(model.native_size, model.native_size),
        bytes_each=2 if on_gpu else 4,
        on_gpu=on_gpu,
    )


def parts_need(parts: ModelParts, *, bytes_each: int, on_gpu: bool) -> MemoryNeed | None:
    """The need of a model, from the headers of its files; `None` if they cannot be read."""
    try:
        unet, vae = _configs(parts)
        parameters = _parameters(parts)
        side = _native_size(unet)
    except (ModelError, OSError, ValueError, KeyError, TypeError):
        return None  # loading the model will raise the exact error
    return memory_need(
        parameters, unet_config=unet, vae_config=vae, size=(side, side),
        bytes_each=bytes_each, on_gpu=on_gpu,
    )  # fmt: skip


def _configs(parts: ModelParts) -> tuple[dict[str, Any], dict[str, Any]]:
    """The configs of the UNet, and of the autoencoder that will be used."""
    configs: Architecture | None = None
    if parts.file is not None:
        configs = architecture(family_of(read_header(parts.file)))
    unet = configs.unet if configs else _read(parts.path / "unet" / "config.json")
    if parts.tiny_vae is not None:
        return unet, _read(parts.tiny_vae / "config.json")
    return unet, configs.vae if configs else _read(parts.path / "vae" / "config.json")


def _read(path: Path) -> dict[str, Any]:
    return dict(json.loads(path.read_text(encoding="utf-8")))


def _parameters(parts: ModelParts) -> int:
    """The number of parameters that will be loaded."""
    tiny = _weight_files(parts.tiny_vae) if parts.tiny_vae is not None else []
    if parts.file is not None:
        own = read_header(parts.file).loaded_parameters(vae=parts.tiny_vae is None)
        return own + sum(read_header(file).parameters for file in tiny)
    return sum(read_header(file).parameters for file in (*_weights(parts), *tiny))


def _weights(parts: ModelParts) -> list[Path]:
    """The weight files of the folder that will be loaded, and the replacement of its UNet."""
    skipped = {"unet"} if parts.unet is not None else set()
    skipped |= {"vae"} if parts.tiny_vae is not None else set()
    folders = [
        folder for folder in parts.path.iterdir()
        if folder.is_dir() and folder.name not in skipped
        and folder.name in ("unet", "vae", "text_encoder", "text_encoder_2")
    ]  # fmt: skip
    found = [file for folder in folders for file in _weight_files(folder)]
    return found + ([parts.unet] if parts.unet is not None else [])


def _weight_files(folder: Path) -> list[Path]:
    """The full-precision weight files of a folder, or else those in half precision."""
    files = list(folder.glob("*.safetensors"))
    return [file for file in files if ".fp16" not in file.name] or files


def _native_size(unet_config: dict[str, Any]) -> int:
    sample = unet_config.get("sample_size") or 64
    return 8 * (sample if isinstance(sample, int) else max(sample))


def _vae_units(vae_config: dict[str, Any]) -> float:
    """Live activations per pixel."""
    if "Tiny" in str(vae_config.get("_class_name")):
        widths = vae_config.get("decoder_block_out_channels", (64,))
        return TINY_VAE_UNITS * float(max(widths))
    return FULL_VAE_UNITS * float(vae_config["block_out_channels"][0])


def _gib(size: int) -> str:
    return f"{size / GIBIBYTE:.1f} GiB"
