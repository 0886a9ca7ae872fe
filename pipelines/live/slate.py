"""The slate: what is shown while there is no filtered picture."""

import av
import numpy as np
from av.video.plane import VideoPlane
from numpy.typing import NDArray

BACKGROUND, SIGN = 34, 92  # levels of grey
NEUTRAL = 128
LIMITED = 1


def slate(width: int, height: int) -> av.VideoFrame:
    """A dark card with a sign for "pause" in the middle, yuv420p, which every sink takes at once.

    It says nothing in words, since those who see it are other people than those who run it.
    """
    frame = av.VideoFrame(width, height, "yuv420p")
    luma = np.full((height, width), BACKGROUND, np.uint8)
    unit = max(1, min(width, height) // 20)
    top, bottom = height // 2 - 3 * unit, height // 2 + 3 * unit
    for left in (width // 2 - 2 * unit, width // 2 + unit):
        luma[max(0, top) : bottom, max(0, left) : left + unit] = SIGN
    for plane, pixels in zip(
        frame.planes, (luma, *([np.full(1, NEUTRAL, np.uint8)] * 2)), strict=True
    ):
        _fill(plane, np.broadcast_to(pixels, (plane.height, plane.width)))
    frame.color_range = LIMITED
    return frame


def _fill(plane: VideoPlane, pixels: NDArray[np.uint8]) -> None:
    rows = np.frombuffer(memoryview(plane), np.uint8).reshape(plane.height, plane.line_size)
    rows[:, : plane.width] = pixels
