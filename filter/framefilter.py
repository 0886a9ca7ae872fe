"""`FrameFilter`: one video stream. Encode, blend, noise, denoise, decode, blend."""

from collections.abc import Sequence
from contextlib import ExitStack
from threading import Lock
from typing import Any, TypeAlias, TypeVar, overload

import av
import numpy as np
import torch
from numpy.typing import NDArray

from .adapters.control_pictures import Control, ControlPictures
from .batch import Job, filtered
from .errors import SettingsError
from .frames.conversion import Geometry, frame_size, working_geometry
from .model import TurboModel
from .settings import FilterSettings
from .stream import OnStage, Stream, passes

Array: TypeAlias = NDArray[np.uint8]
FrameT = TypeVar("FrameT", av.VideoFrame, NDArray[np.uint8])

STAGES = ("to_image", "encode", "before", "denoise", "decode", "after", "to_frame")


class FrameFilter:
    """Filters the frames of one stream; any number of filters share a `TurboModel`.

    A frame is an `av.VideoFrame` or an RGB array (H, W, 3) uint8, and comes back as the same kind,
    of the same size and time. Same seed, settings and frames give the same pictures, bit for bit.
    Settings may be changed by keyword here as in `update`. `on_stage` is called with the name of
    each of `STAGES` when it ends, for those who want to measure. A GPU is then told to do it, and
    is not waited for: record an event there, or wait.

    control: what the model's ControlNet sees: "canny", a `Canny` with thresholds of your own, or a
    function of a frame that gives its depth, pose or other picture. image_prompt: a picture
    (H, W, 3) uint8 for the model's IP-Adapter.

    All methods may be called from any thread. Raises `SettingsError` for settings, `FrameError` for
    frames.
    """

    def __init__(
        self,
        model: TurboModel,
        settings: FilterSettings | None = None,
        *,
        on_stage: OnStage | None = None,
        control: Control | None = None,
        image_prompt: Array | None = None,
        **changes: Any,
    ) -> None:
        self._model = model
        self._settings = self._checked((settings or FilterSettings()).replace(**changes))
        if control is not None:
            model.adapters.require_controlnet()
        self._stream = Stream(model, on_stage, ControlPictures(control))
        self._settings_lock = Lock()
        self._image_embeds: torch.Tensor | None = None
        self.show(image_prompt)

    @property
    def model(self) -> TurboModel:
        """The model, which other filters may share."""
        return self._model

    @property
    def settings(self) -> FilterSettings:
        """The settings of the next frame."""
        return self._settings

    @property
    def reused(self) -> int:
        """How many frames so far repeated the last one and cost nothing."""
        return self._stream.reused

    @property
    def settling(self) -> bool:
        """Whether it will soon be faster: what accelerates its model is still being prepared."""
        return self._model.settling

    def update(self, **changes: Any) -> FilterSettings:
        """Change settings from the next frame on. The past and the noise are kept."""
        with self._settings_lock:
            self._settings = self._checked(self._settings.replace(**changes))
            return self._settings

    def show(self, image_prompt: Array | None) -> None:
        """Take this picture (H, W, 3) uint8 as a prompt, or none, from the next frame on.

        Raises `SettingsError` where the model has no IP-Adapter.
        """
        if image_prompt is None:
            self._image_embeds = None
            return
        prompts = self._model.adapters.require_image_prompts()
        with self._model.lock:
            self._image_embeds = prompts.encode(image_prompt)

    def _checked(self, settings: FilterSettings) -> FilterSettings:
        """The settings, if this model can have them: it must have the LoRAs that they weigh."""
        self._model.adapters.loras.weights(settings.lora_weights)
        return settings

    def reset(self) -> None:
        """Forget the past: the next frame is filtered like the first of a stream."""
        self._stream.must_reset = True

    @overload
    def __call__(self, frame: av.VideoFrame) -> av.VideoFrame: ...

    @overload
    def __call__(self, frame: Array) -> Array: ...

    def __call__(self, frame: FrameT) -> FrameT:
        """The filtered frame. Untouched, the frame itself, where nothing is asked of the filter."""
        return self.batch([frame])[0]

    def batch(self, frames: Sequence[FrameT]) -> list[FrameT]:
        """The filtered frames, as one by one but faster; memory grows with their number."""
        return filter_together([self] * len(frames), frames)

    def reproject(self, frame: FrameT) -> FrameT | None:
        """The last result moved to where this newer frame is: what to show until its own is ready.

        What has come into view since is shown in colours matched to the result's. Costs a fraction
        of a filtered frame, waits for none (call it while another thread filters), and changes no
        state. None where there is no result of this frame's size yet; an untouched frame where
        nothing is asked of the filter.
        """
        settings = self._settings
        if passes(settings):
            return frame
        with torch.inference_mode():
            return self._stream.reprojection(frame, self._geometry(frame, settings), settings)

    def _geometry(self, frame: Array | av.VideoFrame, settings: FilterSettings) -> Geometry:
        return working_geometry(
            *frame_size(frame),
            settings,
            native_size=self._model.native_size,
            multiple=self._model.multiple,
        )

    def _job(self, frame: FrameT, settings: FilterSettings) -> Job[FrameT]:
        geometry = None if passes(settings) else self._geometry(frame, settings)
        return Job(self._stream, frame, settings, geometry)


def filter_together(filters: Sequence[FrameFilter], frames: Sequence[FrameT]) -> list[FrameT]:
    """One frame for each filter (the same filter may come again), through the networks at once.

    Each gives what it would give alone; frames of one size go as one batch. Raises `SettingsError`
    where the filters do not share one model, `FrameError` for a frame; then no stream has moved.
    """
    owners = list(dict.fromkeys(filters))
    if len({id(owner.model) for owner in owners}) > 1:
        raise SettingsError("filters that work together must share one TurboModel; load it once")
    with ExitStack() as locks, torch.inference_mode():
        for owner in sorted(owners, key=id):  # one order for all: no two calls wait for each other
            locks.enter_context(owner._stream.lock)
        settings = {owner: owner.settings for owner in owners}
        jobs = [
            owner._job(frame, settings[owner]) for owner, frame in zip(filters, frames, strict=True)
        ]
        for owner in owners:
            owner._stream.begin(settings[owner], owner._image_embeds)
        return filtered(jobs)
