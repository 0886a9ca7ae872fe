"""The slate: a dark card that is shown while there is no filtered frame."""

import av
import numpy as np
from av.video.plane import VideoPlane
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

BACKGROUND, SYMBOL = 34, 92  # luma
NEUTRAL = 128  # chroma of grey
LIMITED = 1  # FFmpeg's number of the limited colour range


def slate(width: int, height: int, text: str = "") -> av.VideoFrame:
    """A dark frame with the "pause" symbol in the middle, in yuv420p, which every sink accepts.

    text: written below the symbol, for a wait that is normal. There is none after a failure,
    because the people who see it are not those who run the filter.
    """
    frame = av.VideoFrame(width, height, "yuv420p")
    luma = np.full((height, width), BACKGROUND, np.uint8)
    unit = max(1, min(width, height) // 20)
    top, bottom = height // 2 - 3 * unit, height // 2 + 3 * unit
    for left in (width // 2 - 2 * unit, width // 2 + unit):
        luma[max(0, top) : bottom, max(0, left) : left + unit] = SYMBOL
    if text:
        luma = _with_text(luma, text, top=bottom + unit, size=max(8, 2 * unit))
    chroma = np.full((1, 1), NEUTRAL, np.uint8)
    for plane, pixels in zip(frame.planes, (luma, chroma, chroma), strict=True):
        _fill(plane, np.broadcast_to(pixels, (plane.height, plane.width)))
    frame.color_range = LIMITED
    return frame


def _with_text(luma: NDArray[np.uint8], text: str, *, top: int, size: int) -> NDArray[np.uint8]:
    """The luma (H, W) with centred text. top, size: of the letters, in pixels."""
    image = Image.fromarray(luma)
    font = ImageFont.load_default(size)
    middle = luma.shape[1] / 2
    ImageDraw.Draw(image).text((middle, top), text, fill=SYMBOL, font=font, anchor="ma")
    return np.asarray(image)


def _fill(plane: VideoPlane, pixels: NDArray[np.uint8]) -> None:
    rows = np.frombuffer(memoryview(plane), np.uint8).reshape(plane.height, plane.line_size)
    rows[:, : plane.width] = pixels
