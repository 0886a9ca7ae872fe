"""`FrameFilter`: filters the frames of one video stream."""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack
from threading import Lock
from typing import Any, TypeAlias, TypeVar, overload

import av
import numpy as np
import torch
from numpy.typing import NDArray

from .adapters.control_images import Control, ControlImages
from .batching.batch import Request, filter_requests, follow_requests
from .batching.overlap import Turn, may_overlap, overlapped
from .coherence.cross_frame import cross_frame_layers
from .diffusion.prompt_reading import PromptReading
from .diffusion.vocabulary import readings
from .errors import SettingsError
from .frames.conversion import Geometry, frame_size, working_geometry
from .model import TurboModel
from .region.masks import MaskFunction
from .region.tracking import coverage_now
from .settings import FilterSettings
from .stream import OnStage, Stream, passes_through
from .surface.shift import TextureShift, TextureStep

Array: TypeAlias = NDArray[np.uint8]
FrameT = TypeVar("FrameT", av.VideoFrame, NDArray[np.uint8])

STAGES = ("to_image", "encode", "before", "denoise", "decode", "after", "texture", "to_frame")
"""The stages of a frame, in order. "before" and "after" are the two blends of `coherence`."""


class FrameFilter:
    """Filters the frames of one stream. Any number of filters may share a `TurboModel`.

    A frame is an `av.VideoFrame` or an RGB array (H, W, 3) uint8. The result has the same type,
    size and time. The same seed, settings and frames give the same results, bit for bit.

    changes: settings by name, as for `update`. on_stage: called with the name of each of `STAGES`
    when it ends, for measurements. On a GPU the stage is only queued at that time: record an event,
    or synchronize. control: the input of the model's ControlNet: "canny", a `Canny` with other
    thresholds, or a function from a frame to its depth map, pose or other control image.
    image_prompt: RGB (H, W, 3) uint8 for the model's IP-Adapter. mask: for the setting `region`, a
    function from a frame to the mask of its persons, (H, W) of any size in bool, uint8 or floats
    0…1, or a grey frame; by default a network finds them. Where it returns `None` or fails, the
    whole frame is filtered.

    Thread-safe. Raises `SettingsError` for settings and `FrameError` for frames.
    """

    def __init__(
        self,
        model: TurboModel,
        settings: FilterSettings | None = None,
        *,
        on_stage: OnStage | None = None,
        control: Control | None = None,
        image_prompt: Array | None = None,
        mask: MaskFunction | None = None,
        **changes: Any,
    ) -> None:
        _check_kinds(model, settings, mask)
        self._model = model
        self._settings = self._checked((settings or FilterSettings()).replace(**changes))
        control_images = ControlImages(control)
        if control is not None:
            model.adapters.require_controlnet()
        self._stream = Stream(model, on_stage, control_images, mask)
        self._settings_lock = Lock()
        self._image_embeds: torch.Tensor | None = None
        self.show(image_prompt)

    @property
    def model(self) -> TurboModel:
        """The model, which may be shared with other filters."""
        return self._model

    @property
    def settings(self) -> FilterSettings:
        """The settings of the next frame."""
        return self._settings

    @property
    def readings(self) -> tuple[PromptReading, ...]:
        """How the model reads each prompt; none if it takes any prompt."""
        return readings(self._model.vocabulary, self._settings.weighted_prompts)

    @property
    def reused(self) -> int:
        """How many frames were unchanged so far, so that the last result was used again."""
        return self._stream.reused

    @property
    def settling(self) -> bool:
        """True while acceleration is being prepared: the filter may become faster."""
        return self._model.settling

    @property
    def prefers_streams(self) -> bool:
        """True if `frames` is at least as fast as `batch`: on a CPU."""
        return self._model.device.type == "cpu"

    @property
    def overlaps(self) -> bool:
        """True if `frames` works on several frames at a time: on a CPU with several processors."""
        return may_overlap(self._model)

    @property
    def texture_shift(self) -> TextureShift | None:
        """How far textures have moved as a whole, since the last scene cut until the last frame.

        In shares of the width, so that it holds for any size. `None` if nothing has moved or there
        is no texture.
        """
        with self._stream.lock:
            return self._stream.texture_shift

    def place_textures(self, shift: TextureShift, *, begin: int) -> None:
        """Let textures lie where another filter has them, which has seen more of the past.

        shift: the other filter's `texture_shift` before the frame whose `pts` is `begin`. It holds
        from that frame on, or the first later one that is filtered, until the next scene cut.
        Frames must be `av.VideoFrame` and have a `pts`; the filter must have seen at least one
        before. Several shifts may wait for their frames; `reset` forgets them.
        """
        with self._stream.lock:
            self._stream.place_textures(shift, begin)

    @property
    def has_textures(self) -> bool:
        """True if results get textures, by the look, `strength` and `texture`."""
        settings = self._settings
        return not passes_through(settings) and self._stream.has_textures(settings)

    def follow(self, frames: Sequence[av.VideoFrame]) -> list[TextureStep]:
        """Follow the motion of consecutive frames as a call does, in a fraction of its time.

        Returns how far each frame has moved textures, as it would by being filtered; nothing for
        frames that would pass through unchanged. No frame is filtered: call `reset` before others
        are. Raises `FrameError` as a call does.
        """
        with self._stream.lock, torch.inference_mode():
            settings = self.settings.replace(detail=0.0)  # it would be read beside
            self._stream.begin(settings, self._image_embeds)
            requests = [self._request(frame, settings) for frame in frames]
            return follow_requests(self._stream, [each for each in requests if each is not None])

    def update(self, **changes: Any) -> FilterSettings:
        """Change settings by name from the next frame on. Returns all settings.

        The temporal state and the noise are kept, as far as the changes allow. Raises
        `SettingsError` for an unknown name or a value out of range; then nothing changes.
        """
        with self._settings_lock:
            self._settings = self._checked(self._settings.replace(**changes))
            return self._settings

    def show(self, image_prompt: Array | None) -> None:
        """Use this image, RGB (H, W, 3) uint8, or `None` as a prompt from the next frame on.

        Raises `SettingsError` if the model has no IP-Adapter.
        """
        if image_prompt is None:
            self._image_embeds = None
            return
        prompts = self._model.adapters.require_image_prompts()
        with self._model.lock:
            self._image_embeds = prompts.encode(image_prompt)

    def _checked(self, settings: FilterSettings) -> FilterSettings:
        """The settings. Raises `SettingsError` if the model lacks a LoRA or layers for them."""
        self._model.adapters.loras.weights(settings.lora_weights)
        if settings.cross_frame != "off":
            cross_frame_layers(self._model.unet, settings.cross_frame)
        return settings

    def reset(self) -> None:
        """Forget the past. The next frame is filtered like the first one of a stream."""
        self._stream.forget_places()
        self._stream.must_reset = True

    @overload
    def __call__(self, frame: av.VideoFrame) -> av.VideoFrame: ...

    @overload
    def __call__(self, frame: Array) -> Array: ...

    def __call__(self, frame: FrameT) -> FrameT:
        """Filter one frame: `av.VideoFrame`, or RGB (H, W, 3) uint8.

        Returns the frame itself if the filter is disabled, or if strength or mix is 0 and nothing
        is to be shown outside a region. Raises `FrameError` for an unsupported size, format or
        type.
        """
        return self.batch([frame])[0]

    def batch(self, frames: Sequence[FrameT]) -> list[FrameT]:
        """Filter consecutive frames at once: the same results as one by one, but faster.

        Memory grows with their number. Raises `FrameError` as for one frame.
        """
        return filter_together([self] * len(frames), frames)

    def frames(self, frames: Iterable[FrameT]) -> Iterator[FrameT]:
        """Filter a whole stream: the results of one call per frame, in order, but faster.

        Where the filter `overlaps`, the next frame is prepared while the networks work on this one,
        and the last one is finished. So a result comes when a later frame has been taken; for
        frames that arrive in real time, call the filter for each. When frame n + 1 is taken, the
        frames before n have been filtered, and `reused` and `texture_shift` are of them. Settings
        may change meanwhile: they apply from the next frame that is taken. Raises what a call
        raises, or what `frames` raises, after the results of the frames before; later frames can be
        filtered then, by another call of this method.
        """
        return overlapped(self._stream, self._turn, frames)

    def _turn(self, frame: FrameT) -> Turn[FrameT]:
        settings = self.settings
        request = self._request(frame, settings)
        return Turn(frame, settings, [] if request is None else [request], self._image_embeds)

    def reproject(self, frame: FrameT) -> FrameT | None:
        """The last result, warped to this newer frame, to be shown until its own result is ready.

        Areas that have come into view show the frame in the colours of the result. This takes a
        fraction of the time of a call, may run while another thread filters, and changes no state.
        Returns `None` if there is no result of this frame's size, or with `region` "background",
        where an area behind a person that comes into view would show it. Returns the frame itself
        in the same cases as a call.
        """
        settings = self._settings
        if passes_through(settings):
            return frame
        if settings.region == "background":
            return None
        geometry = self._geometry(frame, settings)
        with torch.inference_mode():
            result = self._stream.reprojection.reproject(frame, geometry, settings)
            if result is None or settings.region == "all":
                return result
            found = self._stream.region.find(frame, geometry)
            return self._stream.composer.compose(
                result, frame, coverage_now(found, settings), settings.outside
            )

    def check_size(self, width: int, height: int) -> None:
        """Raise `FrameError` if frames of this size, in pixels, cannot be filtered."""
        if not passes_through(self._settings):
            self._geometry_for(width, height, self._settings)

    def _geometry(self, frame: Array | av.VideoFrame, settings: FilterSettings) -> Geometry:
        return self._geometry_for(*frame_size(frame), settings)

    def _geometry_for(self, width: int, height: int, settings: FilterSettings) -> Geometry:
        return working_geometry(
            width,
            height,
            settings,
            native_size=self._model.native_size,
            multiple=self._model.multiple,
        )

    def _request(self, frame: FrameT, settings: FilterSettings) -> Request[FrameT] | None:
        """`None` if the frame passes through unchanged."""
        if passes_through(settings):
            return None
        return Request(self._stream, frame, settings, self._geometry(frame, settings))


