"""Formats and tags of frames: colour matrix, range, alpha, and planes as arrays."""

import sys
from typing import Any

import av
import numpy as np
from av.video.reformatter import ColorRange, Colorspace
from numpy.typing import NDArray

from turbolens.filter.errors import FrameError

# AVColorSpace, the frame's tag, to swscale's numbers for the matrices that it knows.
_MATRICES = {
    1: Colorspace.ITU709,
    4: Colorspace.FCC,
    5: Colorspace.ITU601,
    6: Colorspace.ITU601,
    7: Colorspace.SMPTE240M,
    9: Colorspace.BT2020,
}
_UNTAGGED = (0, 2)  # 0 is the identity matrix of RGB

# Offset and size of alpha within a packed pixel, and the size of the pixel, in bytes.
_PACKED_ALPHA = {
    "rgba": (3, 1, 4), "bgra": (3, 1, 4), "argb": (0, 1, 4), "abgr": (0, 1, 4),
    "rgba64le": (6, 2, 8), "rgba64be": (6, 2, 8), "bgra64le": (6, 2, 8), "bgra64be": (6, 2, 8),
    "ya8": (1, 1, 2), "ya16le": (2, 2, 4), "ya16be": (2, 2, 4),
    "vuya": (3, 1, 4), "ayuv": (0, 1, 4), "uyva": (3, 1, 4), "ayuv64le": (0, 2, 8),
}  # fmt: skip

# The samples of a pixel in each plane, and their type.
_PLANE_SAMPLES: dict[str, tuple[tuple[int, ...], type[np.generic]]] = {
    **dict.fromkeys(
        ("yuv420p", "yuvj420p", "yuv422p", "yuvj422p", "yuv444p", "yuvj444p", "gbrp"),
        ((1, 1, 1), np.uint8),
    ),
    **dict.fromkeys(("nv12", "nv21"), ((1, 2), np.uint8)),
    **dict.fromkeys(("rgb24", "bgr24"), ((3,), np.uint8)),
    "gray": ((1,), np.uint8),
}
if sys.byteorder == "little":
    _PLANE_SAMPLES |= dict.fromkeys(
        ("yuv420p10le", "yuv422p10le", "yuv444p10le", "yuv420p12le"), ((1, 1, 1), np.uint16)
    )
    _PLANE_SAMPLES["p010le"] = (1, 2), np.uint16

_PIXEL_PAIRS = {"yuyv422", "uyvy422", "yvyu422"}


def format_name(frame: av.VideoFrame) -> str:
    """The name of the pixel format; for a frame in GPU memory, its format after the download."""
    return (frame.sw_format or frame.format).name


def matrix_of(frame: av.VideoFrame) -> Colorspace:
    """The frame's colour matrix. Untagged: BT.709 from 720 rows or 1280 columns on, else BT.601.

    Raises `FrameError` for matrices that swscale does not support (YCgCo, ICtCp, constant
    luminance).
    """
    tag = int(frame.colorspace)
    if tag in _MATRICES:
        return _MATRICES[tag]
    if tag in _UNTAGGED or frame.format.is_rgb:
        large = frame.height >= 720 or frame.width >= 1280
        return Colorspace.ITU709 if large else Colorspace.ITU601
    raise FrameError(
        "the colour matrix must be BT.601, BT.709, BT.2020, FCC or SMPTE 240M, "
        f"got AVColorSpace {tag}; convert the video to BT.709 first"
    )


def range_of(frame: av.VideoFrame) -> ColorRange:
    """The frame's range: full for RGB and yuvj. Untagged: full for grey, limited for YUV."""
    name = format_name(frame)
    if frame.format.is_rgb or name.startswith("yuvj"):
        return ColorRange.JPEG
    tag = int(frame.color_range)
    if tag in (ColorRange.MPEG, ColorRange.JPEG):
        return ColorRange(tag)
    return ColorRange.JPEG if _is_grey(name) else ColorRange.MPEG


def _is_grey(name: str) -> bool:
    return name.startswith(("gray", "ya"))


