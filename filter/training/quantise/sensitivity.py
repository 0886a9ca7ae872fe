"""Sensitivity: layers that lose too much in 8 bits have two parts of it, or stay in float."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from statistics import median
from typing import Any, TypeAlias

import torch
from torch import Tensor, nn

from turbolens.filter.acceleration.comparison import agreement_db
from turbolens.filter.acceleration.openvino.int8 import (
    ACTIVATION_LEVELS,
    WEIGHT_LEVELS,
    range_of_rest,
    with_exact_zero,
)
from turbolens.filter.acceleration.openvino.layer_ranges import layer_products, layers_of
from turbolens.filter.networks import Range

MIN_PSNR = 47.0
"""dB that a module's result should keep with all chosen layers quantised."""
MIN_STEADY_PSNR = {"encoder": 47.0, "predictor": 47.0, "decoder": 60.0}
"""The same for what changes from frame to frame: with the weights as they are.

More for the decoder: its errors are not blended over time before they show. With 51 dB the noise of
a still image grew by 6 %, with 60 dB by less than 0.5 %.
"""


@dataclass(frozen=True)
class Loss:
    """The error power of one layer alone in 8 bits, over that of its module's result.

    total: with weights and input in 8 bits. moving: with the input in 8 bits only, since errors of
    weights are the same in every frame. products: the layer's multiplications.
    """

    found: Range
    total: float
    moving: float
    products: int


Measure: TypeAlias = Callable[[str, Range], Loss]
"""A layer and how it is quantised → what that loses."""


class Sensitivity:
    """Measures what a layer of a module loses over some inputs.

    moving: if False, all errors count as moving, which saves a pass for each layer.
    """

    def __init__(
        self, module: nn.Module, inputs: Sequence[Sequence[Tensor]], *, moving: bool = True
    ) -> None:
        self._module, self._inputs, self._moving = module, inputs, moving
        self._layers, self._products = layers_of(module), layer_products(module, inputs[0])
        with torch.inference_mode():
            self._plain = [module(*each) for each in inputs]

    def __call__(self, name: str, found: Range) -> Loss:
        """What the layer loses if it alone is quantised in this way."""
        total = self._error(name, found, weights=True)
        moving = self._error(name, found, weights=False) if self._moving else total
        return Loss(found, total, moving, self._products[name])

    @torch.inference_mode()
    def _error(self, name: str, found: Range, *, weights: bool) -> float:
        with simulated(self._layers[name], found, weights=weights):
            results = [self._module(*each) for each in self._inputs]
        return float(10.0 ** (-median(map(agreement_db, self._plain, results)) / 10.0))


def chosen_ranges(
    ranges: Mapping[str, Range], measure: Measure, min_psnr: float, min_steady_psnr: float
) -> dict[str, Range]:
    """The layers to quantise and how, in the order of `ranges`.

    min_psnr: the agreement in dB to keep; min_steady_psnr: the same without the errors of weights.
    The errors of layers are nearly independent, so that their powers add up. First layers in one
    part are chosen, then others in two, those with the least error for their work first.
    """
    left, steady_left = (10.0 ** (-each / 10.0) for each in (min_psnr, min_steady_psnr))
    chosen: dict[str, Range] = {}
    for parts in (1, 2):
        losses = {
            name: measure(name, found._replace(parts=parts))
            for name, found in ranges.items() if name not in chosen
        }  # fmt: skip
        for name, loss in sorted(losses.items(), key=lambda each: each[1].total / each[1].products):
            if loss.total <= left and loss.moving <= steady_left:
                left, steady_left = left - loss.total, steady_left - loss.moving
                chosen[name] = loss.found
    return {name: chosen[name] for name in ranges if name in chosen}


@contextmanager
def simulated(
    layer: nn.Conv2d | nn.Linear, found: Range, *, weights: bool = True
) -> Iterator[None]:
    """Within this context the layer computes with the numbers that it has in INT8.

    weights: if False, its weights stay as they are.
    """
    weight = layer.weight.data
    if weights:
        layer.weight.data = quantised_weight(weight)

    def hook(_: nn.Module, arguments: tuple[Any, ...]) -> tuple[Any, ...]:
        given = arguments[0]
        rounded = _rounded(given, found.low, found.high)
        if found.parts > 1:
            rounded = rounded + _rounded(given - rounded, *range_of_rest(found))
        return rounded, *arguments[1:]

    handle = layer.register_forward_pre_hook(hook)
    try:
        yield
    finally:
        handle.remove()
        layer.weight.data = weight


def _rounded(values: Tensor, lowest: float, highest: float) -> Tensor:
    low, high = with_exact_zero(lowest, highest)
    scale = (high - low) / (ACTIVATION_LEVELS - 1)
    zero = round(-low / scale)
    return torch.fake_quantize_per_tensor_affine(values, scale, zero, 0, ACTIVATION_LEVELS - 1)


def quantised_weight(weight: Tensor) -> Tensor:
    """Weights (out, ...) rounded to 255 levels, symmetric, for each output channel."""
    most = WEIGHT_LEVELS // 2
    scale = weight.flatten(1).abs().amax(1).clamp(min=1e-8) / most
    zeros = torch.zeros_like(scale, dtype=torch.int32)
    return torch.fake_quantize_per_channel_affine(weight, scale, zeros, 0, -most, most)
