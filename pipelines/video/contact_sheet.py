"""A few frames of a video on one image, each original above its filtered frame."""

from dataclasses import dataclass, field
from pathlib import Path

import av
import numpy as np
from numpy.typing import NDArray

from .destination import Destination
from .images.files import save_image

Pixels = NDArray[np.uint8]
THUMBNAIL_WIDTH = 320
COLUMNS = 6
GAP = 4


@dataclass
class ContactSheet:
    """Collects `count` pairs of frames, evenly spread over a video of any length.

    It holds at most twice as many thumbnails as it needs: when it is full, it drops every second
    one, and from then on takes half as many.
    """

    count: int
    _pairs: list[tuple[Pixels, Pixels]] = field(default_factory=list)
    _stride: int = 1
    _frames: int = 0

    def add(self, before: av.VideoFrame, after: av.VideoFrame) -> None:
        """The next frame of the video, original and filtered."""
        if self._frames % self._stride == 0:
            if len(self._pairs) == 2 * self.count:
                self._pairs = self._pairs[::2]
                self._stride *= 2
            if self._frames % self._stride == 0:
                self._pairs.append((_thumbnail(before), _thumbnail(after)))
        self._frames += 1

    def image(self) -> Pixels:
        """The sheet, (H, W, 3) uint8. Raises `ValueError` if there was no frame."""
        if not self._pairs:
            raise ValueError("a contact sheet needs at least one frame")
        spread = np.linspace(0, len(self._pairs) - 1, min(self.count, len(self._pairs)))
        pairs = [self._pairs[round(position)] for position in spread]
        height = max(image.shape[0] for pair in pairs for image in pair)
        width = max(image.shape[1] for pair in pairs for image in pair)
        rows = -(-len(pairs) // COLUMNS)
        columns = min(COLUMNS, len(pairs))
        sheet = np.full(
            (rows * (2 * height + 2 * GAP), columns * (width + GAP), 3), 255, dtype=np.uint8
        )
        for index, pair in enumerate(pairs):
            row, column = divmod(index, COLUMNS)
            for below, image in enumerate(pair):
                top, left = (2 * row + below) * (height + GAP), column * (width + GAP)
                sheet[top : top + image.shape[0], left : left + image.shape[1]] = image
        return sheet[:-GAP, :-GAP]

    def save(self, destination: Destination) -> None:
        """Write the sheet as PNG."""
        save_image(av.VideoFrame.from_ndarray(self.image(), format="rgb24"), destination)


def sheet_name(output: str) -> str:
    """The sheet's name beside an output: demo.png for demo.mp4, demo.sheet.png for demo.png."""
    path = Path(output)
    name = path.with_suffix(".png")
    return str(name if name != path else path.with_suffix(".sheet.png"))


def _thumbnail(frame: av.VideoFrame) -> Pixels:
    width = min(THUMBNAIL_WIDTH, frame.width)
    height = max(1, round(frame.height * width / frame.width))
    source = 1 if frame.colorspace == 2 and frame.height >= 720 else None
    small = frame.reformat(
        width=width, height=height, format="rgb24", src_colorspace=source, interpolation="AREA"
    )
    return small.to_ndarray().astype(np.uint8, copy=False)