def is_limited_grey(frame: av.VideoFrame) -> bool:
    """True for limited-range grey, which swscale takes for full range."""
    return _is_grey(format_name(frame)) and range_of(frame) == ColorRange.MPEG


def expand_range(pixels: NDArray[np.uint8]) -> None:
    """Limited levels 16…235 to full ones 0…255, in place."""
    levels = (np.arange(256) - 16) * (255 / 219)
    pixels[:] = np.rint(levels).clip(0, 255).astype(np.uint8)[pixels]


def compress_range(pixels: NDArray[np.uint8]) -> None:
    """Full levels 0…255 to limited ones 16…235, in place."""
    levels = np.arange(256) * (219 / 255) + 16
    pixels[:] = np.rint(levels).astype(np.uint8)[pixels]


def luma_view(frame: av.VideoFrame) -> NDArray[np.uint8] | None:
    """The luma (H, W), a view of the frame's memory; `None` without a plane of 8-bit samples."""
    first = frame.format.components[0]
    planar = first.bits == 8 and not frame.format.is_rgb and not frame.format.has_palette
    if not planar or sum(part.plane == 0 for part in frame.format.components) != 1:
        return None
    return _plane_rows(frame, 0)[:, : frame.width]


def rgb_view(frame: av.VideoFrame) -> NDArray[np.uint8]:
    """The pixels of an rgb24 frame, (H, W, 3), as a view of its memory."""
    return _plane_rows(frame, 0)[:, : 3 * frame.width].reshape(frame.height, frame.width, 3)


def plane_samples(frame: av.VideoFrame) -> list[NDArray[Any]] | None:
    """The samples of each plane, (H, W) or (H, W, samples of a pixel), views of its memory.

    uint8, or uint16 for more bits. In packed formats with half the chroma, such as yuyv422, two
    pixels count as one. `None` for formats with alpha or a palette, and for rare ones.
    """
    if frame.format.name in _PIXEL_PAIRS and frame.width % 2 == 0:
        rows = _plane_rows(frame, 0)[:, : 2 * frame.width]
        return [rows.reshape(frame.height, frame.width // 2, 4)]
    samples = _PLANE_SAMPLES.get(frame.format.name)
    if samples is None:
        return None
    counts, dtype = samples
    return [_samples_of(frame.planes[index], count, dtype) for index, count in enumerate(counts)]


def _samples_of(plane: Any, count: int, dtype: type[np.generic]) -> NDArray[Any]:
    rows = np.frombuffer(memoryview(plane), dtype).reshape(plane.height, -1)
    samples = rows[:, : plane.width * count]
    return samples if count == 1 else samples.reshape(plane.height, plane.width, count)


def copy_alpha(source: av.VideoFrame, target: av.VideoFrame) -> None:
    """Copy the alpha of `source` to `target`, which has the same size and format.

    Raises `FrameError` for packed formats with unknown position of alpha.
    """
    alpha_planes = [part.plane for part in source.format.components if part.is_alpha]
    if not alpha_planes:
        return
    plane = alpha_planes[0]
    rows, target_rows = _plane_rows(source, plane), _plane_rows(target, plane)
    if sum(part.plane == plane for part in source.format.components) == 1:
        width = min(rows.shape[1], target_rows.shape[1])
        target_rows[:, :width] = rows[:, :width]
        return
    if source.format.name not in _PACKED_ALPHA:
        raise FrameError(f"alpha of {source.format.name} frames is not supported; use rgba")
    offset, size, step = _PACKED_ALPHA[source.format.name]
    for part in range(offset, offset + size):
        columns = slice(part, step * source.width, step)
        target_rows[:, columns] = rows[:, columns]


def _plane_rows(frame: av.VideoFrame, index: int) -> NDArray[np.uint8]:
    """The bytes of a plane, one row for each line, with padding at the end."""
    plane = frame.planes[index]
    flat: NDArray[np.uint8] = np.frombuffer(memoryview(plane), np.uint8)
    return flat.reshape(plane.height, plane.line_size)
