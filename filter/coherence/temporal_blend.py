"""The only state between frames: what the network saw, what it said, and how the world moved.

Clean latents are blended before the noise is added, where the world stands still; decoded images
are blended after, along the motion of the input. Both are recursions on inputs and results alone:
the network knows no history, so that many frames can go through it at once.
"""

import math
from collections.abc import Callable

import torch
from torch import nn
from torch.nn import functional as F

from turbolens.filter.networks import Run
from turbolens.filter.settings import FilterSettings

from .change import Change, InputView, moved_along, number, tolerance
from .motion import SCALE, Motion
from .warping import resized_flow, warped_sharply

# RMS difference of unit-variance latents at which the past counts 1/e, at sensitivity 0.5.
_CHANGE_AT_HALF = 0.3
# Difference of results, in levels along the motion, at which it does.
_APART_AT_HALF = 40.0  # above any flicker, below what leaves a ghost
_CUT_CELLS = 8  # a picture's structure is compared on a grid of 8×8 cells
_CUT_FLOOR = 0.02  # variance below which a picture counts as flat, so that sensor noise is no cut


class Holding(nn.Module):
    """A result with the last one blended in along the motion, as a function of tensors alone.

    image, past: (1, 3, H, W), image contiguous float32; flow, kept: as `Motion` and `Change` have
    them; weight, tau: numbers.
    """

    is_of_one_shape = True
    least_ranges = (2.0,)

    def forward(
        self,
        image: torch.Tensor,
        past: torch.Tensor,
        flow: torch.Tensor,
        kept: torch.Tensor,
        weight: torch.Tensor,
        tau: torch.Tensor,
    ) -> torch.Tensor:
        height, width = image.shape[-2:]
        moved = warped_sharply(past, resized_flow(flow, height, width, SCALE))
        squared = (moved - image).square().sum(dim=1, keepdim=True)
        # A look reaches further than the pixels it is made from: a glow has to go with what it
        # glowed around, though the input beneath it has not changed.
        alike = torch.exp(squared / (-3.0 * tau * tau))
        return torch.lerp(image, moved, weight * kept * alike)


class Coherence:
    """The memory of one stream. holding: a faster way to run `Holding`, if there is one.

    `before` and `after` take one frame each; all the `before`s of a batch may come before its
    `after`s. The memory starts anew after `reset`, on a scene cut, and when the size changes; the
    first frame then is, bit for bit, that of a fresh stream.
    """

    def __init__(self, holding: Run | None = None) -> None:
        self._holding: Run = Holding() if holding is None else holding
        self._view: InputView | None = None
        self._held: torch.Tensor | None = None
        self._input: torch.Tensor | None = None
        self._shown: torch.Tensor | None = None
        self._said: torch.Tensor | None = None

    def reset(self) -> None:
        """Forget the past."""
        self._view = self._held = self._input = self._shown = self._said = None

    def before(
        self,
        view: InputView | None,
        latents: torch.Tensor,
        settings: FilterSettings,
        encode: Callable[[torch.Tensor], torch.Tensor] | None = None,
    ) -> tuple[torch.Tensor, Change | None]:
        """Blend what the network is to see with what it saw last, where the world stood still.

        latents: (1, C, h, w) float32, of the picture of `view`; without a view the past is
        forgotten. encode: image → latents, for `feedback`, which takes the last result for input,
        moved to now. Also tells how this frame differs from the one before, if there is one.
        """
        if view is None or (self._shown is not None and self._shown.shape != latents.shape):
            self.reset()
        change, blended = None, latents
        if view is not None and self._view is not None and self._input is not None:
            change = view.change_from(self._view, settings.motion_sensitivity, self._held)
            change = change.within(_same_scene(change.motion, latents, self._input, settings))
            blended = self._blended(latents, change, settings)
            if encode is not None and self._said is not None:
                blended = _fed_back(blended, self._said, change, settings.feedback, encode)
        self._view, self._input, self._shown = view, latents, blended.nan_to_num()
        self._held = _held(view, change, settings.weight_after)
        return blended, change

    def _blended(
        self, latents: torch.Tensor, change: Change, settings: FilterSettings
    ) -> torch.Tensor:
        if settings.weight_before == 0.0 or self._shown is None:
            return latents
        kept = change.kept_at_rest(*latents.shape[-2:])
        kept = kept * stillness(latents, self._shown, settings.motion_sensitivity)
        return torch.lerp(latents, self._shown, kept * settings.weight_before)

    def after(
        self, image: torch.Tensor, change: Change | None, settings: FilterSettings
    ) -> torch.Tensor:
        """Blend the decoded image (1, 3, H, W) with the last one, moved to where the input is now.

        Not of this frame is what has no history: uncovered places, another scene, another look.
        """
        image, past = image.float().contiguous(), self._said  # 3 times as fast as channels last
        if change is not None and past is not None and settings.weight_after > 0.0:
            tau = tolerance(_APART_AT_HALF / 127.5, settings.motion_sensitivity)
            image = self._holding(
                image, past, change.motion.flow, change.kept,
                number(settings.weight_after, image.device),
                number(max(tau, 1e-6), image.device),
            )  # fmt: skip
        self._said = image.nan_to_num()
        return image

    def forget_results(self) -> None:
        """The next result stands alone: the look has changed, but the world has not."""
        self._said = None


