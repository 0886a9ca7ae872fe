"""`Stream`: the state that a filter keeps between frames."""

import math
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from threading import Lock
from typing import Any, TypeAlias

import av
import numpy as np
import torch
from numpy.typing import NDArray

from .acceleration.parallel_conversion import ParallelConversion
from .adapters.control_images import ControlImages
from .beside import Beside
from .coherence.change import Change, InputView
from .coherence.cross_frame import CrossFrameMemory, install_cross_frame_attention
from .coherence.noise import AdvectedNoise
from .coherence.reprojection import Reprojection
from .coherence.steady_luma import SteadyLuma
from .coherence.temporal_blend import BeginBlend, Coherence, steady_luma
from .coherence.transition import PromptTransition
from .coherence.unchanged import UnchangedDetector
from .frames.detail import DetailReader, FrameDetail, LumaReader
from .frames.geometry import Geometry
from .model import TurboModel
from .networks import Run
from .region.composition import Composer
from .region.masks import MaskFunction
from .region.tracking import RegionTracker
from .settings import FilterSettings, WeightedPrompt
from .surface.layer import Plan, SurfaceLayer
from .surface.planes import Plane
from .surface.seen import Seen
from .surface.shift import TextureShift, TextureStep

Array: TypeAlias = NDArray[np.uint8]
OnStage: TypeAlias = Callable[[str], None]

NOMINAL_RATE = 30  # frames per second, assumed for arrays, which have no time
_SETTLED_FOLDS = 3.0  # e-folds after which a blended result is within 5 % of a new prompt
_NOT_THE_STYLE = {
    "transition", "mix", "detail", "texture", "fit", "side", "size", "shape", "enabled", "region",
    "feather", "outside",
}  # fmt: skip


