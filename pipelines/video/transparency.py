"""Whether pixels of a frame are in fact transparent; many formats have alpha that is unused."""

import av
import numpy as np
from numpy.typing import NDArray

from .encoders.choice import has_alpha

PALETTE = "pal8"
OPAQUE = 255
UNREADABLE_BITS = 32  # a sample; swscale converts few such formats, and aborts for some


def is_transparent(frame: av.VideoFrame) -> bool:
    """True if a pixel is not opaque, and for all YUV with alpha.

    Decoders of GIF and PNG give RGB with alpha for opaque pictures too. YUV with alpha is only
    used where a later frame is transparent if the first is not.
    """
    if frame.format.name == PALETTE:
        return _has_transparent_colour(frame)
    bits = max(component.bits for component in frame.format.components)
    if not frame.format.is_rgb or not has_alpha(frame) or bits >= UNREADABLE_BITS:
        return has_alpha(frame)
    alpha = _plane(frame.reformat(format="yuva444p"), 3)[:, : frame.width]
    return bool((alpha < OPAQUE).any())


def palette_format(frame: av.VideoFrame) -> str:
    """The format to which a frame with a palette is converted."""
    return "rgba" if is_transparent(frame) else "rgb24"


def _has_transparent_colour(frame: av.VideoFrame) -> bool:
    used = np.unique(_plane(frame, 0)[:, : frame.width])
    colours = np.frombuffer(memoryview(frame.planes[1]), np.uint8)[: 4 * 256].reshape(256, 4)
    return bool((colours[used, 3] < OPAQUE).any())


def _plane(frame: av.VideoFrame, index: int) -> NDArray[np.uint8]:
    plane = frame.planes[index]
    return np.frombuffer(memoryview(plane), np.uint8).reshape(plane.height, plane.line_size)
