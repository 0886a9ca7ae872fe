"""The activation ranges of a model folder, which INT8 needs besides the weights.

A safetensors file: for each layer a tensor float32 with the lowest and the highest number of its
input, and a third one, 2, if the input is computed in two parts of 8 bits. It is called
MODULE.LAYER, as in `encoder.vae.encoder.layers.0`. The metadata names the networks that they belong
to. `turbolens train quantise` writes it.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

from turbolens.filter.errors import ModelError
from turbolens.filter.networks import LayerRanges, Range

from .needed_files import RANGES_FILE

_NETWORKS = {"encoder": "autoencoder", "predictor": "unet", "decoder": "autoencoder"}
"""The network that each module runs."""


@dataclass(frozen=True)
class ActivationRanges:
    """The ranges of the layers that may be computed in INT8.

    networks: the class of the "autoencoder", and as "unet" the name of a file that replaces the
    weights of the folder's UNet, or "".
    """

    layers: LayerRanges = field(default_factory=dict)
    networks: Mapping[str, str] = field(default_factory=dict)

    def for_networks(self, networks: Mapping[str, str]) -> "ActivationRanges":
        """The ranges of the modules that run these networks."""
        layers = {
            module: ranges for module, ranges in self.layers.items()
            if self.networks.get(_NETWORKS[module]) == networks[_NETWORKS[module]]
        }  # fmt: skip
        return ActivationRanges(layers, networks)


def read_activation_ranges(folder: Path) -> ActivationRanges:
    """Read the file of a model folder; without one there are no ranges. Raises `ModelError`."""
    path = folder / RANGES_FILE
    if not path.is_file():
        return ActivationRanges()
    try:
        with safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        layers = _by_module(tensors)
    except (OSError, ValueError, SafetensorError) as error:
        raise _wrong_file(path, " ".join(str(error).split())[:200]) from error
    return ActivationRanges(layers, metadata)


def write_activation_ranges(path: Path, ranges: ActivationRanges) -> None:
    """Write the file, which appears under its name only when it is whole."""
    tensors = {
        f"{module}.{layer}": torch.tensor(
            found[: 2 if found.parts == 1 else 3], dtype=torch.float32
        )
        for module, layers in ranges.layers.items()
        for layer, found in layers.items()
    }
    unfinished = path.with_name(f".{path.name}.tmp")
    try:
        save_file(tensors, unfinished, dict(ranges.networks))
        unfinished.replace(path)
    finally:
        unfinished.unlink(missing_ok=True)


def check_layers(folder: Path, ranges: ActivationRanges, vae: Any, unet: Any) -> None:
    """Raise `ModelError` unless the networks have every layer."""
    known = {f"vae.{name}" for name, _ in vae.named_modules()}
    known |= {f"unet.{name}" for name, _ in unet.named_modules()}
    for layers in ranges.layers.values():
        for layer in layers:
            if layer not in known:
                raise _wrong_file(folder / RANGES_FILE, f"this model has no layer {layer}")


def _by_module(tensors: Mapping[str, torch.Tensor]) -> dict[str, dict[str, Range]]:
    layers: dict[str, dict[str, Range]] = {}
    for name, tensor in tensors.items():
        module, _, layer = name.partition(".")
        if module not in _NETWORKS:
            raise ValueError(f"names must begin with {', '.join(_NETWORKS)}, got {name}")
        layers.setdefault(module, {})[layer] = _range(name, tensor)
    return layers


def _range(name: str, tensor: torch.Tensor) -> Range:
    if tensor.shape not in ((2,), (3,)) or not tensor.is_floating_point():
        raise ValueError(
            f"{name} must be two or three floats, got {tuple(tensor.shape)} {tensor.dtype}"
        )
    low, high, *parts = tensor.tolist()
    if not -float("inf") < low < high < float("inf"):
        raise ValueError(f"{name} must be a lower and a higher finite number, got {low}, {high}")
    if parts not in ([], [1.0], [2.0]):
        raise ValueError(f"{name} must have 1 or 2 parts of 8 bits, got {parts[0]}")
    return Range(low, high, *map(int, parts))


def _wrong_file(path: Path, reason: str) -> ModelError:
    return ModelError(
        f"{path} must hold the activation ranges of this model, but {reason}; delete it, and "
        f"make it anew with `turbolens train quantise {path.parent} --data FOLDER`"
    )
