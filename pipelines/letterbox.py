"""`Fitter`: any frame → a frame of one size and pixel format, with black bars where needed."""

import av
import numpy as np
from av.video.reformatter import ColorRange, Colorspace, VideoReformatter
from numpy.typing import NDArray

from turbolens.filter.frames.pixel_formats import matrix_of, range_of

BLACK = (16, 128, 128)  # Y, U, V in limited range
ROW_BYTES = {"nv12": (1, 1), "yuyv422": (2,), "uyvy422": (2,), "rgb24": (3,), "rgba": (4,)}
"""Bytes per pixel in each plane. Formats that are not listed have one byte per sample."""


class Fitter:
    """Scales the frames of one stream to BT.601 in limited range, which is what cameras give.

    The result is the frame itself if that fits already, else a new frame. Not thread-safe, because
    it keeps swscale's contexts.
    """

    def __init__(self, width: int, height: int, pixel_format: str = "yuv420p") -> None:
        self.width, self.height, self.pixel_format = width, height, pixel_format
        self._to_size, self._to_format = VideoReformatter(), VideoReformatter()

    def __call__(self, frame: av.VideoFrame) -> av.VideoFrame:
        """The whole frame, centred in the new one, with the same `pts` and `time_base`."""
        width, height = self._inner_size(frame)
        if (width, height) == (self.width, self.height):
            return self._converted(
                self._to_size, frame, pixel_format=self.pixel_format, size=(width, height)
            )
        inner = self._converted(self._to_size, frame, pixel_format="yuv420p", size=(width, height))
        canvas = self._centred(inner)
        if frame.time_base is not None:
            canvas.pts, canvas.time_base = frame.pts, frame.time_base
        return self._converted(
            self._to_format, canvas, pixel_format=self.pixel_format, size=(self.width, self.height)
        )

    def _centred(self, inner: av.VideoFrame) -> av.VideoFrame:
        """A yuv420p frame in the middle of a black one of the final size."""
        canvas = av.VideoFrame(self.width, self.height, "yuv420p")
        canvas.colorspace, canvas.color_range = Colorspace.ITU601, ColorRange.MPEG
        left, top = (self.width - inner.width) // 4 * 2, (self.height - inner.height) // 4 * 2
        for index, black in enumerate(BLACK):
            target, pixels, plane = _rows(canvas, index), _rows(inner, index), inner.planes[index]
            scale = 1 if index == 0 else 2
            rows = slice(top // scale, top // scale + plane.height)
            columns = slice(left // scale, left // scale + plane.width)
            target[:] = black
            target[rows, columns] = pixels[:, : plane.width]
        return canvas

    def _inner_size(self, frame: av.VideoFrame) -> tuple[int, int]:
        """The largest size with the frame's shape. One or two missing pixels are stretched."""
        scale = min(self.width / frame.width, self.height / frame.height)
        width, height = (round(side * scale / 2) * 2 for side in (frame.width, frame.height))
        width = self.width if self.width - width < 4 else width
        height = self.height if self.height - height < 4 else height
        return max(2, width), max(2, height)

    @staticmethod
    def _converted(
        reformatter: VideoReformatter,
        frame: av.VideoFrame,
        *,
        pixel_format: str,
        size: tuple[int, int],
    ) -> av.VideoFrame:
        rgb = pixel_format.startswith("rgb")
        return reformatter.reformat(
            frame, width=size[0], height=size[1], format=pixel_format,
            src_colorspace=matrix_of(frame), src_color_range=range_of(frame),
            dst_colorspace=Colorspace.ITU601,
            dst_color_range=ColorRange.JPEG if rgb else ColorRange.MPEG,
        )  # fmt: skip


def own_copy(frame: av.VideoFrame) -> av.VideoFrame:
    """A copy of the frame in its own memory, with the same time and colour tags."""
    copy = av.VideoFrame(frame.width, frame.height, frame.format.name)
    for index, plane in enumerate(frame.planes):
        source, target = _rows(frame, index), _rows(copy, index)
        used = min(plane.line_size, copy.planes[index].line_size)
        target[:, :used] = source[:, :used]
    copy.pts = frame.pts
    if frame.time_base is not None:
        copy.time_base = frame.time_base
    copy.colorspace, copy.color_range = frame.colorspace, frame.color_range
    return copy


def packed_bytes(frame: av.VideoFrame) -> NDArray[np.uint8]:
    """The pixels of all planes without padding, (bytes,) uint8."""
    per_pixel = ROW_BYTES.get(frame.format.name)
    parts = []
    for index, plane in enumerate(frame.planes):
        used = plane.width if per_pixel is None else frame.width * per_pixel[index]
        parts.append(_rows(frame, index)[:, :used].reshape(-1))
    return np.concatenate(parts)


def _rows(frame: av.VideoFrame, index: int) -> NDArray[np.uint8]:
    """The bytes of a plane with their padding, (height, line size)."""
    plane = frame.planes[index]
    flat: NDArray[np.uint8] = np.frombuffer(memoryview(plane), np.uint8)
    return flat[: plane.height * plane.line_size].reshape(plane.height, plane.line_size)
