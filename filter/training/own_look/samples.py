"""The sheet of samples of a look, and the strength at which faces stay."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from turbolens.filter import FilterSettings, FrameFilter, TurboModel
from turbolens.filter.surface.media.exemplar import Exemplar
from turbolens.filter.surface.planes import blur, cv2
from turbolens.filter.training.charts import write_sheet

STRENGTHS = (0.5, 0.7, 0.9)
SHOWN = 3  # pictures
SAME_EDGES = 0.8  # correlation from which on a face stays
_SUGGESTED = (0.9, 0.8, 0.7, 0.6, 0.5, 0.4, 0.3)
_COARSE = 0.008  # share of the side: blur of the pictures whose edges are compared

Picture = NDArray[np.uint8]


@dataclass(frozen=True, eq=False)
class SampleSheet:
    """Writes `file` again and again.

    model: with the look `name`. pictures: RGB (H, W, 3), squares of one size.
    """

    model: TurboModel
    pictures: Sequence[Picture]
    name: str
    file: Path

    def write(self, material: Exemplar) -> None:
        """A row for each picture: the picture, then the look at each of `STRENGTHS`.

        The sheet is replaced only when it is whole, so that an open viewer can follow it.
        """
        rows = [[picture] for picture in self.pictures[:SHOWN]]
        for strength in STRENGTHS:
            for row, result in zip(rows, self._results(material, strength, SHOWN), strict=True):
                row.append(result)
        temporary = self.file.with_name(f"writing-{self.file.name}")
        write_sheet(temporary, [[_image(each) for each in row] for row in rows])
        temporary.replace(self.file)

    def strength(self, material: Exemplar) -> float:
        """The largest strength at which the edges of the pictures stay, on average."""
        for strength in _SUGGESTED[:-1]:
            pairs = zip(self.pictures, self._results(material, strength), strict=False)
            if np.mean([same_edges(*pair) for pair in pairs]) >= SAME_EDGES:
                return strength
        return _SUGGESTED[-1]

    def _results(self, material: Exemplar, strength: float, count: int = 8) -> list[Picture]:
        self.model.surfaces[self.name] = material
        settings = FilterSettings(prompt=self.name, strength=strength, seed=0)
        return filtered(self.model, self.pictures[:count], settings)


def filtered(
    model: TurboModel, pictures: Sequence[Picture], settings: FilterSettings
) -> list[Picture]:
    """Each picture filtered without a past, at its own size."""
    size = max(pictures[0].shape[:2])
    frame_filter = FrameFilter(model, settings.replace(size=size, blend_before=0, blend_after=0))
    results = []
    for picture in pictures:
        frame_filter.reset()
        results.append(frame_filter(picture))
    return results


def same_edges(one: Picture, other: Picture) -> float:
    """The correlation of the edges of two pictures at a coarse scale, −1…1."""
    return float(np.corrcoef(_edges(one).ravel(), _edges(other).ravel())[0, 1])


def _edges(picture: Picture) -> NDArray[np.float32]:
    grey = cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY).astype(np.float32)
    soft = blur(grey, _COARSE * max(grey.shape))
    across = cv2.Sobel(soft, cv2.CV_32F, 1, 0, ksize=3)
    down = cv2.Sobel(soft, cv2.CV_32F, 0, 1, ksize=3)
    return np.hypot(across, down)  # type: ignore[no-any-return]


def _image(picture: Picture) -> torch.Tensor:
    """(3, H, W) in −1…1."""
    return torch.from_numpy(picture).permute(2, 0, 1).float() / 127.5 - 1