def _check_kinds(model: object, settings: object, mask: object) -> None:
    """Raise `SettingsError` for an argument of another kind, such as a model's name."""
    if not isinstance(model, TurboModel):
        example = repr(model) if isinstance(model, str) else "NAME"
        raise SettingsError(
            f"model must be a TurboModel, got {type(model).__name__}; load one by "
            f"TurboModel.load({example})"
        )
    if settings is not None and not isinstance(settings, FilterSettings):
        raise SettingsError(
            f"settings must be FilterSettings, got {type(settings).__name__}; write "
            "FilterSettings(prompt=…), or FrameFilter(model, prompt=…)"
        )
    if mask is not None and not callable(mask):
        raise SettingsError(
            f"mask must be a function from a frame to its mask, got {type(mask).__name__}"
        )


def filter_together(filters: Sequence[FrameFilter], frames: Sequence[FrameT]) -> list[FrameT]:
    """Filter `frames[i]` with `filters[i]`, in as few passes of the networks as possible.

    Frames of one size are one batch. A filter may appear several times, for consecutive frames of
    its stream. The results are those of each filter alone. Raises `SettingsError` if the filters
    do not share one model, `FrameError` for an unsupported frame, and `ValueError` if the lengths
    differ.
    """
    if len(filters) != len(frames):
        raise ValueError(
            f"there must be as many filters as frames, got {len(filters)} and {len(frames)}"
        )
    owners = list(dict.fromkeys(filters))
    if len({id(owner.model) for owner in owners}) > 1:
        raise SettingsError("filters that work together must share one TurboModel; load it once")
    with ExitStack() as locks, torch.inference_mode():
        for owner in sorted(owners, key=id):  # always in the same order, so that no deadlock occurs
            locks.enter_context(owner._stream.lock)
        settings = {owner: owner.settings for owner in owners}
        requests = [
            owner._request(frame, settings[owner])
            for owner, frame in zip(filters, frames, strict=True)
        ]
        for owner in owners:
            owner._stream.begin(settings[owner], owner._image_embeds)
        results = iter(filter_requests([each for each in requests if each is not None]))
        return [
            frame if request is None else next(results)
            for request, frame in zip(requests, frames, strict=True)
        ]
