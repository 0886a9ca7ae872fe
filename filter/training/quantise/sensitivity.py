"""Sensitivity: layers that lose too much in 8 bits stay in float."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from statistics import median
from typing import Any

import torch
from torch import Tensor, nn

from turbolens.filter.acceleration.comparison import agreement_db
from turbolens.filter.acceleration.openvino.int8 import (
    ACTIVATION_LEVELS,
    WEIGHT_LEVELS,
    with_exact_zero,
)
from turbolens.filter.networks import Range
from turbolens.filter.training.layer_ranges import layers_of

MIN_PSNR = {"encoder": 47.0, "predictor": 47.0, "decoder": 60.0}
"""dB that a module's result should keep with all chosen layers quantised.

More for the decoder: its errors are not blended over time before they show. With 51 dB the noise of
a still image grew by 6 %, with 60 dB by less than 0.5 %.
"""


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


def chosen_layers(
    psnrs: Mapping[str, float], products: Mapping[str, int], min_psnr: float
) -> list[str]:
    """The layers to quantise, in the order of `psnrs`.

    psnrs: the agreement in dB of each layer alone. products: its multiplications. min_psnr: the
    agreement to keep. The errors of layers are nearly independent, so that their powers add up.
    Layers with the least error for their work are chosen first.
    """
    errors = {name: 10.0 ** (-psnr / 10.0) for name, psnr in psnrs.items()}
    left, chosen = 10.0 ** (-min_psnr / 10.0), set()
    for name in sorted(errors, key=lambda each: errors[each] / products[each]):
        if errors[name] <= left:
            left -= errors[name]
            chosen.add(name)
    return [name for name in psnrs if name in chosen]


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
