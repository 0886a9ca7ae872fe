"""Converts LoRAs as peft's `save_pretrained` writes them to diffusers' layout.

A file holds the layers of one network, with names like
`base_model.model.down_blocks.0.….to_q.lora_A.weight`. Rank, alpha and scaling are in
`adapter_config.json` in the same folder: a layer adds up · down · alpha / rank, or
alpha / √rank with `use_rslora`. The factor is multiplied into `up`.
"""

import json
import math
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch

from turbolens.filter.errors import ModelError, UnsupportedModelError

PREFIX = "base_model.model."
CONFIG = "adapter_config.json"
_DOWN, _UP = ".lora_A.weight", ".lora_B.weight"
# A state dict that was saved without `save_pretrained` has the adapter's name in it.
_PART = re.compile(r"(.+\.lora_[AB])(?:\.[^.]+)?\.weight")


def is_peft(names: Sequence[str]) -> bool:
    """True if a file with these tensors is in peft's own layout."""
    return any(name.startswith(PREFIX) for name in names)


def from_peft(
    path: Path, tensors: Mapping[str, torch.Tensor], networks: Mapping[str, Any]
) -> dict[str, torch.Tensor]:
    """The same LoRA in diffusers' layout: unet.….lora_A.weight.

    networks: the model's, by their names in diffusers' layout. Raises `UnsupportedModelError` if
    the file holds more than a LoRA or fits none of the networks, `ModelError` if
    `adapter_config.json` is damaged.
    """
    layers = {_layer_name(path, name): tensor for name, tensor in tensors.items()}
    scaled = _scaled(path, layers)
    if all(name.partition(".")[0] in networks for name in scaled):
        return scaled
    network = _network_of(path, scaled, networks)
    return {f"{network}.{name}": tensor for name, tensor in scaled.items()}


def _layer_name(path: Path, name: str) -> str:
    """The tensor's name without peft's prefix and the adapter's name."""
    part = _PART.fullmatch(name.removeprefix(PREFIX))
    if part is None:
        raise UnsupportedModelError(
            f"{path} must hold a LoRA alone, and holds {name} too, which is not supported"
        )
    return f"{part[1]}.weight"


def _scaled(path: Path, layers: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    config = _config_beside(path)
    return {
        name: tensor * _factor(config, name, tensor.shape[1]) if name.endswith(_UP) else tensor
        for name, tensor in layers.items()
    }


def _config_beside(path: Path) -> dict[str, Any]:
    """The content of `adapter_config.json`; empty if there is none: then alpha equals the rank."""
    file = path.with_name(CONFIG)
    if not file.is_file():
        return {}
    try:
        config = json.loads(file.read_text("utf-8"))
    except ValueError as error:
        raise ModelError(f"{file} is damaged: {error}") from error
    if not isinstance(config, dict):
        raise ModelError(f"{file} is damaged: it must hold an object, got {config!r}")
    return config


def _factor(config: Mapping[str, Any], name: str, rank: int) -> float:
    """The scaling of a layer of this rank, as peft computes it."""
    layer = name.removesuffix(_UP)
    patterns = config.get("alpha_pattern") or {}
    # As in peft: a pattern is a regular expression for the end of the layer's name.
    found = next((key for key in patterns if re.match(rf"(.*\.)?({key})$", layer)), None)
    alpha = float(config.get("lora_alpha", rank) if found is None else patterns[found])
    return alpha / (math.sqrt(rank) if config.get("use_rslora") else rank)


def _network_of(path: Path, layers: Mapping[str, torch.Tensor], networks: Mapping[str, Any]) -> str:
    """The name of the network that has all of these layers, with the first one's width."""
    names = {name.rpartition(".lora_")[0] for name in layers}
    first, down = next((each for each in layers.items() if each[0].endswith(_DOWN)), ("", None))
    for network, module in networks.items():
        modules = dict(module.named_modules())
        known = {**modules, **{f"text_model.{name}": each for name, each in modules.items()}}
        if down is None or not names <= known.keys():
            continue
        layer = known[first.removesuffix(_DOWN)]
        weight = getattr(getattr(layer, "base_layer", layer), "weight", None)
        if weight is not None and weight.shape[1] == down.shape[1]:
            return network
    raise UnsupportedModelError(
        f"{path} was made for another family of models: this one has no {min(names, default='')}"
    )
