"""The methods whose coherence is compared: Turbolens, less than that, and what others do.

All use the same network and take one frame after the other.
"""

from typing import Any, Literal, Protocol, get_args

import numpy as np
import torch
from numpy.typing import NDArray

from turbolens.filter import FilterSettings, FrameFilter, TurboModel
from turbolens.filter.coherence.noise import FixedNoise
from turbolens.filter.frames.conversion import image_from_rgb, rgb_from_image

Rgb = NDArray[np.uint8]
MethodName = Literal["anew", "fixed", "one weight", "ours"]
METHODS: tuple[MethodName, ...] = get_args(MethodName)
TITLES: dict[MethodName, str] = {
    "anew": "new noise per frame",
    "fixed": "fixed noise alone",
    "one weight": "fixed noise, uniform blend",
    "ours": "Turbolens",
}
BLEND_WEIGHT = 0.5


class Method(Protocol):
    """A filter of one video stream: RGB (H, W, 3) uint8 in and out."""

    def __call__(self, frame: Rgb, /) -> Rgb:
        """Filter the next frame."""
        ...

    def update(self, **changes: Any) -> object:
        """Change settings from the next frame on."""
        ...


def make_method(name: MethodName, model: TurboModel, settings: FilterSettings) -> Method:
    """A filter of this kind that has seen no frame yet."""
    if name == "ours":
        return FrameFilter(model, settings)
    plain = settings.replace(
        steadiness=0.0, blend_before=None, blend_after=None, reuse_unchanged=False, noise="fixed",
        feedback=0.0,
    )  # fmt: skip
    if name == "fixed":
        return FrameFilter(model, plain)
    return FreshNoise(model, plain) if name == "anew" else UniformBlend(model, plain)


class FreshNoise:
    """Draws new noise for every frame, like an image-to-image pipeline called in a loop."""

    def __init__(self, model: TurboModel, settings: FilterSettings) -> None:
        self._filter = FrameFilter(model, settings)
        self._frames = 0

    def __call__(self, frame: Rgb) -> Rgb:
        """Filter the next frame."""
        self._frames += 1
        self._filter.update(seed=self._frames)
        return self._filter(frame)

    def update(self, **changes: Any) -> object:
        """Change settings from the next frame on."""
        return self._filter.update(**changes)


class UniformBlend:
    """Blends each result with the last one by the same weight everywhere, as many filters do."""

    def __init__(self, model: TurboModel, settings: FilterSettings) -> None:
        self._model, self._settings = model, settings
        self._noise = FixedNoise()
        self._last: torch.Tensor | None = None

    @torch.inference_mode()
    def __call__(self, frame: Rgb) -> Rgb:
        """Filter the next frame. The model must accept its size as it is."""
        model, settings = self._model, self._settings
        image = image_from_rgb([torch.from_numpy(frame)], model.device, model.vae_dtype)
        latents = model.encode(image)
        steps = model.schedule.direct_steps(settings.strength, settings.steps)
        shape = tuple(latents.shape[1:])
        denoised = model.denoise(
            latents, steps=steps, embeds=model.prompts(settings.weighted_prompts),
            noise=self._noise(settings.seed, shape, len(steps), model.device),
        )  # fmt: skip
        if self._last is not None and self._last.shape == denoised.shape:
            denoised = torch.lerp(denoised, self._last, BLEND_WEIGHT)
        self._last = denoised
        return np.asarray(rgb_from_image(model.decode(denoised))[0].numpy())

    def update(self, **changes: Any) -> object:
        """Change settings from the next frame on."""
        self._settings = self._settings.replace(**changes)
        return self._settings
