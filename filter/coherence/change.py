"""How one input frame differs from the one before: motion, and how far the past is still valid."""

from dataclasses import dataclass
from functools import cached_property, lru_cache

import torch
from torch import nn

from turbolens.filter.frames.luma import halved, reduced, resized
from turbolens.filter.networks import Run

from .motion import Motion, MotionFeatures
from .warping import warped_sharply

# Difference of luma (0…255) along the motion at which the past weighs 1/e, at sensitivity 0.5.
_RESIDUAL_AT_HALF = 15.0
_UNRELATED = 0.3  # mismatch; within a scene it is at most 0.15, after a cut at least 0.4
_MOVING_PX = 0.25  # motion above which latents are not blended: they cannot shift by part of a cell


class InputView:
    """What coherence needs of one input frame: its luma and motion features.

    luma: (1, 1, H, W), 0…255, moved to `device`. estimator: a faster way to run `MotionEstimator`,
    which returns `None` if there is none.
    """

    def __init__(
        self, luma: torch.Tensor, device: torch.device, estimator: Run | None = None
    ) -> None:
        self.luma, self._estimator = luma.to(device), estimator

    @cached_property
    def features(self) -> MotionFeatures:
        """Computed when motion is first estimated."""
        return MotionFeatures(halved(self.luma))

    def change_from(
        self,
        past: "InputView",
        motion_sensitivity: float,
        reference_luma: torch.Tensor | None = None,
    ) -> "Change":
        """How this frame differs from `past`, a view of the same size.

        reference_luma: the luma to compare with, at the time of `past`; by default that of `past`.
        If results are blended over many frames, pass a luma that was blended in the same way.
        """
        reference = past.luma if reference_luma is None else reference_luma
        tau = residual_tolerance(motion_sensitivity)
        if self._estimator is not None and tau > 0.0:
            result = self._estimator(
                self.luma, past.luma, reference, device_scalar(tau, self.luma.device)
            )
            if result is not None:
                flow, agreement, mismatch, past_weight, warped_luma = result
                motion = Motion(flow, agreement, mismatch)
                return Change(motion, past_weight.nan_to_num_(), warped_luma)
        motion = self.features.motion_from(past.features)
        change = _change(motion, self.luma, reference, tau)
        return Change(motion, change.past_weight.nan_to_num_(), change.warped_luma)


@dataclass(frozen=True)
class Change:
    """How one frame differs from the one before.

    motion: from the frame before to this one. past_weight: (1, 1, H, W), 0…1, how far each pixel
    of the past is still valid: 0 if it was occluded, looks different, or belongs to another scene.
    warped_luma: (1, 1, H, W), the luma of the past, warped to this frame. same_scene:
    (1, 1, 1, 1), 0 after a scene cut, else 1.
    """

    motion: Motion
    past_weight: torch.Tensor
    warped_luma: torch.Tensor
    same_scene: torch.Tensor | None = None

    def within_scene(self, same_scene: torch.Tensor) -> "Change":
        """The same change with a `past_weight` of 0 after a scene cut."""
        weight = self.past_weight
        if same_scene.device.type != "cpu" or not bool(same_scene):  # elsewhere reading it waits
            weight = weight * same_scene
        return Change(self.motion, weight, self.warped_luma, same_scene)

    @property
    def is_cut(self) -> bool:
        """True after a scene cut. Waits for the device."""
        return self.same_scene is not None and not bool(self.same_scene)

    def static_past_weight(self, height: int, width: int) -> torch.Tensor:
        """`past_weight` on the grid of latents, (1, 1, height, width), 0 where something moves."""
        static = torch.exp(self.motion.squared_length() / -(_MOVING_PX**2))
        return reduced(static, height, width) * reduced(self.past_weight, height, width)


def motion_between(luma: torch.Tensor, past: torch.Tensor) -> Motion:
    """The motion from the luma `past` to `luma`, both (1, 1, H, W)."""
    return MotionFeatures(halved(luma)).motion_from(MotionFeatures(halved(past)))


class MotionEstimator(nn.Module):
    """Motion and validity of the past as a module whose inputs and results are tensors.

    luma, past, reference: (1, 1, H, W), as for `InputView.change_from`. tau: the residual
    tolerance, a number above 0. Returns flow, agreement, mismatch (see `Motion`), past_weight and
    warped_luma (see `Change`).
    """

    is_shape_specific = True
    typical_ranges = (8.0, 1.0, 1.0, 1.0, 255.0)

    @staticmethod
    def is_comparable(*results: torch.Tensor) -> bool:
        """False between unrelated frames, as after a scene cut.

        Nothing matches there, so many moves match equally badly and rounding decides between them.
        """
        mismatch = results[2]
        return mismatch.item() < _UNRELATED

    def forward(
        self, luma: torch.Tensor, past: torch.Tensor, reference: torch.Tensor, tau: torch.Tensor
    ) -> tuple[torch.Tensor, ...]:
        motion = motion_between(luma, past)
        change = _change(motion, luma, reference, tau)
        return *motion.tensors, change.past_weight, change.warped_luma


def _change(
    motion: Motion, luma: torch.Tensor, reference: torch.Tensor, tau: float | torch.Tensor
) -> Change:
    warped_luma = warped_along(reference, motion)
    return Change(motion, past_weight(motion, luma, warped_luma, tau), warped_luma)


def past_weight(
    motion: Motion, luma: torch.Tensor, warped_luma: torch.Tensor, tau: float | torch.Tensor
) -> torch.Tensor:
    """`Change.past_weight` (1, 1, H, W): agreement of the motion times similarity of the luma.

    tau: the `residual_tolerance`. Similarity is exp(−(r/τ)²) of the difference r of each pixel;
    over a window, the edges of moving objects would be blurred. At τ = 0 nothing is similar.
    """
    agreement = resized(motion.agreement, *luma.shape[-2:])
    if isinstance(tau, float) and tau == 0.0:
        return torch.zeros_like(agreement)
    return agreement * torch.exp(-((luma - warped_luma) / tau).square())


@lru_cache(maxsize=64)
def device_scalar(value: float, device: torch.device) -> torch.Tensor:
    """The number as a tensor () on the device, copied there only once."""
    return torch.tensor(value, device=device)


def warped_along(image: torch.Tensor, motion: Motion) -> torch.Tensor:
    """The image (1, C, H, W) of the frame before, warped to the present one.

    Sharpened, because a few plain bilinear warps lose a third of the detail.
    """
    return warped_sharply(image, motion.at(*image.shape[-2:]))


def residual_tolerance(motion_sensitivity: float) -> float:
    """The difference of luma (0…255) along the motion at which the past weighs 1/e; may be ∞."""
    return tolerance(_RESIDUAL_AT_HALF, motion_sensitivity)


def tolerance(at_half: float, motion_sensitivity: float) -> float:
    """The difference τ at which the past weighs 1/e: ∞ at sensitivity 0, 0 at sensitivity 1."""
    return at_half * (1.0 - motion_sensitivity) / max(motion_sensitivity, 1e-9)
