"""Reads the header of a safetensors file: tensor names, shapes and metadata. Imports no torch."""

import json
import math
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from turbolens.filter.errors import ModelError, UnsupportedModelError

CheckpointFamily = Literal["sd1", "sd2", "sdxl"]

_MAX_HEADER_BYTES = 100_000_000  # the limit of the format
_UNET = "model.diffusion_model."
_FIRST_BLOCK = f"{_UNET}input_blocks.0.0.weight"
_CLIP_L = "cond_stage_model.transformer.text_model.embeddings.token_embedding.weight"
_OPEN_CLIP = "cond_stage_model.model.token_embedding.weight"
_XL_CLIP_L = "conditioner.embedders.0.transformer.text_model.embeddings.token_embedding.weight"
_XL_OPEN_CLIP = "conditioner.embedders.1.model.token_embedding.weight"
_VAE = "first_stage_model.decoder.conv_in.weight"
_TEXTS = ("cond_stage_model.", "conditioner.")
_AUTOENCODER = "first_stage_model."


@dataclass(frozen=True)
class Header:
    """The shape of every tensor by name, and the metadata."""

    path: Path
    shapes: dict[str, tuple[int, ...]]
    metadata: dict[str, str]

    @property
    def parameters(self) -> int:
        """The number of parameters in the file."""
        return sum(math.prod(shape) for shape in self.shapes.values())

    def loaded_parameters(self, *, vae: bool = True) -> int:
        """The number of parameters that are loaded: EMA copies in a checkpoint are not.

        vae: count the file's own autoencoder.
        """
        parts = (_UNET, *_TEXTS, *([_AUTOENCODER] if vae else []))
        loaded = (shape for name, shape in self.shapes.items() if name.startswith(parts))
        return sum(math.prod(shape) for shape in loaded)


def read_header(path: Path) -> Header:
    """Read the header of a safetensors file. Raises `ModelError` if it is invalid or truncated."""
    try:
        if path.stat().st_size == 0:
            raise ValueError("it is empty")
        with path.open("rb") as stream:
            (length,) = struct.unpack("<Q", stream.read(8))
            if length > _MAX_HEADER_BYTES:
                raise ValueError(f"its header claims {length} bytes")
            entries = json.loads(stream.read(length))
        metadata = entries.pop("__metadata__", {})
        shapes = {name: tuple(entry["shape"]) for name, entry in entries.items()}
        ends = max((entry["data_offsets"][1] for entry in entries.values()), default=0)
    except (OSError, ValueError, KeyError, TypeError, AttributeError, struct.error) as error:
        raise ModelError(
            f"{path} must be a safetensors file, and cannot be read: {error}"
        ) from error
    if path.stat().st_size < 8 + length + ends:
        raise ModelError(
            f"{path} is truncated: it must have {8 + length + ends} bytes, and has "
            f"{path.stat().st_size}; download it again"
        )
    return Header(path, shapes, dict(metadata))


def family_of(header: Header) -> CheckpointFamily:
    """The family of a whole checkpoint in the original layout.

    Raises `UnsupportedModelError` for a LoRA, a lone UNet or autoencoder, another family, or an
    inpainting checkpoint.
    """
    names = header.shapes
    family: CheckpointFamily
    if _FIRST_BLOCK not in names:
        raise UnsupportedModelError(_unsupported_message(header))
    if _XL_OPEN_CLIP in names and _XL_CLIP_L in names:
        family = "sdxl"
    elif _OPEN_CLIP in names:
        family = "sd2"
    elif _CLIP_L in names:
        family = "sd1"
    else:
        raise UnsupportedModelError(
            f"{header.path} has a UNet, but not the text encoders of SD 1, SD 2 or SDXL; give the "
            "whole checkpoint"
        )
    if _VAE not in names:
        raise UnsupportedModelError(f"{header.path} has no autoencoder; give the whole checkpoint")
    channels = names[_FIRST_BLOCK][1]
    if channels != 4:
        raise UnsupportedModelError(
            f"the UNet must take 4 channels, and that of {header.path} takes {channels}: it is an "
            "inpainting or editing model"
        )
    return family


def _unsupported_message(header: Header) -> str:
    """The error message for a file that is not a whole checkpoint."""
    names = header.shapes
    if any("lora" in name for name in names):
        kind = "a LoRA, which is added to a model"
    elif any(name.startswith("down_blocks.") for name in names):
        kind = "a UNet alone, in diffusers' layout"
    elif any(name.startswith(("encoder.", "decoder.")) for name in names):
        kind = "an autoencoder alone"
    else:
        kind = "of a family that is not known here"
    return f"a model file must be a whole checkpoint of SD 1, SD 2 or SDXL; {header.path} is {kind}"
