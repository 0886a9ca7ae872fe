"""Copying between GStreamer's raw video buffers and `av.VideoFrame`, plane by plane."""

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import av
import numpy as np
from numpy.typing import NDArray

# GStreamer's format → FFmpeg's name, and the bytes per sample of each plane.
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
PACKED_422 = ("YUY2", "UYVY")  # 4 bytes hold two pixels


class Layout(NamedTuple):
    """The layout of a frame in a buffer: GStreamer's format, offset and stride of each plane.

    colorspace, color_range: FFmpeg's numbers; 2 and 0 if unknown.
    """

    format: str
    width: int
    height: int
    offsets: Sequence[int]
    strides: Sequence[int]
    colorspace: int = 2
    color_range: int = 0


def frame_from(data: Any, layout: Layout) -> av.VideoFrame:
    """Copy the frame in `data`, any buffer of bytes. Raises `ValueError` if `data` is too short."""
    frame = av.VideoFrame(layout.width, layout.height, FORMATS[layout.format][0])
    frame.colorspace, frame.color_range = layout.colorspace, layout.color_range
    for frame_rows, data_rows in _rows(frame, data, layout):
        frame_rows[:] = data_rows
    return frame


def write_into(data: Any, layout: Layout, frame: av.VideoFrame) -> None:
    """Copy the frame into `data`, a writable buffer of this layout. Padding is left as it is."""
    for frame_rows, data_rows in _rows(frame, data, layout):
        data_rows[:] = frame_rows


def _rows(
    frame: av.VideoFrame, data: Any, layout: Layout
) -> Iterator[tuple[NDArray[np.uint8], NDArray[np.uint8]]]:
    """Views of each plane in the frame and in the buffer: (rows, bytes per row) uint8."""
    flat: NDArray[np.uint8] = np.frombuffer(data, np.uint8)
    for index, (plane, size) in enumerate(
        zip(frame.planes, FORMATS[layout.format][1], strict=True)
    ):
        samples = (plane.width + 1) // 2 if layout.format in PACKED_422 else plane.width
        shape = plane.height, samples * size
        own: NDArray[np.uint8] = np.frombuffer(memoryview(plane), np.uint8)
        yield (
            _strided(own, shape, plane.line_size),
            _strided(flat[layout.offsets[index] :], shape, layout.strides[index]),
        )


def _strided(flat: NDArray[np.uint8], shape: tuple[int, int], stride: int) -> NDArray[np.uint8]:
    """A view of `shape` bytes, with rows `stride` bytes apart. Raises `ValueError` if too short."""
    if stride < shape[1] or len(flat) < (shape[0] - 1) * stride + shape[1]:
        raise ValueError(f"a plane of {shape} bytes at stride {stride} needs more than {len(flat)}")
    return np.lib.stride_tricks.as_strided(flat, shape, (stride, 1))
