"""Detects scene cuts by the structure of latents and the mismatch of motion."""

import math

import torch
from torch.nn import functional as F

from .motion import Motion

_GRID = 8  # structure is compared on a grid of 8×8 cells
_VARIANCE_FLOOR = 0.02  # below it an image counts as flat, so that sensor noise is no cut


def same_scene(
    motion: Motion, latents: torch.Tensor, past: torch.Tensor, scene_cut_sensitivity: float
) -> torch.Tensor:
    """(1, 1, 1, 1): 1, or 0 after a scene cut between the latents `past` and `latents`.

    The score is the geometric mean of `scene_change` and `Motion.mismatch`: after a cut the image
    neither looks similar nor can be found elsewhere.
    """
    score = (scene_change(latents, past) * motion.mismatch).sqrt()
    return (score <= _threshold(scene_cut_sensitivity)).float()


def scene_change(latents: torch.Tensor, past: torch.Tensor) -> torch.Tensor:
    """How much the structure of the whole image changed, (B, 1, 1, 1): 0 none, near 1 all of it.

    The variance of the difference as a share of the variance of both, on a coarse grid, without
    each channel's mean. Changes of exposure and motion within a cell count little.
    """
    now, then = _structure(latents), _structure(past)
    difference = (now - then).square().mean(dim=(1, 2, 3), keepdim=True)
    variance = (now.square() + then.square()).mean(dim=(1, 2, 3), keepdim=True)
    return difference / (variance + _VARIANCE_FLOOR)


def _structure(latents: torch.Tensor) -> torch.Tensor:
    cells = F.adaptive_avg_pool2d(latents, _GRID)
    return cells - cells.mean(dim=(2, 3), keepdim=True)


def _threshold(sensitivity: float) -> float:
    """∞ at sensitivity 0, 0.25 at 0.5, 0.02 at 1.

    Within a scene scores stay below 0.22, flashes and pans included.
    """
    return math.inf if sensitivity == 0.0 else max((1.0 - sensitivity) / 2, 0.02)
