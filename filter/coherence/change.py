"""How one input picture differs from the one before: what moved, and what the past may keep."""

from dataclasses import dataclass
from functools import cached_property, lru_cache

import torch
from torch import nn
from torch.nn import functional as F

from turbolens.filter.frames.luma import halved, resized
from turbolens.filter.networks import Run

from .motion import Motion, MotionFeatures
from .warping import warped_sharply

# Difference of the input's luma (0…255), along its motion, at which the past counts 1/e, at
# sensitivity 0.5.
_RESIDUAL_AT_HALF = 15.0
_MOVED = 0.25  # pixels of motion at which latents are not blended: they cannot be shifted by parts


class InputView:
    """What coherence needs of one input picture: its luma, and what motion is told by.

    luma: (1, 1, H, W), 0…255. All that follows lies on `device`. seeing: a faster way to run
    `Seeing`, which gives none where it is not.
    """

    def __init__(self, luma: torch.Tensor, device: torch.device, seeing: Run | None = None) -> None:
        self.luma, self._seeing = luma.to(device), seeing

    @cached_property
    def features(self) -> MotionFeatures:
        """What there is to match, made when motion is first asked for."""
        return MotionFeatures(halved(self.luma))

    def change_from(
        self, past: "InputView", motion_sensitivity: float, held: torch.Tensor | None = None
    ) -> "Change":
        """What the past, a view of the same size, may keep here.

        held: the luma that is compared with, of the past's own time; the past's own if there is
        none. Where results are held over many frames, it is the luma that was held as they were.
        """
        held = past.luma if held is None else held
        tau = residual_tolerance(motion_sensitivity)
        seen = None
        if self._seeing is not None and tau > 0.0:
            seen = self._seeing(self.luma, past.luma, held, number(tau, self.luma.device))
        if seen is not None:
            flow, agreement, mismatch, kept, there = seen
            return Change(Motion(flow, agreement, mismatch), kept.nan_to_num(), there)
        motion = self.features.motion_from(past.features)
        change = _change(motion, self.luma, held, tau)
        return Change(motion, change.kept.nan_to_num(), change.there)


@dataclass(frozen=True)
class Change:
    """How one frame differs from the one before.

    motion: what moved where. kept: (1, 1, H, W), the share 0…1 that the past may keep at every
    pixel: 0 where something was uncovered, looks otherwise, or all is new.
    there: (1, 1, H, W), the luma of the past, moved to now. same_scene: (1, 1, 1, 1), 1, or 0 after
    a cut.
    """

    motion: Motion
    kept: torch.Tensor
    there: torch.Tensor
    same_scene: torch.Tensor | None = None

    def within(self, same_scene: torch.Tensor) -> "Change":
        """The same, with nothing kept where the scene is another."""
        return Change(self.motion, self.kept * same_scene, self.there, same_scene)

    @property
    def is_cut(self) -> bool:
        """Whether a new scene begins. Waits for the device."""
        return self.same_scene is not None and not bool(self.same_scene)

    def kept_at_rest(self, height: int, width: int) -> torch.Tensor:
        """What the past keeps where nothing moves, on the grid of the latents."""
        at_rest = torch.exp(-(self.motion.length() / _MOVED).square())
        at_rest = F.interpolate(at_rest, size=(height, width), mode="area")
        return at_rest * F.interpolate(self.kept, size=(height, width), mode="area")


def motion_between(luma: torch.Tensor, past: torch.Tensor) -> Motion:
    """How a picture came from the one before, of lumas (1, 1, H, W) alone."""
    return MotionFeatures(halved(luma)).motion_from(MotionFeatures(halved(past)))


class Seeing(nn.Module):
    """How a picture came from the one before, as a function of tensors alone.

    luma, past, held: (1, 1, H, W), as `InputView.change_from` takes them; tau: a number, above 0.
    Gives flow, agreement, mismatch, kept and there, as `Motion` and `Change` have them.
    """

    is_of_one_shape = True
    least_ranges = (8.0, 1.0, 1.0, 1.0, 255.0)

    def forward(
        self, luma: torch.Tensor, past: torch.Tensor, held: torch.Tensor, tau: torch.Tensor
    ) -> tuple[torch.Tensor, ...]:
        motion = motion_between(luma, past)
        change = _change(motion, luma, held, tau)
        return motion.flow, motion.agreement, motion.mismatch, change.kept, change.there


def _change(
    motion: Motion, luma: torch.Tensor, held: torch.Tensor, tau: float | torch.Tensor
) -> Change:
    there = moved_along(held, motion)
    return Change(motion, kept_share(motion, luma, there, tau), there)


def kept_share(
    motion: Motion, luma: torch.Tensor, there: torch.Tensor, tau: float | torch.Tensor
) -> torch.Tensor:
    """`Change.kept`: where the ways agree, and the luma along the motion is alike.

    there: the past's luma, moved to now. tau: the `residual_tolerance`. Likeness is exp(−(r/τ)²) of
    the difference r, pixel by pixel: where a window is judged, the edges of what moves are blurred.
    At τ = 0 nothing is alike.
    """
    kept = resized(motion.agreement, *luma.shape[-2:])
    if isinstance(tau, float) and tau == 0.0:
        return torch.zeros_like(kept)
    return kept * torch.exp(-((luma - there) / tau).square())


@lru_cache(maxsize=64)
def number(value: float, device: torch.device) -> torch.Tensor:
    """The number on the device, (): copied there only once."""
    return torch.tensor(value, device=device)


def moved_along(image: torch.Tensor, motion: Motion) -> torch.Tensor:
    """The image (1, C, H, W) of the frame before, moved to now.

    Sharply: after a few plain bilinear warps a third of the detail is gone.
    """
    return warped_sharply(image, motion.at(*image.shape[-2:]))


def residual_tolerance(motion_sensitivity: float) -> float:
    """The difference of luma (0…255) along the motion at which the past counts 1/e; may be ∞."""
    return tolerance(_RESIDUAL_AT_HALF, motion_sensitivity)


def tolerance(at_half: float, motion_sensitivity: float) -> float:
    """The difference τ at which the past counts 1/e: ∞ at sensitivity 0, 0 at sensitivity 1."""
    return at_half * (1.0 - motion_sensitivity) / max(motion_sensitivity, 1e-9)
