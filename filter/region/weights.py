"""The weights of `Segmenter` that ship in the package, and the ranges that let it run in INT8."""

from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from turbolens.filter.errors import ModelError
from turbolens.filter.networks import Range

from .network import Segmenter

FOLDER = Path(__file__).parents[1] / "embedded" / "segmenter"
WEIGHTS, RANGES = "model.safetensors", "activation_ranges.safetensors"


def load_segmenter(folder: Path = FOLDER) -> Segmenter:
    """The network in float32, with its `activation_ranges`. Raises `ModelError`."""
    network = Segmenter().fuse()
    weights = read_weights(folder)
    try:
        network.load_state_dict(weights)
        ranges = {name: each.tolist() for name, each in load_file(folder / RANGES).items()}
    except (OSError, RuntimeError, SafetensorError) as error:
        raise _unusable(folder, error) from error
    network.activation_ranges = {name: Range(*found) for name, found in ranges.items()}
    return network.eval().requires_grad_(False)


def read_weights(folder: Path) -> dict[str, Tensor]:
    """The weights in a folder in float32, by name. Raises `ModelError`."""
    try:
        return {name: each.float() for name, each in load_file(folder / WEIGHTS).items()}
    except (OSError, SafetensorError) as error:
        raise _unusable(folder, error) from error


def _unusable(folder: Path, error: Exception) -> ModelError:
    reason = " ".join(str(error).split())[:200]
    return ModelError(
        f"{folder} must hold the network that finds persons, but {reason}; install Turbolens again"
    )


def save_segmenter(network: Segmenter, ranges: dict[str, Range], folder: Path) -> None:
    """Write fused weights in float16, and the ranges. Each file appears only when it is whole."""
    folder.mkdir(parents=True, exist_ok=True)
    half = {name: each.half().contiguous() for name, each in network.state_dict().items()}
    bounds = {name: torch.tensor(found[:2]) for name, found in ranges.items()}
    for name, tensors in ((WEIGHTS, half), (RANGES, bounds)):
        unfinished = folder / f".{name}.tmp"
        save_file(tensors, unfinished)
        unfinished.replace(folder / name)