class Stream:
    """The state of one stream. Use it under its `lock`.

    model: shared with other streams. control: the input of the ControlNet. image_embeds: the image
    prompt. mask: a mask of the user's own, for `region`. must_reset: if True, the next frame starts
    anew. reused: how many frames were unchanged. finishing: the last frame, if it is finished
    beside the next one.
    """

    def __init__(
        self,
        model: TurboModel,
        on_stage: OnStage | None = None,
        control: ControlImages | None = None,
        mask: MaskFunction | None = None,
    ) -> None:
        self.model = model
        self.control = control or ControlImages()
        self.image_embeds: torch.Tensor | None = None
        self.lock = Lock()
        self.must_reset = False
        self.reused = 0
        self._on_stage = on_stage
        self.convert, self.convert_back = ParallelConversion(), ParallelConversion()
        self.noise = AdvectedNoise()
        self.coherence = Coherence(_blend_of(model), _begin_blend_of(model))
        self.reprojection = Reprojection(_reprojector_of(model))
        self.unchanged = UnchangedDetector()
        self.region = RegionTracker(lambda: model.person_finder, mask)
        self.composer = Composer()
        self.transition = PromptTransition()
        self.cross_frame_memory = CrossFrameMemory()
        self._details = _Details()
        self._last_detail: Beside[FrameDetail] | None = None
        self._surface = SurfaceLayer(model.vocabulary, model.surfaces)
        self.finishing: Beside[Any] | None = None
        self._last_rgb: torch.Tensor | None = None
        self._frames = self._frames_to_settle = 0
        self._settings: FilterSettings | None = None
        self._shifts: dict[int, TextureShift] = {}

    def reset(self) -> None:
        """Forget the past."""
        self.noise.reset()
        self.coherence.reset()
        self.unchanged.reset()
        self.transition.reset()
        self.cross_frame_memory.reset()
        self.reprojection.reset()
        self._forget_detail()
        self._surface.reset()
        self.region.reset()
        self.must_reset = False
        self._last_rgb, self._frames, self._frames_to_settle = None, 0, 0

    @property
    def is_observed(self) -> bool:
        """True if its stages are measured."""
        return self._on_stage is not None

    def settle(self) -> None:
        """Wait for a frame that is still being finished beside its successor."""
        if self.finishing is not None:
            self.finishing.wait()
            self.finishing = None

    def begin(self, settings: FilterSettings, image_embeds: torch.Tensor | None) -> None:
        """Prepare for frames with these settings and this image prompt.

        A new style is shown at once: it is not blended with earlier results, which have another.
        """
        self.settle()
        if self.must_reset or passes_through(settings):
            self.reset()
        last_settings, self._settings = self._settings, settings
        last_embeds, self.image_embeds = self.image_embeds, image_embeds
        new_image = last_embeds is not image_embeds
        if last_settings is None or (last_settings == settings and not new_image):
            return
        if new_image or not _same_style(last_settings, settings):
            self.coherence.forget_results()
            self.cross_frame_memory.renew_anchor()
        if last_settings.region != settings.region:
            self.region.reset()
        self.unchanged.invalidate()

    def prompts(
        self, frame: Array | av.VideoFrame, settings: FilterSettings
    ) -> tuple[WeightedPrompt, ...]:
        """The prompts of this frame, a mixture during a transition.

        No frame counts as unchanged until the blended result has followed the transition; a still
        image would otherwise stop short of the new style.
        """
        self._frames += 1
        time_s = self._frames / NOMINAL_RATE
        if isinstance(frame, av.VideoFrame) and frame.pts is not None and frame.time_base:
            time_s = float(frame.pts * frame.time_base)
        prompts = self.transition(settings.weighted_prompts, settings.transition, time_s)
        if self.transition.in_progress:
            self._frames_to_settle = math.ceil(_SETTLED_FOLDS / (1.0 - settings.weight_after))
        if self._frames_to_settle > 0:
            self._frames_to_settle -= 1
            self.unchanged.invalidate()
        return prompts

    def detail_of(
        self, frame: Array | av.VideoFrame, geometry: Geometry, settings: FilterSettings
    ) -> Beside[FrameDetail] | None:
        """The detail of the frame, found on another thread, in its luma with less noise.

        `None` if none is needed. The frame is read until there is a result.
        """
        if settings.detail == 0.0 or not geometry.is_enlarged:
            self._forget_detail()
            return None
        self._last_detail = Beside(self._details.read, frame, geometry, self._last_detail)
        return self._last_detail

    def _forget_detail(self) -> None:
        self._details, self._last_detail = _Details(), None

    def input_view(self, luma: torch.Tensor) -> InputView:
        """The view of an input of this luma, (1, 1, H, W) in 0…255."""
        estimator = self.model.accelerated.coherence.estimate_motion
        return InputView(luma, self.model.device, estimator)

    def blend_before(
        self, view: InputView, latents: torch.Tensor, settings: FilterSettings
    ) -> tuple[torch.Tensor, Change | None]:
        """`Coherence.before`; if no setting needs the past, nothing is remembered."""
        encode = self._encode if settings.feedback > 0 else None
        seen = view if _needs_past(settings) else None
        return self.coherence.before(seen, latents, settings, encode)

    def begin_motion(self, view: InputView, settings: FilterSettings) -> None:
        """On a CPU, begin with the motion of a frame while it is encoded; see `Coherence.begin`."""
        if self.model.device.type == "cpu" and _needs_past(settings):
            self.coherence.begin(view, settings)

    def begin_next_motion(
        self, view: Callable[[], InputView | None], settings: FilterSettings
    ) -> None:
        """The same for the frame after the present one; see `Coherence.begin_next`."""
        if _needs_past(settings):
            self.coherence.begin_next(view, settings)

    def _encode(self, image: torch.Tensor) -> torch.Tensor:
        return self.model.encode(image.to(self.model.vae_dtype))

    def cross_frame(self, settings: FilterSettings) -> AbstractContextManager[None]:
        """Within this context the UNet's self-attention reads earlier frames, if it is set."""
        if settings.cross_frame == "off":
            self.cross_frame_memory.reset()
            return nullcontext()
        with self.model.lock:
            install_cross_frame_attention(self.model.unet, settings.cross_frame)
        self.cross_frame_memory.layers = settings.cross_frame
        return self.cross_frame_memory.active()

    def noise_for(
        self, settings: FilterSettings, latents: torch.Tensor, draws: int, change: Change | None
    ) -> tuple[torch.Tensor, ...]:
        """The noise of this frame, one tensor (1, C, h, w) for each draw."""
        shape, flow, cut = tuple(latents.shape[1:]), None, None
        if settings.noise == "fixed" or change is None:
            self.noise.reset()
        else:
            flow = change.motion.at(*shape[-2:])
            cut = None if change.same_scene is None else change.same_scene == 0
        return self.noise(settings.seed, shape, draws, latents.device, flow=flow, cut=cut)

    def plan_surface(
        self,
        rgb: torch.Tensor,
        view: InputView,
        change: Change | None,
        prompts: tuple[WeightedPrompt, ...],
        settings: FilterSettings,
        pts: int | None = None,
    ) -> Plan | None:
        """What surface the result of this frame, RGB uint8 (H, W, 3), gets. pts: its time.

        On a CPU what it needs of the frame is computed from here on, beside the networks. Elsewhere
        call it when the networks have run: it waits for the device.
        """

        def seen() -> Seen:
            if change is None:
                return Seen(rgb.numpy(), _plane(view.luma))
            luma = steady_luma(view, change, settings.weight_after)
            flow = change.motion.flow[0].cpu().numpy()
            return Seen(rgb.numpy(), _plane(luma), flow, change.is_cut)

        for begin in sorted(each for each in self._shifts if pts is not None and each <= pts):
            self._surface.place(self._shifts.pop(begin))
        ahead = self.model.device.type == "cpu"
        shape = rgb.shape[0], rgb.shape[1]
        return self._surface.plan(
            seen, shape, prompts, settings.strength, settings.texture, ahead=ahead
        )

    def has_textures(self, settings: FilterSettings) -> bool:
        """See `FrameFilter.has_textures`."""
        prompts, surface = settings.weighted_prompts, self._surface
        return bool(surface.grown_shares(prompts, settings.strength, settings.texture))

    @property
    def texture_step(self) -> TextureStep:
        """See `SurfaceLayer.step`."""
        return self._surface.step

    @property
    def texture_shift(self) -> TextureShift | None:
        """See `SurfaceLayer.shift`."""
        return self._surface.shift

    def place_textures(self, shift: TextureShift, begin: int) -> None:
        """See `FrameFilter.place_textures`."""
        self._shifts[begin] = shift

    def forget_places(self) -> None:
        """Forget the shifts that wait for their frames."""
        self._shifts.clear()

    def with_surface(self, rgb: torch.Tensor, plan: Plan | None) -> torch.Tensor:
        """The result, RGB uint8 (H, W, 3), with the surface of its looks."""
        return self._surface.lay(rgb, plan)

    def remember(
        self, geometry: Geometry, rgb: torch.Tensor, styled: torch.Tensor, view: InputView
    ) -> None:
        """Remember the result of a frame. Both are RGB uint8 (H, W, 3)."""
        self._last_rgb = styled
        self.reprojection.remember(geometry, rgb, styled, view)

    def reuse(self) -> torch.Tensor:
        """The last result, for an unchanged frame."""
        if self._last_rgb is None:
            raise RuntimeError("a frame repeats one that was never filtered; call reset")
        return self._last_rgb

    def stage_ended(self, stage: str) -> None:
        """Report that a stage has ended, or on a GPU, that it has been queued."""
        if self._on_stage is not None:
            self._on_stage(stage)


