"""Sensitivity: layers that lose too much in 8 bits stay in float."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from statistics import median
from typing import Any

import torch
from torch import Tensor, nn

from turbolens.filter.acceleration.comparison import agreement_db
from turbolens.filter.acceleration.int8 import ACTIVATION_LEVELS, WEIGHT_LEVELS, with_exact_zero
from turbolens.filter.networks import Range

from .calibration import layers_of

MIN_PSNR = {"encoder": 60.0, "predictor": 60.0, "decoder": 55.0}
"""dB that a module's result must keep if a single layer of it is quantised."""


@torch.inference_mode()
def sensitivities(
    module: nn.Module, ranges: Mapping[str, Range], inputs: Sequence[Sequence[Tensor]]
) -> Iterator[tuple[str, float]]:
    """Each layer of `ranges` and the agreement in dB if it alone is quantised, over the inputs."""
    layers = layers_of(module)
    plain = [module(*each) for each in inputs]
    for name, found in ranges.items():
        with simulated(layers[name], found):
            results = [module(*each) for each in inputs]
        yield name, median(map(agreement_db, plain, results))


@contextmanager
def simulated(layer: nn.Conv2d | nn.Linear, found: Range) -> Iterator[None]:
    """Within this context the layer computes with the numbers that it has in INT8."""
    weight = layer.weight.data
    layer.weight.data = quantised_weight(weight)
    low, high = with_exact_zero(*found)
    scale = (high - low) / (ACTIVATION_LEVELS - 1)

    def hook(_: nn.Module, arguments: tuple[Any, ...]) -> tuple[Any, ...]:
        return torch.fake_quantize_per_tensor_affine(
            arguments[0], scale, round(-low / scale), 0, ACTIVATION_LEVELS - 1
        ), *arguments[1:]

    handle = layer.register_forward_pre_hook(hook)
    try:
        yield
    finally:
        handle.remove()
        layer.weight.data = weight


def quantised_weight(weight: Tensor) -> Tensor:
    """Weights (out, ...) rounded to 255 levels, symmetric, for each output channel."""
    most = WEIGHT_LEVELS // 2
    scale = weight.flatten(1).abs().amax(1).clamp(min=1e-8) / most
    zeros = torch.zeros_like(scale, dtype=torch.int32)
    return torch.fake_quantize_per_channel_affine(weight, scale, zeros, 0, -most, most)
