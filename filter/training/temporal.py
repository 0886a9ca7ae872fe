"""Temporal consistency: pairs of frames with known optical flow, and the warp error as a loss."""

import math
from collections.abc import Callable
from typing import TypeAlias

import torch
from torch import Tensor
from torch.nn import functional as F

from turbolens.filter.coherence.warping import warped

FramePairs: TypeAlias = Callable[[torch.Generator, int], tuple[Tensor, Tensor, Tensor]]
"""(generator, count) → first and second frames, images (B, 3, H, W) in −1…1, and the flow
(B, 2, H, W) in pixels: pixel p of the second frame was at p + flow(p) in the first."""

_ROTATION, _ZOOM, _SHIFT, _BEND = 0.05, 0.04, 0.05, 0.012  # maxima: radians, then shares
_BEND_POINTS = 4  # control points per side


def random_flow(generator: torch.Generator, count: int, height: int, width: int) -> Tensor:
    """(count, 2, height, width): shift, rotation and zoom of a camera, and a smooth deformation."""
    turn, zoom, right, below = (torch.rand(4, count, 1, 1, generator=generator) * 2 - 1).unbind()
    y, x = torch.meshgrid(torch.linspace(-0.5, 0.5, height) * height,
                          torch.linspace(-0.5, 0.5, width) * width, indexing="ij")  # fmt: skip
    cosine, sine = ((1 + _ZOOM * zoom) * f(_ROTATION * turn) for f in (torch.cos, torch.sin))
    rigid = torch.stack(
        [
            cosine * x - sine * y - x + _SHIFT * right * width,
            sine * x + cosine * y - y + _SHIFT * below * height,
        ],
        dim=1,
    )
    bends = (
        torch.randn(count, 2, _BEND_POINTS, _BEND_POINTS, generator=generator)
        * _BEND
        * min(height, width)
    )
    return rigid + F.interpolate(bends, (height, width), mode="bicubic", align_corners=True)


def warped_photographs(draw: Callable[[torch.Generator, int], Tensor]) -> FramePairs:
    """Pairs of a photograph from `draw` and the same one warped by `random_flow`."""

    def pairs(generator: torch.Generator, count: int) -> tuple[Tensor, Tensor, Tensor]:
        first = draw(generator, count)
        flow = random_flow(generator, count, *first.shape[-2:])
        # Bicubic: a bilinear warp blurs, and the student would learn to blur moving frames.
        return first, warped(first, flow, "bicubic").clamp(-1, 1), flow

    return pairs


def inside(flow: Tensor) -> Tensor:
    """(B, 1, H, W): 1 where p + flow(p) is inside the image, else 0."""
    height, width = flow.shape[-2:]
    x = torch.arange(width, device=flow.device) + flow[:, :1]
    y = torch.arange(height, device=flow.device).view(-1, 1) + flow[:, 1:]
    return ((x >= 0) & (x <= width - 1) & (y >= 0) & (y <= height - 1)).float()


def temporal_loss(first: Tensor, second: Tensor, flow: Tensor, weight: Tensor) -> Tensor:
    """E_p[α_s·‖y₂(p) − y₁(p + f(p))‖²] over all p whose origin is inside the image.

    first, second: the student's results of both frames, images (B, C, H, W), with the same noise,
    timestep and prompt, as in a filter. This is the warp error of `bench coherence` (Lai et al.,
    2018) as a loss. weight: (B, 1, 1, 1), α_s.
    """
    visible = inside(flow)
    error = weight * (second - warped(first, flow)).square() * visible
    return error.sum() / (visible.sum() * first.shape[1]).clamp_min(1)


def random_window(
    generator: torch.Generator, shape: tuple[int, int], most: int
) -> tuple[slice, slice]:
    """Rows and columns of a random window of at most `most` latents per side.

    Decoding with gradients takes the most memory of a step, so only a window is decoded.
    """
    slices = []
    for side in shape:
        size = min(side, most)
        start = math.floor(float(torch.rand((), generator=generator)) * (side - size + 1))
        slices.append(slice(start, start + size))
    return slices[0], slices[1]