class _Details:
    """The detail of the frames of one stream, in order."""

    def __init__(self) -> None:
        self._read_luma, self._steady_luma = LumaReader(), SteadyLuma()
        self._read_detail = DetailReader()

    def read(
        self,
        frame: Array | av.VideoFrame,
        geometry: Geometry,
        before: Beside[FrameDetail] | None,
    ) -> FrameDetail:
        """The detail of a frame, after that of the frame before."""
        if before is not None:
            before.wait()
        luma = self._steady_luma(self._read_luma(frame))
        return self._read_detail(luma, geometry.scaled_width, geometry.scaled_height)


def _plane(luma: torch.Tensor) -> Plane:
    """A luma (1, 1, H, W) of 0…255 as (H, W) of 0…1."""
    return (luma[0, 0] * (1 / 255)).cpu().numpy()


def _blend_of(model: TurboModel) -> Run:
    """`TemporalBlend` by the backend that the model uses at the time of the call."""

    def blend(*inputs: torch.Tensor) -> torch.Tensor:
        return model.accelerated.coherence.blend(*inputs)

    return blend


def _begin_blend_of(model: TurboModel) -> BeginBlend:
    """The same for what can be done ahead."""

    def begin(past: torch.Tensor, flow: torch.Tensor) -> None:
        model.accelerated.coherence.begin_blend(past, flow)

    return begin


def _reprojector_of(model: TurboModel) -> Run:
    """`Reprojector` by the backend that the model uses at the time of the call."""

    def reproject(*inputs: torch.Tensor) -> torch.Tensor | None:
        return model.accelerated.coherence.reproject(*inputs)

    return reproject


def passes_through(settings: FilterSettings) -> bool:
    """True if frames pass through unchanged."""
    is_as_given = settings.region == "all" or settings.outside == "original"
    has_no_effect = settings.strength == 0.0 or settings.mix == 0.0
    return not settings.enabled or (has_no_effect and is_as_given)


def _needs_past(settings: FilterSettings) -> bool:
    """True if a setting needs the frame before."""
    blends = settings.weight_before > 0 or settings.weight_after > 0
    return blends or settings.feedback > 0 or settings.noise == "advected"


def _same_style(last: FilterSettings, settings: FilterSettings) -> bool:
    """True if the style stays the same or, by a transition, changes gradually."""
    ignored = _NOT_THE_STYLE | ({"prompt"} if settings.transition > 0 else set())
    return last.model_dump(exclude=ignored) == settings.model_dump(exclude=ignored)
