"""float8: the large matrix products of a UNet in 8 bits, twice as fast as in 16."""

import copy
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from turbolens.filter.networks import Run

from .backend import NoSpeedup, PrepareTime, Unrecorded
from .compiled import Compiled

FORMAT = torch.float8_e4m3fn
_MAX = torch.finfo(FORMAT).max  # 448
_MIN_SCALE = 1e-12  # of a row of zeros
_ALIGNMENT = 16  # both sides of a weight must be multiples of it


@dataclass(frozen=True)
class Bounds:
    """The smallest sizes for which float8 is faster.

    rows, features: of one product. On an H100 (700 TFLOP/s in 16 bits in practice, 3.35 TB/s) an
    input number saves 1.4 fs for each output and costs 0.9 ps to read and round, so that float8 is
    faster from 640 outputs on, and from fewer if rounding is fused with the operation before. Below
    512 inputs, writing the outputs dominates. The ratio of an RTX 4090 is about the same.

    gflop, share: of all such products together, absolute and relative to all products and
    convolutions. float8 at most halves that share of the time, and preparing takes minutes. At
    512×512 SD-Turbo has 168 GFLOP, 25 %, and SDXL-Turbo 1,075 GFLOP, 70 %.
    """

    rows: int = 128
    features: int = 512
    gflop: float = 50.0
    share: float = 0.2


class Float8(Unrecorded):
    """A module with its large linear layers in float8, compiled as by `Compiled`.

    The module itself does not change. A copy is compiled, which shares all other weights with it.
    """

    name: str = "fp8"
    prepare_time: PrepareTime = "minutes"
    reduced_precision: bool = True
    calibrated: bool = False

    def __init__(self, bounds: Bounds | None = None) -> None:
        self._bounds = bounds or Bounds()

    def prepare(self, module: nn.Module, inputs: Sequence[torch.Tensor]) -> Run:
        """Raises `NoSpeedup` if too little of the module would be in float8."""
        return Compiled().prepare(in_float8(module, inputs, self._bounds), inputs)


class Float8Linear(nn.Module):
    """A linear layer (..., in) → (..., out) that multiplies float8 numbers.

    Each row of the weights and each row of the input has its own scale, which maps its largest
    number to the largest of the format. Products are in bfloat16, which every CUDA version supports
    for row scales, with the tensor cores' fast accumulation.
    """

    weight: torch.Tensor
    scale: torch.Tensor

    def __init__(self, linear: nn.Linear) -> None:
        super().__init__()
        rounded, scale = _rounded(linear.weight.detach())
        self.register_buffer("weight", rounded)
        self.register_buffer("scale", scale.t().contiguous())
        self.bias = linear.bias  # shared

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        rows, scale = _rounded(inputs.reshape(-1, inputs.shape[-1]))
        product = torch._scaled_mm(
            rows, self.weight.t(), scale_a=scale, scale_b=self.scale,
            out_dtype=torch.bfloat16, use_fast_accum=True,
        )  # fmt: skip
        output = product.to(inputs.dtype).reshape(*inputs.shape[:-1], -1)
        return output if self.bias is None else output + self.bias


def in_float8(module: nn.Module, inputs: Sequence[torch.Tensor], bounds: Bounds) -> nn.Module:
    """A copy of the module with its large linear layers in float8, for inputs like these.

    All other weights are shared. Raises `NoSpeedup` below the bounds.
    """
    converted = sharing_copy(module)
    with _counted(converted) as counts, torch.inference_mode():
        converted(*inputs)
    large = {
        name: layer
        for name, layer in converted.named_modules()
        if isinstance(layer, nn.Linear) and counts.is_large(layer, bounds)
    }
    gflop = sum(counts.flops[layer] for layer in large.values()) / 1e9
    share = gflop * 1e9 / max(1, sum(counts.flops.values()))
    if gflop < bounds.gflop or share < bounds.share:
        raise NoSpeedup(f"{gflop:.1f} GFLOP in large linear layers, {share:.0%} of all")
    for name, layer in large.items():
        parent, _, attribute = name.rpartition(".")
        setattr(converted.get_submodule(parent), attribute, Float8Linear(layer))
    return converted


def sharing_copy(module: nn.Module) -> nn.Module:
    """A copy of the module that shares all parameters and buffers."""
    memo: dict[int, Any] = {id(each): each for each in (*module.parameters(), *module.buffers())}
    return copy.deepcopy(module, memo)


class _Counts:
    """FLOPs and rows of each layer's product, counted in one forward pass."""

    def __init__(self) -> None:
        self.flops: dict[nn.Module, int] = {}
        self._rows: dict[nn.Module, int] = {}

    def count(self, layer: nn.Module, _: object, output: torch.Tensor) -> None:
        """A forward hook."""
        weight: Any = layer.weight
        sums = output.numel() * weight[0].numel()
        self.flops[layer] = self.flops.get(layer, 0) + 2 * sums
        self._rows[layer] = output.numel() // output.shape[-1]

    def is_large(self, layer: nn.Linear, bounds: Bounds) -> bool:
        """True if float8 is faster and the format allows the sides of the weight."""
        sides = layer.in_features, layer.out_features
        return self._rows.get(layer, 0) >= bounds.rows and all(
            side >= bounds.features and side % _ALIGNMENT == 0 for side in sides
        )


@contextmanager
def _counted(module: nn.Module) -> Iterator[_Counts]:
    counts = _Counts()
    layers = [each for each in module.modules() if isinstance(each, nn.Linear | nn.Conv2d)]
    hooks = [layer.register_forward_hook(counts.count) for layer in layers]
    try:
        yield counts
    finally:
        for hook in hooks:
            hook.remove()


def _rounded(rows: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Rows (n, k) → rows divided by their scale in float8, and the scale (n, 1) in float32."""
    scale = rows.abs().amax(dim=-1, keepdim=True).float() / _MAX
    scale = scale.clamp(min=_MIN_SCALE)
    return (rows / scale).clamp(-_MAX, _MAX).to(FORMAT), scale
