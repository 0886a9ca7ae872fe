"""The slate: a dark card that is shown while there is no filtered frame."""

import av
import numpy as np
from av.video.plane import VideoPlane
from numpy.typing import NDArray

BACKGROUND, SYMBOL = 34, 92  # luma
NEUTRAL = 128  # chroma of grey
LIMITED = 1  # FFmpeg's number of the limited colour range


def slate(width: int, height: int) -> av.VideoFrame:
    """A dark frame with the "pause" symbol in the middle, in yuv420p, which every sink accepts.

    It has no text, because the people who see it are not those who run the filter.
    """
    frame = av.VideoFrame(width, height, "yuv420p")
    luma = np.full((height, width), BACKGROUND, np.uint8)
    unit = max(1, min(width, height) // 20)
    top, bottom = height // 2 - 3 * unit, height // 2 + 3 * unit
    for left in (width // 2 - 2 * unit, width // 2 + unit):
        luma[max(0, top) : bottom, max(0, left) : left + unit] = SYMBOL
    chroma = np.full((1, 1), NEUTRAL, np.uint8)
    for plane, pixels in zip(frame.planes, (luma, chroma, chroma), strict=True):
        _fill(plane, np.broadcast_to(pixels, (plane.height, plane.width)))
    frame.color_range = LIMITED
    return frame


def _fill(plane: VideoPlane, pixels: NDArray[np.uint8]) -> None:
    rows = np.frombuffer(memoryview(plane), np.uint8).reshape(plane.height, plane.line_size)
    rows[:, : plane.width] = pixels
