"""Blends each frame with the last one: latents before denoising, decoded images after it.

Latents are blended where nothing moves, before noise is added. Images are blended along the motion
of the input. Both are recursions on inputs and results alone, so that the network needs no history
and can process many frames at once.
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import nn
from torch.nn import functional as F

from turbolens.filter.beside import Beside
from turbolens.filter.networks import Run
from turbolens.filter.settings import FilterSettings

from .change import Change, InputView, device_scalar, tolerance, warped_along
from .motion import SCALE
from .scene_cut import same_scene
from .warping import resized_flow, warped_sharply

# RMS difference of unit-variance latents at which the past weighs 1/e, at sensitivity 0.5.
_LATENTS_AT_HALF = 0.3
# The same for results, in levels (0…255) along the motion.
_RESULTS_AT_HALF = 40.0  # more than any flicker, less than what leaves a ghost

BeginBlend = Callable[[torch.Tensor, torch.Tensor], None]
"""Takes the last result and the flow of the present frame before the result of that is known."""
Encode = Callable[[torch.Tensor], torch.Tensor]
"""Image (1, 3, H, W) in −1…1 → latents (1, C, h, w)."""


class TemporalBlend(nn.Module):
    """Blends a result with the last one, warped along the motion of the input.

    image, past: (1, 3, H, W), `image` contiguous float32. flow: see `Motion`. past_weight: see
    `Change`. weight, tau: numbers.
    """

    is_shape_specific = True
    typical_ranges = (2.0,)

    def forward(
        self,
        image: torch.Tensor,
        past: torch.Tensor,
        flow: torch.Tensor,
        past_weight: torch.Tensor,
        weight: torch.Tensor,
        tau: torch.Tensor,
    ) -> torch.Tensor:
        height, width = image.shape[-2:]
        warped = warped_sharply(past, resized_flow(flow, height, width, SCALE))
        squared = (warped - image).square().sum(dim=1, keepdim=True)
        # A style affects more than the pixels it is made from: a glow must vanish with the object
        # that glowed, although the input beneath the glow has not changed.
        similarity = torch.exp(squared / (-3.0 * tau * tau))
        return torch.lerp(image, warped, weight * past_weight * similarity)


@dataclass(frozen=True)
class _PastInput:
    """The last input.

    reference_luma: its luma, blended over time like results. latents: as encoded. blended: the
    latents that the network got.
    """

    view: InputView
    reference_luma: torch.Tensor
    latents: torch.Tensor
    blended: torch.Tensor


@dataclass(frozen=True)
class _Begun:
    """A change that is computed beside a network, with the view that it is of; `None`: none is."""

    past: _PastInput
    change: Beside[tuple[InputView, Change] | None]


class Coherence:
    """The last input and the last result of one stream, with which frames are blended.

    Call `before` and `after` once for each frame. All `before` of a batch may precede its `after`.
    The state starts anew after `reset`, a scene cut and a change of size; the first frame then is,
    bit for bit, that of a fresh stream. blend: a faster way to run `TemporalBlend`. begin_blend:
    does some of its work ahead.
    """

    def __init__(self, blend: Run | None = None, begin_blend: BeginBlend | None = None) -> None:
        self._blend: Run = TemporalBlend() if blend is None else blend
        self._begin_blend = begin_blend
        self._past: _PastInput | None = None
        self._last_result: torch.Tensor | None = None
        self._begun: _Begun | None = None
        self._due = 0  # results, of frames between `before` and `after`

    def reset(self) -> None:
        """Forget the past."""
        self._past = self._last_result = self._begun = None

    def begin(self, view: InputView, settings: FilterSettings) -> None:
        """Begin to estimate the motion of a frame on another thread, while it is encoded.

        Optional, on a CPU, for the frames of a batch before the first `before`. Of these the first
        frame gains: those after it depend on it.
        """
        self._due = 0
        if self._begun is None or self._begun.past is not self._past:
            self.begin_next(lambda: view, settings)

    def begin_next(self, view: Callable[[], InputView | None], settings: FilterSettings) -> None:
        """Begin to estimate the motion of the next frame, after the `before` of the last one.

        Optional, on a CPU. view: gives the frame, on any thread, or `None` if it is not needed.
        """
        if (past := self._past) is not None:
            self._begun = _Begun(past, Beside(_change_begun, view, past, settings))

    def forget_results(self) -> None:
        """Do not blend the next result: the style has changed, but not the scene."""
        self._last_result = None

    def before(
        self,
        view: InputView | None,
        latents: torch.Tensor,
        settings: FilterSettings,
        encode: Encode | None = None,
    ) -> tuple[torch.Tensor, Change | None]:
        """The latents for the network, blended with the last ones where nothing moves.

        Also returns how this frame differs from the one before, `None` if there is none.

        latents: (1, C, h, w) float32, of the frame of `view`; without a view the past is forgotten.
        encode: for `feedback`, which blends in the last result, warped to the present frame.
        """
        past = self._past
        if view is None or (past is not None and past.latents.shape != latents.shape):
            self.reset()
            past = None
        if view is None:
            return latents, None
        if past is None:
            self._past = _PastInput(view, view.luma, latents, latents.nan_to_num())
            return latents, None
        change = self._change(view, past, settings)
        change = change.within_scene(
            same_scene(change.motion, latents, past.latents, settings.scene_cut_sensitivity)
        )
        self._prepare_blend(change, settings)
        blended = _blended_latents(latents, past.blended, change, settings)
        if encode is not None and self._last_result is not None:
            blended = _with_feedback(blended, self._last_result, change, settings.feedback, encode)
        reference = steady_luma(view, change, settings.weight_after)
        self._past = _PastInput(view, reference, latents, blended.nan_to_num())
        return blended, change

    def _change(self, view: InputView, past: _PastInput, settings: FilterSettings) -> Change:
        begun, self._begun = self._begun, None
        found = begun.change.result() if begun is not None and begun.past is past else None
        if found is not None and found[0] is view:
            return found[1]
        return view.change_from(past.view, settings.motion_sensitivity, past.reference_luma)

    def _prepare_blend(self, change: Change, settings: FilterSettings) -> None:
        """Begin to warp the last result, if the present frame is the one to be blended with it."""
        past, self._due = self._last_result, self._due + 1
        if self._begin_blend is None or self._due > 1 or settings.weight_after == 0.0:
            return
        if past is not None:
            self._begin_blend(past, change.motion.flow)

    def after(
        self, image: torch.Tensor, change: Change | None, settings: FilterSettings
    ) -> torch.Tensor:
        """Blend the decoded image (1, 3, H, W) with the last one, warped to the present frame.

        Uncovered places, another scene and another style are not blended.
        """
        image, past = image.float().contiguous(), self._last_result  # 3 × faster than channels last
        self._due = 0
        if change is not None and past is not None and settings.weight_after > 0.0:
            tau = tolerance(_RESULTS_AT_HALF / 127.5, settings.motion_sensitivity)
            image = self._blend(
                image, past, change.motion.flow, change.past_weight,
                device_scalar(settings.weight_after, image.device),
                device_scalar(max(tau, 1e-6), image.device),
            )  # fmt: skip
        self._last_result = _without_nan(image)
        return image


def _change_begun(
    view: Callable[[], InputView | None], past: _PastInput, settings: FilterSettings
) -> tuple[InputView, Change] | None:
    now = view()
    if now is None or now.luma.shape != past.view.luma.shape:
        return None
    return now, now.change_from(past.view, settings.motion_sensitivity, past.reference_luma)


def stillness(latents: torch.Tensor, past: torch.Tensor, motion_sensitivity: float) -> torch.Tensor:
    """How little each latent cell changed, (B, 1, h, w): 1 not at all, near 0 much.

    exp(-(d/τ)²) of the RMS difference d over the channels, the largest of 3×3 neighbours, so that
    the edges of moving objects count as moving. τ is ∞ at sensitivity 0 and 0 at sensitivity 1.
    """
    if motion_sensitivity >= 1.0:
        return torch.zeros_like(latents[:, :1])
    squared = (latents - past).square().mean(dim=1, keepdim=True)
    squared = F.max_pool2d(squared, kernel_size=3, stride=1, padding=1)
    tau = tolerance(_LATENTS_AT_HALF, motion_sensitivity)
    return torch.exp(-squared / tau**2)


def _blended_latents(
    latents: torch.Tensor, past: torch.Tensor, change: Change, settings: FilterSettings
) -> torch.Tensor:
    if settings.weight_before == 0.0:
        return latents
    weight = change.static_past_weight(*latents.shape[-2:])
    weight = weight * stillness(latents, past, settings.motion_sensitivity)
    return torch.lerp(latents, past, weight * settings.weight_before)


def steady_luma(view: InputView, change: Change, weight: float) -> torch.Tensor:
    """The input's luma (1, 1, H, W), blended over time in the same way as the results.

    A slow fade hardly differs from the last frame alone, so results would lag behind it by twenty
    frames.
    """
    return torch.lerp(view.luma, change.warped_luma, weight * change.past_weight).nan_to_num_()


def _without_nan(image: torch.Tensor) -> torch.Tensor:
    """The image with finite numbers: itself if that is known without waiting for a device."""
    if image.device.type == "cpu" and bool(image.sum().isfinite()):
        return image
    return image.nan_to_num()


def _with_feedback(
    latents: torch.Tensor, result: torch.Tensor, change: Change, weight: float, encode: Encode
) -> torch.Tensor:
    """Latents blended with those of the last result, which is warped as an image.

    Latents cannot be shifted by part of a cell: an image shifted by half a cell has other latents
    than the mean of two neighbours.
    """
    past = encode(warped_along(result, change.motion).clamp(-1.0, 1.0))
    past_weight = F.interpolate(change.past_weight, size=latents.shape[-2:], mode="area")
    return torch.lerp(latents, past, past_weight * weight)
