"""A model's results: pictures one by one without a past, and frames of a clip with coherence."""

import json
from collections.abc import Sequence
from pathlib import Path

import torch
from numpy.typing import NDArray
from torch import Tensor

from turbolens.filter import FilterSettings, FrameFilter, TurboModel

SIZE = 256


class Filtered:
    """A model that filters pictures (3, SIZE, SIZE) in 0…1. texture: the setting of this name."""

    def __init__(self, name: str, texture: float = 1.0) -> None:
        self.model = TurboModel.load(name)
        moving = FilterSettings(size=SIZE, texture=texture)
        self._still = FrameFilter(self.model, moving.replace(blend_before=0, blend_after=0))
        self._moving = FrameFilter(self.model, moving)

    def pictures(self, pictures: Sequence[Tensor], look: str, strength: float) -> list[Tensor]:
        """Each picture filtered without a past."""
        self._still.update(prompt=look, strength=strength, seed=0)
        return [_applied(self._still, picture) for picture in pictures]

    def frames(self, frames: Tensor, look: str, strength: float) -> Tensor:
        """Frames (T, 3, SIZE, SIZE) filtered one after the other, with coherence."""
        self._moving.update(prompt=look, strength=strength, seed=0)
        self._moving.reset()
        return torch.stack([_applied(self._moving, frame) for frame in frames])


def looks_of(folder: Path) -> list[str]:
    """The names of the looks of a model folder, from its `looks.json`."""
    return list(json.loads((folder / "looks.json").read_text()))


def megabytes(folder: Path) -> float:
    """The size of all files of a folder, in MB of 10⁶ bytes."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()) / 1e6


def _applied(frame_filter: FrameFilter, picture: Tensor) -> Tensor:
    pixels = (picture.clamp(0, 1) * 255).round().byte().permute(1, 2, 0).contiguous()
    array: NDArray = pixels.numpy()  # type: ignore[type-arg]
    return torch.from_numpy(frame_filter(array)).permute(2, 0, 1).float() / 255
