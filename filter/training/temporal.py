"""Temporal training: frames related by a known motion must give results related by it."""

import math
from collections.abc import Callable
from typing import TypeAlias

import torch
from torch import Tensor
from torch.nn import functional as F

from turbolens.filter.coherence.warping import warped

FramePairs: TypeAlias = Callable[[torch.Generator, int], tuple[Tensor, Tensor, Tensor]]
"""(generator, count) → two frames each, images (B, 3, H, W) in −1…1, and the flow (B, 2, H, W) in
pixels between them: what is at p in the second was at p + flow(p) in the first."""

_TURN, _ZOOM, _SHIFT, _BEND = 0.05, 0.04, 0.05, 0.012  # radians, then shares; the most of each
_BENDS = 4  # points a side that bend the picture


def random_flow(generator: torch.Generator, count: int, height: int, width: int) -> Tensor:
    """(count, 2, height, width): a shaken camera that turns and zooms, over a scene that bends."""
    turn, zoom, right, below = (torch.rand(4, count, 1, 1, generator=generator) * 2 - 1).unbind()
    y, x = torch.meshgrid(torch.linspace(-0.5, 0.5, height) * height,
                          torch.linspace(-0.5, 0.5, width) * width, indexing="ij")  # fmt: skip
    cosine, sine = ((1 + _ZOOM * zoom) * f(_TURN * turn) for f in (torch.cos, torch.sin))
    rigid = torch.stack(
        [
            cosine * x - sine * y - x + _SHIFT * right * width,
            sine * x + cosine * y - y + _SHIFT * below * height,
        ],
        dim=1,
    )
    bends = torch.randn(count, 2, _BENDS, _BENDS, generator=generator) * _BEND * min(height, width)
    return rigid + F.interpolate(bends, (height, width), mode="bicubic", align_corners=True)


def warped_photographs(draw: Callable[[torch.Generator, int], Tensor]) -> FramePairs:
    """Pairs of a photograph, from `draw`, and the same one moved by `random_flow`, exactly."""

    def pairs(generator: torch.Generator, count: int) -> tuple[Tensor, Tensor, Tensor]:
        first = draw(generator, count)
        flow = random_flow(generator, count, *first.shape[-2:])
        # Bicubic: a bilinear warp blurs, and the student would learn that motion is blur.
        return first, warped(first, flow, "bicubic").clamp(-1, 1), flow

    return pairs


def inside(flow: Tensor) -> Tensor:
    """(B, 1, H, W): 1 where p + flow(p) lies in the picture, else 0."""
    height, width = flow.shape[-2:]
    x = torch.arange(width, device=flow.device) + flow[:, :1]
    y = torch.arange(height, device=flow.device).view(-1, 1) + flow[:, 1:]
    return ((x >= 0) & (x <= width - 1) & (y >= 0) & (y <= height - 1)).float()


def temporal_loss(first: Tensor, second: Tensor, flow: Tensor, kept: Tensor) -> Tensor:
    """E_p[α_s·‖y₂(p) − y₁(p + f(p))‖²] over all p whose origin was in the picture.

    first, second: what the student made of both frames, images (B, C, H, W), with the same noise,
    timestep and prompt, as a filter does. This is the warp error that `bench coherence` measures
    (after Lai et al., 2018), made a loss: the weights themselves learn to be steady.
    """
    seen = inside(flow)
    apart = kept * (second - warped(first, flow)).square() * seen
    return apart.sum() / (seen.sum() * first.shape[1]).clamp_min(1)


def random_window(
    generator: torch.Generator, shape: tuple[int, int], most: int
) -> tuple[slice, slice]:
    """Rows and columns of a random window of at most `most` latents a side.

    Decoding with gradients costs the most memory of a step; a window of both frames is enough.
    """
    slices = []
    for side in shape:
        size = min(side, most)
        start = math.floor(float(torch.rand((), generator=generator)) * (side - size + 1))
        slices.append(slice(start, start + size))
    return slices[0], slices[1]
