"""GStreamer's raw video in memory ↔ `av.VideoFrame`: the same planes, other offsets and strides."""

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import av
import numpy as np
from numpy.typing import NDArray

# GStreamer's name → FFmpeg's, and the bytes of one sample in each plane.
FORMATS: dict[str, tuple[str, tuple[int, ...]]] = {
    "I420": ("yuv420p", (1, 1, 1)),
    "NV12": ("nv12", (1, 2)),
    "RGB": ("rgb24", (3,)),
    "BGR": ("bgr24", (3,)),
    "RGBx": ("rgb0", (4,)),
    "BGRx": ("bgr0", (4,)),
    "RGBA": ("rgba", (4,)),
    "BGRA": ("bgra", (4,)),
    "YUY2": ("yuyv422", (4,)),
    "UYVY": ("uyvy422", (4,)),
    "Y42B": ("yuv422p", (1, 1, 1)),
    "Y444": ("yuv444p", (1, 1, 1)),
    "I420_10LE": ("yuv420p10le", (2, 2, 2)),
    "GRAY8": ("gray", (1,)),
}
PAIRS = ("YUY2", "UYVY")  # 4 bytes hold two pixels


class Layout(NamedTuple):
    """How a picture lies in a buffer: GStreamer's format, and each plane's offset and stride.

    `colorspace` and `color_range` are FFmpeg's numbers, 0 and 2 where nothing is known.
    """

    format: str
    width: int
    height: int
    offsets: Sequence[int]
    strides: Sequence[int]
    colorspace: int = 2
    color_range: int = 0


def frame_from(data: Any, layout: Layout) -> av.VideoFrame:
    """The picture in `data` (any buffer of bytes) as a frame with its own memory."""
    frame = av.VideoFrame(layout.width, layout.height, FORMATS[layout.format][0])
    frame.colorspace, frame.color_range = layout.colorspace, layout.color_range
    for own, given in _rows(frame, data, layout):
        own[:] = given
    return frame


def write_into(data: Any, layout: Layout, frame: av.VideoFrame) -> None:
    """Write the frame, of the same size and format, into `data` (writable); padding stays."""
    for own, given in _rows(frame, data, layout):
        given[:] = own


def _rows(
    frame: av.VideoFrame, data: Any, layout: Layout
) -> Iterator[tuple[NDArray[np.uint8], NDArray[np.uint8]]]:
    """The bytes (rows, bytes in a row) of each plane: those of the frame, those of the buffer."""
    flat: NDArray[np.uint8] = np.frombuffer(data, np.uint8)
    for index, (plane, size) in enumerate(
        zip(frame.planes, FORMATS[layout.format][1], strict=True)
    ):
        samples = (plane.width + 1) // 2 if layout.format in PAIRS else plane.width
        shape = plane.height, samples * size
        own: NDArray[np.uint8] = np.frombuffer(memoryview(plane), np.uint8)
        yield (
            _strided(own, shape, plane.line_size),
            _strided(flat[layout.offsets[index] :], shape, layout.strides[index]),
        )


def _strided(flat: NDArray[np.uint8], shape: tuple[int, int], stride: int) -> NDArray[np.uint8]:
    """`shape` bytes, each row `stride` after the one before. Raises `ValueError` if too few."""
    if stride < shape[1] or len(flat) < (shape[0] - 1) * stride + shape[1]:
        raise ValueError(f"a plane of {shape} bytes at stride {stride} needs more than {len(flat)}")
    return np.lib.stride_tricks.as_strided(flat, shape, (stride, 1))
