"""What coherence is compared with: the same network with less, or with what others do."""

from typing import Any, Literal, Protocol, get_args

import numpy as np
import torch
from numpy.typing import NDArray

from turbolens.filter import FilterSettings, FrameFilter, TurboModel
from turbolens.filter.coherence.noise import FixedNoise
from turbolens.filter.frames.conversion import image_from_rgb, rgb_from_image

Pixels = NDArray[np.uint8]
RowName = Literal["anew", "fixed", "one weight", "ours"]
ROWS: tuple[RowName, ...] = get_args(RowName)
TITLES: dict[RowName, str] = {
    "anew": "noise drawn anew",
    "fixed": "fixed noise alone",
    "one weight": "fixed noise, one weight",
    "ours": "Turbolens",
}
ONE_WEIGHT = 0.5


class Row(Protocol):
    """One way to filter a video, RGB (H, W, 3) uint8 in and out."""

    def __call__(self, picture: Pixels, /) -> Pixels:
        """The next frame."""
        ...

    def update(self, **changes: Any) -> object:
        """Change settings from the next frame on."""
        ...


def make_row(name: RowName, model: TurboModel, settings: FilterSettings) -> Row:
    """A fresh stream of this kind."""
    if name == "ours":
        return FrameFilter(model, settings)
    alone = settings.replace(
        steadiness=0.0, blend_before=None, blend_after=None, reuse_unchanged=False, noise="fixed",
        feedback=0.0,
    )  # fmt: skip
    if name == "fixed":
        return FrameFilter(model, alone)
    return NoiseAnew(model, alone) if name == "anew" else OneWeight(model, alone)


class NoiseAnew:
    """Every frame has noise of its own, as an image-to-image pipeline called again and again."""

    def __init__(self, model: TurboModel, settings: FilterSettings) -> None:
        self._filter = FrameFilter(model, settings)
        self._frames = 0

    def __call__(self, picture: Pixels) -> Pixels:
        """The next frame."""
        self._frames += 1
        self._filter.update(seed=self._frames)
        return self._filter(picture)

    def update(self, **changes: Any) -> object:
        """Change settings from the next frame on."""
        return self._filter.update(**changes)


class OneWeight:
    """Results blended with the last one by one weight everywhere, as the field's filters do."""

    def __init__(self, model: TurboModel, settings: FilterSettings) -> None:
        self._model, self._settings = model, settings
        self._noise = FixedNoise()
        self._said: torch.Tensor | None = None

    @torch.inference_mode()
    def __call__(self, picture: Pixels) -> Pixels:
        """The next frame; its size must be one that the model takes."""
        model, settings = self._model, self._settings
        image = image_from_rgb([torch.from_numpy(picture)], model.device, model.vae_dtype)
        latents = model.encode(image)
        steps = model.schedule.direct_steps(settings.strength, settings.steps)
        shape = tuple(latents.shape[1:])
        clean = model.denoise(
            latents, steps=steps, embeds=model.prompts(settings.weighted_prompts),
            noise=self._noise(settings.seed, shape, len(steps), model.device),
        )  # fmt: skip
        if self._said is not None and self._said.shape == clean.shape:
            clean = torch.lerp(clean, self._said, ONE_WEIGHT)
        self._said = clean
        return np.asarray(rgb_from_image(model.decode(clean))[0].numpy())

    def update(self, **changes: Any) -> object:
        """Change settings from the next frame on."""
        self._settings = self._settings.replace(**changes)
        return self._settings