def stillness(latents: torch.Tensor, past: torch.Tensor, motion_sensitivity: float) -> torch.Tensor:
    """How still each latent pixel is, (B, 1, h, w): 1 where nothing changed, near 0 where much did.

    exp(-(d/τ)²) of the RMS difference d over the channels, the largest of 3×3 neighbours, so that
    the rim of what moves counts as moving. τ goes from ∞ (sensitivity 0) to 0 (sensitivity 1).
    """
    if motion_sensitivity >= 1.0:
        return torch.zeros_like(latents[:, :1])
    squared = (latents - past).square().mean(dim=1, keepdim=True)
    squared = F.max_pool2d(squared, kernel_size=3, stride=1, padding=1)
    tau = tolerance(_CHANGE_AT_HALF, motion_sensitivity)
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


def _same_scene(
    motion: Motion, latents: torch.Tensor, past: torch.Tensor, settings: FilterSettings
) -> torch.Tensor:
    score = (scene_change(latents, past) * motion.mismatch).sqrt()
    return (score <= _cut_threshold(settings)).float()


def _cut_threshold(settings: FilterSettings) -> float:
    """0.25 at sensitivity 0.5: within a scene, flashes and pans included, scores stay below 0.22.

    The score is the geometric mean of `scene_change` and `Motion.mismatch`: a cut is what neither
    looks alike nor can be found elsewhere. Never reached at 0; at 1 it is 0.02.
    """
    sensitivity = settings.scene_cut_sensitivity
    return math.inf if sensitivity == 0.0 else max((1.0 - sensitivity) / 2, 0.02)


def _held(view: InputView | None, change: Change | None, weight: float) -> torch.Tensor | None:
    """The input's luma, held over time as results are: what their past stands for.

    Compared with the frame before alone, a fade would never look different, and results would lag
    by twenty frames of it.
    """
    if view is None or change is None:
        return None if view is None else view.luma
    return torch.lerp(view.luma, change.there, weight * change.kept).nan_to_num()


def _fed_back(
    latents: torch.Tensor,
    said: torch.Tensor,
    change: Change,
    weight: float,
    encode: Callable[[torch.Tensor], torch.Tensor],
) -> torch.Tensor:
    """Latents with a share of those of the last result, moved to now as an image.

    Latents themselves cannot be moved by parts of a cell: an image that is shifted by half a cell
    has other latents than the mean of two neighbours.
    """
    past = encode(moved_along(said, change.motion).clamp(-1.0, 1.0))
    kept = F.interpolate(change.kept, size=latents.shape[-2:], mode="area")
    return torch.lerp(latents, past, kept * weight)
