"""float8: the large matrix products of a UNet in 8 bits, at twice the rate of 16."""

import copy
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import nn

from turbolens.filter.networks import Run

from .compiled import Compiled
from .trial import Unsuited

FORMAT = torch.float8_e4m3fn
_LARGEST = torch.finfo(FORMAT).max  # 448
_SMALLEST_SCALE = 1e-12  # of a row that is all 0
_ALIGNED = 16  # both sides of a weight must divide by it


@dataclass(frozen=True)
class Bounds:
    """From where on 8 bits pay.

    rows, features: the least of a product. On an H100 (700 TFLOP/s in 16 bits in practice, 3.35
    TB/s) what is saved by one number of a row, 1.4 fs for each output, outweighs reading it and
    writing it rounded, 0.9 ps, from 640 outputs on, and less where that is joined with what comes
    before; with fewer than 512 inputs the time goes into writing the outputs. An RTX 4090 has about
    the same ratio. gflop, share: the least in all such products, and of all products and
    convolutions: 8 bits halve at most the time of that share, and preparing takes minutes.
    At 512×512 SD-Turbo has 168 GFLOP, 25 %, and SDXL-Turbo 1,075, 70 %.
    """

    rows: int = 128
    features: int = 512
    gflop: float = 50.0
    share: float = 0.2


class Float8:
    """A part with its large linear layers in float8, compiled as by `Compiled`.

    The part itself stays as it is: what is compiled shares all weights with it but those that were
    rounded, which it has in 8 bits besides.
    """

    name: str = "fp8"
    takes: Literal["moment", "seconds", "minutes"] = "minutes"
    coarse: bool = True

    def __init__(self, bounds: Bounds | None = None) -> None:
        self._bounds = bounds or Bounds()

    def prepare(self, part: nn.Module, inputs: Sequence[torch.Tensor]) -> Run:
        """Raises `Unsuited` where too little of the part would be in 8 bits."""
        return Compiled().prepare(in_float8(part, inputs, self._bounds), inputs)


class Float8Linear(nn.Module):
    """A linear layer (..., in) → (..., out) whose product is of float8 numbers.

    Each output's weights and each row of the input have a scale of their own, so that the largest
    number of each is the largest of the format. Products come in bfloat16, which every CUDA version
    gives for such scales, and are summed as the tensor cores do it fastest.
    """

    weight: torch.Tensor
    scale: torch.Tensor

    def __init__(self, linear: nn.Linear) -> None:
        super().__init__()
        rounded, scale = _rounded(linear.weight.detach())
        self.register_buffer("weight", rounded)
        self.register_buffer("scale", scale.t().contiguous())
        self.bias = linear.bias  # shared

    def forward(self, numbers: torch.Tensor) -> torch.Tensor:
        rows, scale = _rounded(numbers.reshape(-1, numbers.shape[-1]))
        product = torch._scaled_mm(
            rows, self.weight.t(), scale_a=scale, scale_b=self.scale,
            out_dtype=torch.bfloat16, use_fast_accum=True,
        )  # fmt: skip
        output = product.to(numbers.dtype).reshape(*numbers.shape[:-1], -1)
        return output if self.bias is None else output + self.bias


def in_float8(part: nn.Module, inputs: Sequence[torch.Tensor], bounds: Bounds) -> nn.Module:
    """A copy of the part with its large linear layers in float8, for inputs like these.

    All other weights are shared. Raises `Unsuited` where the bounds are not reached.
    """
    made = sharing_copy(part)
    with _counted(made) as counts, torch.inference_mode():
        made(*inputs)
    large = {
        name: layer
        for name, layer in made.named_modules()
        if isinstance(layer, nn.Linear) and counts.is_large(layer, bounds)
    }
    gflop = sum(counts.flops[layer] for layer in large.values()) / 1e9
    share = gflop * 1e9 / max(1, sum(counts.flops.values()))
    if gflop < bounds.gflop or share < bounds.share:
        raise Unsuited(f"{gflop:.1f} GFLOP in large linear layers, {share:.0%} of all")
    for name, layer in large.items():
        parent, _, own = name.rpartition(".")
        setattr(made.get_submodule(parent), own, Float8Linear(layer))
    return made


def sharing_copy(part: nn.Module) -> nn.Module:
    """The same modules once more, with the same parameters and buffers, not with copies of them."""
    memo: dict[int, Any] = {id(each): each for each in (*part.parameters(), *part.buffers())}
    return copy.deepcopy(part, memo)


class _Counts:
    """What each layer's products take, and on how many rows, found by running it once."""

    def __init__(self) -> None:
        self.flops: dict[nn.Module, int] = {}
        self._rows: dict[nn.Module, int] = {}

    def see(self, layer: nn.Module, _: object, output: torch.Tensor) -> None:
        """A hook: this layer gave that."""
        weight: Any = layer.weight
        sums = output.numel() * weight[0].numel()
        self.flops[layer] = self.flops.get(layer, 0) + 2 * sums
        self._rows[layer] = output.numel() // output.shape[-1]

    def is_large(self, layer: nn.Linear, bounds: Bounds) -> bool:
        """Whether it is a product that pays, and that the format allows."""
        sides = layer.in_features, layer.out_features
        return self._rows.get(layer, 0) >= bounds.rows and all(
            side >= bounds.features and side % _ALIGNED == 0 for side in sides
        )


@contextmanager
def _counted(part: nn.Module) -> Iterator[_Counts]:
    counts = _Counts()
    layers = [each for each in part.modules() if isinstance(each, nn.Linear | nn.Conv2d)]
    hooks = [layer.register_forward_hook(counts.see) for layer in layers]
    try:
        yield counts
    finally:
        for hook in hooks:
            hook.remove()


def _rounded(rows: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """(n, k) → the same divided by its scale in float8, and that scale (n, 1) in float32."""
    scale = rows.abs().amax(dim=-1, keepdim=True).float() / _LARGEST
    scale = scale.clamp(min=_SMALLEST_SCALE)
    return (rows / scale).clamp(-_LARGEST, _LARGEST).to(FORMAT), scale
