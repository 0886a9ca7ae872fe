"""Loads the located parts of a model into components, with a replaced UNet or autoencoder."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from diffusers import AutoencoderTiny, UNet2DConditionModel
from safetensors import SafetensorError
from safetensors.torch import load_file

from turbolens.filter.errors import ModelError
from turbolens.filter.networks import Autoencoder

from .activation_ranges import check_layers, read_activation_ranges
from .folders import Components, load_components, load_network
from .locating import ModelParts
from .single_file import load_single_file


def load_parts(parts: ModelParts, dtype: torch.dtype = torch.float32) -> Components:
    """Load the components of a model in `dtype`. Raises the errors of `load_components`."""
    vae = None if parts.tiny_vae is None else _tiny_autoencoder(parts.tiny_vae, dtype)
    if parts.file is not None:
        components = load_single_file(parts.file, dtype, vae=vae)
    else:
        unet = None if parts.unet is None else _replacement_unet(parts.path, parts.unet, dtype)
        components = load_components(parts.path, dtype, unet=unet, vae=vae)
        components = _with_ranges(components, parts)
    if parts.sampler is not None:
        schedule = replace(components.schedule, sampler=parts.sampler, final_alpha=1.0)
        components = replace(components, schedule=schedule)
    return components


def network_names(vae: Autoencoder, parts: ModelParts) -> dict[str, str]:
    """The networks of a model, as in `ActivationRanges.networks`."""
    return {"autoencoder": type(vae).__name__, "unet": parts.unet.name if parts.unet else ""}


def _with_ranges(components: Components, parts: ModelParts) -> Components:
    """With the folder's activation ranges of those networks that are not replaced by others."""
    ranges = read_activation_ranges(parts.path)
    ranges = ranges.for_networks(network_names(components.vae, parts))
    check_layers(parts.path, ranges, components.vae, components.unet)
    return replace(components, ranges=ranges)


def _tiny_autoencoder(folder: Path, dtype: torch.dtype) -> Any:
    return load_network(AutoencoderTiny, folder, dtype)


def _replacement_unet(folder: Path, file: Path, dtype: torch.dtype) -> Any:
    """The UNet of the folder's config, with the weights of `file`."""
    kind: Any = UNet2DConditionModel
    try:
        config = json.loads((folder / "unet" / "config.json").read_text(encoding="utf-8"))
        weights = {name: tensor.to(dtype) for name, tensor in load_file(file).items()}
        with torch.device("meta"):
            unet = kind.from_config(config)
        unet.load_state_dict(weights, assign=True)
    except (OSError, ValueError, RuntimeError, KeyError, SafetensorError) as error:
        reason = " ".join(str(error).split())[:200]
        raise ModelError(f"{file} must hold the weights of the UNet, but {reason}") from error
    return unet.eval()
