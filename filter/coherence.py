"""The memory between frames: the blending of clean latents over time (the noise is in `noise`).

Everything here is a recursion on latents alone, before the noise is added and after it is removed.
The network knows no history, so that many frames can go through it at once.
"""

import math

import torch
from torch.nn import functional as F

from .settings import FilterSettings

# RMS difference of unit-variance latents at which the past counts 1/e, at sensitivity 0.5.
_MOTION_AT_HALF = 0.3
_CUT_CELLS = 8  # a picture's structure is compared on a grid of 8×8 cells
_CUT_FLOOR = 0.02  # variance below which a picture counts as flat, so that sensor noise is no cut


class Coherence:
    """The memory of one stream: what the network saw and said last.

    `before` and `after` take one frame each, (1, C, h, w) float32; all the `before`s of a batch may
    come before its `after`s. The memory starts anew after `reset`, on a scene cut, and when the
    shape of the latents changes; the first frame then is exactly that of a fresh stream.
    """

    def __init__(self) -> None:
        self._input: torch.Tensor | None = None
        self._shown: torch.Tensor | None = None
        self._said: torch.Tensor | None = None

    def reset(self) -> None:
        """Forget the past."""
        self._input = self._shown = self._said = None

    def before(
        self, latents: torch.Tensor, settings: FilterSettings
    ) -> tuple[torch.Tensor, torch.Tensor | None]:
        """Blend what the network is to see with what it saw last.

        Also gives the share 0…1 that the past keeps at every latent pixel, (1, 1, h, w), for
        `after`; none where there is no past.
        """
        if self._shown is not None and self._shown.shape != latents.shape:
            self.reset()
        kept = self._kept(latents, settings)
        blended = _blend(latents, self._shown, kept, settings.blend_before)
        self._input, self._shown = latents, blended.nan_to_num()
        return blended, kept

    def after(
        self, denoised: torch.Tensor, kept: torch.Tensor | None, settings: FilterSettings
    ) -> torch.Tensor:
        """Blend what the network said with what it said last."""
        blended = _blend(denoised, self._said, kept, settings.blend_after)
        self._said = blended.nan_to_num()
        return blended

    def _kept(self, latents: torch.Tensor, settings: FilterSettings) -> torch.Tensor | None:
        if self._input is None or self._shown is None:
            return None
        if settings.blend_before == 0.0 and settings.blend_after == 0.0:
            return None
        kept = stillness(latents, self._shown, settings.motion_sensitivity)
        same_scene = scene_change(latents, self._input) <= _cut_threshold(settings)
        return kept * same_scene


def stillness(latents: torch.Tensor, past: torch.Tensor, motion_sensitivity: float) -> torch.Tensor:
    """How still each latent pixel is, (B, 1, h, w): 1 where nothing changed, near 0 where much did.

    exp(-(d/τ)²) of the RMS difference d over the channels, the largest of 3×3 neighbours, so that
    the rim of what moves counts as moving. τ goes from ∞ (sensitivity 0) to 0 (sensitivity 1).
    """
    if motion_sensitivity >= 1.0:
        return torch.zeros_like(latents[:, :1])
    squared = (latents - past).square().mean(dim=1, keepdim=True)
    squared = F.max_pool2d(squared, kernel_size=3, stride=1, padding=1)
    tau = _MOTION_AT_HALF * (1.0 - motion_sensitivity) / max(motion_sensitivity, 1e-9)
    return torch.exp(-squared / tau**2)


def scene_change(latents: torch.Tensor, past: torch.Tensor) -> torch.Tensor:
    """How much the structure of the whole picture changed, (B, 1, 1, 1): 0 not, near 1 it is new.

    The share of the variance of both that their difference has, on a coarse grid and without each
    channel's mean: a change of exposure moves it little, and so does motion within a cell.
    """
    now, then = _structure(latents), _structure(past)
    difference = (now - then).square().mean(dim=(1, 2, 3), keepdim=True)
    variance = (now.square() + then.square()).mean(dim=(1, 2, 3), keepdim=True)
    return difference / (variance + _CUT_FLOOR)


def _structure(latents: torch.Tensor) -> torch.Tensor:
    cells = F.adaptive_avg_pool2d(latents, _CUT_CELLS)
    return cells - cells.mean(dim=(2, 3), keepdim=True)


def _cut_threshold(settings: FilterSettings) -> float:
    """0.35 at sensitivity 0.5: clips stay below 0.15 within a scene, most cuts go above 0.5.

    Never reached at 0; at 1 it is 0.02.
    """
    sensitivity = settings.scene_cut_sensitivity
    return math.inf if sensitivity == 0.0 else max((1.0 - sensitivity) ** 1.5, 0.02)


def _blend(
    now: torch.Tensor, past: torch.Tensor | None, kept: torch.Tensor | None, weight: float
) -> torch.Tensor:
    """now + weight · kept · (past - now); `now` itself where the weight is 0 or no past is."""
    if past is None or kept is None or weight == 0.0:
        return now
    return torch.lerp(now, past, kept * weight)
