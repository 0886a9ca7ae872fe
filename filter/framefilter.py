"""`FrameFilter`: one video stream. Encode, blend, noise, denoise, blend, decode."""

from collections.abc import Callable, Sequence
from itertools import groupby
from threading import Lock
from typing import Any, TypeAlias, TypeVar, overload

import av
import numpy as np
import torch
from numpy.typing import NDArray

from .coherence import Coherence
from .frames import (
    FrameConverter,
    Geometry,
    frame_size,
    image_from_pictures,
    pictures_from_image,
    working_geometry,
)
from .model import TurboModel
from .noise import FixedNoise
from .schedule import Step
from .settings import FilterSettings

Array: TypeAlias = NDArray[np.uint8]
FrameT = TypeVar("FrameT", av.VideoFrame, NDArray[np.uint8])
OnStage: TypeAlias = Callable[[str], None]

STAGES = ("to_image", "encode", "denoise", "decode", "to_frame")


class FrameFilter:
    """Filters the frames of one stream; any number of filters share a `TurboModel`.

    A frame is an `av.VideoFrame` or an RGB array (H, W, 3) uint8, and comes back as the same kind,
    of the same size and time. Same seed, settings and frames give the same pictures, bit for bit.
    Settings may be changed by keyword here as in `update`. `on_stage` is called with the name of
    each of `STAGES` when it ends, for those who want to measure; a GPU is then waited for.

    All methods may be called from any thread. Raises `SettingsError` for settings, `FrameError` for
    frames.
    """

    def __init__(
        self,
        model: TurboModel,
        settings: FilterSettings | None = None,
        *,
        on_stage: OnStage | None = None,
        **changes: Any,
    ) -> None:
        self._model = model
        self._settings = (settings or FilterSettings()).replace(**changes)
        self._on_stage = on_stage
        self._converter = FrameConverter()
        self._noise = FixedNoise()
        self._coherence = Coherence()
        self._must_reset = False
        self._settings_lock, self._stream_lock = Lock(), Lock()

    @property
    def model(self) -> TurboModel:
        """The model, which other filters may share."""
        return self._model

    @property
    def settings(self) -> FilterSettings:
        """The settings of the next frame."""
        return self._settings

    def update(self, **changes: Any) -> FilterSettings:
        """Change settings from the next frame on. The past and the noise are kept."""
        with self._settings_lock:
            self._settings = self._settings.replace(**changes)
            return self._settings

    def reset(self) -> None:
        """Forget the past: the next frame is filtered like the first of a stream."""
        self._must_reset = True

    @overload
    def __call__(self, frame: av.VideoFrame) -> av.VideoFrame: ...

    @overload
    def __call__(self, frame: Array) -> Array: ...

    def __call__(self, frame: FrameT) -> FrameT:
        """The filtered frame. Untouched, the frame itself, where nothing is asked of the filter."""
        return self.batch([frame])[0]

    def batch(self, frames: Sequence[FrameT]) -> list[FrameT]:
        """The filtered frames, as one by one but faster; memory grows with their number."""
        with self._stream_lock, torch.inference_mode():
            settings = self._settings
            if self._must_reset:
                self._must_reset = False
                self._coherence.reset()
            if _passes(settings):
                self._coherence.reset()
                return list(frames)
            geometries = [self._geometry(frame, settings) for frame in frames]
            filtered: list[FrameT] = []
            for geometry, group in groupby(zip(geometries, frames, strict=True), lambda x: x[0]):
                alike = [frame for _, frame in group]
                filtered += self._filter(alike, geometry, settings)
            return filtered

    def _geometry(self, frame: Array | av.VideoFrame, settings: FilterSettings) -> Geometry:
        return working_geometry(
            *frame_size(frame),
            settings,
            native_size=self._model.native_size,
            multiple=self._model.multiple,
        )

    def _filter(
        self, frames: list[FrameT], geometry: Geometry, settings: FilterSettings
    ) -> list[FrameT]:
        """Frames of one size, all through the networks at once."""
        pictures = [self._converter.to_image(frame, geometry) for frame in frames]
        with self._model.lock:
            pictures = self._filter_pictures(pictures, settings)
        styled = [
            self._converter.to_frame(picture, frame, geometry, settings.mix)
            for picture, frame in zip(pictures, frames, strict=True)
        ]
        self._ended("to_frame")
        return styled

    def _filter_pictures(
        self, pictures: list[torch.Tensor], settings: FilterSettings
    ) -> list[torch.Tensor]:
        model = self._model
        image = image_from_pictures(pictures, model.device, model.vae_dtype)
        self._ended("to_image")
        latents = model.encode(image)
        self._ended("encode")
        clean = self._filter_latents(latents, settings)
        self._ended("denoise")
        image = model.decode(clean)
        self._ended("decode")
        return pictures_from_image(image)

    def _filter_latents(self, latents: torch.Tensor, settings: FilterSettings) -> torch.Tensor:
        blended = [self._coherence.before(one, settings) for one in torch.split(latents, 1)]
        clean = self._denoise(_joined([one for one, _ in blended]), settings)
        return _joined(
            [
                self._coherence.after(one, kept, settings)
                for one, (_, kept) in zip(torch.split(clean, 1), blended, strict=True)
            ]
        )

    def _denoise(self, latents: torch.Tensor, settings: FilterSettings) -> torch.Tensor:
        """Clean latents → noisy → clean, in the steps that strength asks for."""
        model, steps = self._model, _steps(self._model, settings)
        shape = tuple(latents.shape[1:])
        return model.denoise(
            latents,
            steps=steps,
            noise=self._noise(settings.seed, shape, len(steps), model.device),
            embeds=model.prompts(settings.weighted_prompts),
        )

    def _ended(self, stage: str) -> None:
        if self._on_stage is None:
            return
        if self._model.device.type == "cuda":
            torch.cuda.synchronize(self._model.device)
        self._on_stage(stage)


def _passes(settings: FilterSettings) -> bool:
    return not settings.enabled or settings.strength == 0.0 or settings.mix == 0.0


def _steps(model: TurboModel, settings: FilterSettings) -> tuple[Step, ...]:
    grid = model.schedule.direct_steps
    if settings.timesteps == "diffusers":
        grid = model.schedule.diffusers_steps
    return grid(settings.strength, settings.steps)


def _joined(latents: list[torch.Tensor]) -> torch.Tensor:
    return latents[0] if len(latents) == 1 else torch.cat(latents)
