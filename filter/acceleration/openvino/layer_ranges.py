"""The range of the input of every convolution and linear layer, and its multiplications."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.hooks import RemovableHandle

from turbolens.filter.networks import Range

from .int8 import layer_name

_MIN_RANGE = 1e-6
_RANGE_OF_ZEROS = Range(0.0, 1.0)  # any range holds the input of a layer that is always 0


@torch.inference_mode()
def activation_ranges(module: nn.Module, inputs: Sequence[Sequence[Tensor]]) -> dict[str, Range]:
    """The range of each layer's input: the lowest and the highest number over all inputs.

    Anything narrower cuts off the brightest parts of pictures, which changes their contrast.
    """
    with _observed(module) as observed:
        for each in inputs:
            module(*each)
    ranges = {
        name: Range(min(each.low for each in found), max(each.high for each in found))
        for name, found in observed.items()
    }
    return {
        name: found if max(-found.low, found.high) > _MIN_RANGE else _RANGE_OF_ZEROS
        for name, found in ranges.items()
    }


@torch.inference_mode()
def layer_products(module: nn.Module, inputs: Sequence[Tensor]) -> dict[str, int]:
    """The multiplications of each layer for one picture."""
    products: dict[str, int] = defaultdict(int)

    def count(name: str) -> Any:
        def hook(layer: nn.Module, _: tuple[Tensor, ...], output: Tensor) -> None:
            weight: Tensor = layer.weight  # type: ignore[assignment]
            products[name] += output.numel() // len(output) * weight[0].numel()

        return hook

    with _hooked([
        layer.register_forward_hook(count(name)) for name, layer in layers_of(module).items()
    ]):  # fmt: skip
        module(*inputs)
    return dict(products)


@contextmanager
def _observed(module: nn.Module) -> Iterator[dict[str, list[Range]]]:
    """Within this context every pass adds the range of each layer's input, by layer."""
    observed: dict[str, list[Range]] = defaultdict(list)

    def observe(name: str) -> Any:
        def hook(_: nn.Module, arguments: tuple[Tensor, ...]) -> None:
            if arguments[0].ndim > 2:  # else a vector, such as the embedding of the timestep
                low, high = arguments[0].aminmax()
                observed[name].append(Range(float(low), float(high)))

        return hook

    with _hooked([
        layer.register_forward_pre_hook(observe(name)) for name, layer in layers_of(module).items()
    ]):  # fmt: skip
        yield observed


@contextmanager
def _hooked(hooks: Sequence[RemovableHandle]) -> Iterator[None]:
    """Remove the hooks at the end of this context."""
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()


def layers_of(module: nn.Module) -> dict[str, nn.Conv2d | nn.Linear]:
    """The convolutions and linear layers by name, without those of LoRAs."""
    return {
        layer_name(name): layer
        for name, layer in module.named_modules()
        if isinstance(layer, nn.Conv2d | nn.Linear) and ".lora_" not in name
    }
