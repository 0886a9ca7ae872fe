"""A few frames of a video as one picture: before above after."""

from dataclasses import dataclass, field
from pathlib import Path

import av
import numpy as np
from numpy.typing import NDArray

from .destination import Destination
from .images import save_image

Pixels = NDArray[np.uint8]
THUMBNAIL_WIDTH = 320
COLUMNS = 6
GAP = 4


@dataclass
class ContactSheet:
    """Collects `count` pairs of frames, evenly spread over a video of any length.

    It holds at most twice as many small pictures as it needs: when full, every second one goes and
    from then on half as many frames are taken.
    """

    count: int
    _pairs: list[tuple[Pixels, Pixels]] = field(default_factory=list)
    _stride: int = 1
    _seen: int = 0

    def add(self, before: av.VideoFrame, after: av.VideoFrame) -> None:
        """The next frame of the video, as it came and as it left."""
        if self._seen % self._stride == 0:
            if len(self._pairs) == 2 * self.count:
                self._pairs = self._pairs[::2]
                self._stride *= 2
            if self._seen % self._stride == 0:
                self._pairs.append((_thumbnail(before), _thumbnail(after)))
        self._seen += 1

    def picture(self) -> Pixels:
        """The sheet, (H, W, 3) uint8. Raises `ValueError` if there was no frame."""
        if not self._pairs:
            raise ValueError("a contact sheet needs at least one frame")
        spread = np.linspace(0, len(self._pairs) - 1, min(self.count, len(self._pairs)))
        pairs = [self._pairs[round(position)] for position in spread]
        height = max(picture.shape[0] for pair in pairs for picture in pair)
        width = max(picture.shape[1] for pair in pairs for picture in pair)
        rows = -(-len(pairs) // COLUMNS)
        columns = min(COLUMNS, len(pairs))
        sheet = np.full(
            (rows * (2 * height + 2 * GAP), columns * (width + GAP), 3), 255, dtype=np.uint8
        )
        for index, pair in enumerate(pairs):
            row, column = divmod(index, COLUMNS)
            for place, picture in enumerate(pair):
                top, left = (
                    row * 2 * (height + GAP) + place * (height + GAP),
                    column * (width + GAP),
                )
                sheet[top : top + picture.shape[0], left : left + picture.shape[1]] = picture
        return sheet[:-GAP, :-GAP]

    def save(self, destination: Destination) -> None:
        """Write the sheet as PNG."""
        save_image(av.VideoFrame.from_ndarray(self.picture(), format="rgb24"), destination)


def sheet_name(output: str) -> str:
    """ "demo.mp4" → "demo.png"; of a picture "styled.jpg" → "styled.sheet.png"."""
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
