"""Converts `av.VideoFrame` or RGB array ↔ RGB tensor ↔ image tensor: colour, size and aspect.

An RGB tensor is uint8 (height, width, 3) on the CPU. An image is a float tensor (B, 3, H, W) in
−1…1. Colour matrix and range follow the tags of the frame. Untagged frames are BT.709 from 720 rows
or 1280 columns on, else BT.601, and limited range, except yuvj and grey formats, which are full.
"""

from collections.abc import Sequence
from typing import overload

import av
import cv2
import numpy as np
import torch
from av.video.reformatter import ColorRange, Interpolation, VideoReformatter
from numpy.typing import NDArray

from turbolens.filter.errors import FrameError

from .detail import DetailReader, DetailTransfer, FrameDetail, LumaReader
from .geometry import Geometry, working_geometry
from .pixel_formats import (
    compress_range,
    copy_alpha,
    expand_range,
    format_name,
    is_limited_grey,
    luma_view,
    matrix_of,
    range_of,
    rgb_view,
)

__all__ = [
    "FrameConverter",
    "Geometry",
    "frame_size",
    "image_from_rgb",
    "rgb_from_image",
    "stacked_rgb",
    "working_geometry",
]

Array = NDArray[np.uint8]

# Without full chroma interpolation swscale repeats chroma samples, and coloured edges move.
_EXACT = Interpolation.ACCURATE_RND | Interpolation.FULL_CHR_H_INT
_SMOOTH = Interpolation.BILINEAR | _EXACT
_SHARP = Interpolation.BICUBIC | _EXACT


def frame_size(frame: av.VideoFrame | Array) -> tuple[int, int]:
    """Width and height in pixels. Raises `FrameError` if it is neither a frame nor an RGB array."""
    if isinstance(frame, av.VideoFrame):
        return frame.width, frame.height
    if not isinstance(frame, np.ndarray):
        raise FrameError(
            f"expected an av.VideoFrame or a uint8 array (H, W, 3), got {type(frame).__name__}"
        )
    if frame.dtype != np.uint8 or frame.ndim != 3 or frame.shape[2] != 3:
        raise FrameError(
            f"an array must be uint8 (H, W, 3) in RGB order, got {frame.dtype} {frame.shape}"
        )
    return frame.shape[1], frame.shape[0]


def image_from_rgb(
    rgb: Sequence[torch.Tensor], device: torch.device | str, dtype: torch.dtype
) -> torch.Tensor:
    """RGB tensors of one size → image (B, 3, H, W) in −1…1, channels last, on `device`."""
    stacked = stacked_rgb(rgb, torch.device(device)).permute(0, 3, 1, 2)
    return stacked.to(dtype).div_(127.5).sub_(1.0)


def stacked_rgb(rgb: Sequence[torch.Tensor], device: torch.device) -> torch.Tensor:
    """RGB tensors of one size → (B, H, W, 3) uint8 on `device`. Does not wait for CUDA."""
    stacked = torch.stack(tuple(rgb))
    if device.type != "cuda":
        return stacked.to(device)
    return stacked.pin_memory().to(device, non_blocking=True)


def rgb_from_image(image: torch.Tensor) -> list[torch.Tensor]:
    """Image (B, 3, H, W) in −1…1 → B RGB tensors, each with its own memory.

    Rounded in float32, because bfloat16 cannot represent every level above 128.
    """
    if image.device.type == "cpu":
        return [_rgb_of_planes(planes) for planes in image.float()]
    levels = image.permute(0, 2, 3, 1).float().add(1.0).mul_(127.5).round_().clamp_(0, 255)
    batch = _on_host(levels.to(torch.uint8))
    return [rgb.clone(memory_format=torch.contiguous_format) for rgb in batch]


def _rgb_of_planes(image: torch.Tensor) -> torch.Tensor:
    """Image (3, H, W) float32 in −1…1 on the CPU → RGB; four times as fast as by PyTorch."""
    planes = image.detach().contiguous().numpy()
    levels = [cv2.addWeighted(each, 127.5, each, 0.0, 127.5, dtype=cv2.CV_8U) for each in planes]
    return torch.from_numpy(cv2.merge(levels))


def _on_host(batch: torch.Tensor) -> torch.Tensor:
    """The batch in main memory; from CUDA through pinned memory, which is faster."""
    if batch.device.type != "cuda":
        return batch.cpu()
    on_host = batch.to("cpu", non_blocking=True)  # PyTorch pins the memory of such copies
    torch.cuda.current_stream(batch.device).synchronize()
    return on_host


class FrameConverter:
    """Converts the frames of one stream. Not thread-safe: it keeps swscale's contexts.

    swscale rebuilds a context (0.5 ms at 720p) when sizes or formats change, so each conversion has
    its own. Results never share memory with the arguments.
    """

    def __init__(self) -> None:
        self._to_working_rgb = VideoReformatter()
        self._to_carrier = VideoReformatter()
        self._to_other = VideoReformatter()
        self._to_original = VideoReformatter()
        self._to_full_size = VideoReformatter()
        self._to_format = VideoReformatter()
        self._read_luma = LumaReader()
        self._read_detail, self._detail = DetailReader(), DetailTransfer()

    def to_rgb(self, frame: av.VideoFrame | Array, geometry: Geometry) -> torch.Tensor:
        """Frame → RGB uint8 (geometry.height, geometry.width, 3), contiguous, on the CPU."""
        _check_size(frame, geometry)
        size = geometry.scaled_width, geometry.scaled_height
        scaled = rgb_view(_to_rgb(self._to_working_rgb, _as_frame(frame), size))
        corner = geometry.left, geometry.top
        return torch.from_numpy(_window(scaled, corner, (geometry.width, geometry.height)))

    @overload
    def to_frame(
        self, rgb: torch.Tensor, like: av.VideoFrame, geometry: Geometry,
        mix: float = 1.0, *, detail: float = 0.0, frame_detail: FrameDetail | None = None,
    ) -> av.VideoFrame: ...  # fmt: skip
    @overload
    def to_frame(
        self, rgb: torch.Tensor, like: Array, geometry: Geometry,
        mix: float = 1.0, *, detail: float = 0.0, frame_detail: FrameDetail | None = None,
    ) -> Array: ...  # fmt: skip
    def to_frame(
        self,
        rgb: torch.Tensor,
        like: av.VideoFrame | Array,
        geometry: Geometry,
        mix: float = 1.0,
        *,
        detail: float = 0.0,
        frame_detail: FrameDetail | None = None,
    ) -> av.VideoFrame | Array:
        """RGB → a frame or array with the size, format, time, colour tags and side data of `like`.

        `mix` is the share of `rgb`, 0…1. The rest, and the border that fit="cover" cropped, is
        `like` itself. `detail` is the share of the detail of `like` that is added, 0…1;
        `frame_detail` is that detail, if it is known. Raises `FrameError` for formats that
        swscale cannot write (palettes).
        """
        _check_size(like, geometry)
        _check_rgb(rgb, geometry)
        corner = -geometry.left, -geometry.top
        size = geometry.scaled_width, geometry.scaled_height
        original = _as_frame(like)
        styled = self._carrier(original, size)
        rgb_view(styled)[:] = _window(rgb.numpy(), corner, size)
        has_detail = detail > 0.0 and geometry.is_enlarged
        if has_detail:
            if frame_detail is None:
                frame_detail = self._read_detail(self._read_luma(like), *size)
            self._detail.prepare(frame_detail, detail)
            self._detail.add_to_working_image(rgb_view(styled))
        lacks_luma = detail > 0.0 and luma_view(original) is None
        is_blended = mix < 1.0 or not geometry.covers_frame
        if isinstance(like, av.VideoFrame) and not (is_blended or lacks_luma):
            return self._enlarged(like, styled, has_detail=has_detail)
        styled = _to_rgb(self._to_full_size, styled, (geometry.frame_width, geometry.frame_height))
        if has_detail:
            self._detail.add_to_full_size(rgb_view(styled))
        self._blend_into(styled, original, geometry, mix)
        if isinstance(like, np.ndarray):
            return np.array(rgb_view(styled))
        return self._in_format_of(like, styled)

    def _enlarged(
        self, like: av.VideoFrame, styled: av.VideoFrame, *, has_detail: bool
    ) -> av.VideoFrame:
        """The result in the size and format of `like` by one call of swscale, with its detail."""
        frame = self._in_format_of(like, styled)
        plane = luma_view(frame)
        if has_detail and plane is not None:
            self._detail.add_to_full_size(plane)
        return frame

    def _carrier(self, like: av.VideoFrame, size: tuple[int, int]) -> av.VideoFrame:
        """An rgb24 frame with the time, side data and metadata of `like`, to be overwritten.

        In PyAV only swscale copies side data (rotation, HDR) to a new frame.
        """
        carrier = _to_rgb(self._to_carrier, like, size, Interpolation.POINT)
        if carrier is like:  # nothing to convert, and `like` must not be overwritten
            # Not by the frame's own context: another thread may use the frame too, and both would
            # wait for each other.
            other = self._to_other.reformat(like, format="bgr24", threads=1)
            carrier = _to_rgb(self._to_carrier, other, size)
        return carrier

    def _blend_into(
        self, styled: av.VideoFrame, original: av.VideoFrame, geometry: Geometry, mix: float
    ) -> None:
        """Blend `original` into the covered part of `styled` by 1 − mix, and copy it around it.

        Chroma samples of `original` are repeated, not interpolated. This is 16 × faster, and the
        conversion back to its format restores them.
        """
        if mix >= 1.0 and geometry.covers_frame:
            return
        size = geometry.frame_width, geometry.frame_height
        before = rgb_view(_to_rgb(self._to_original, original, size, Interpolation.BILINEAR))
        target = rgb_view(styled)
        left, top, right, bottom = geometry.covered
        inside = np.s_[top:bottom, left:right]
        blended = _mixed(before[inside], target[inside], mix)
        if not geometry.covers_frame:
            target[:] = before
        target[inside] = blended

    def _in_format_of(self, like: av.VideoFrame, styled: av.VideoFrame) -> av.VideoFrame:
        """RGB of any size → the size, format, tags and alpha of `like`."""
        if is_limited_grey(like):
            compress_range(rgb_view(styled))
        try:
            frame = self._to_format.reformat(
                styled, width=like.width, height=like.height, format=format_name(like),
                src_colorspace=matrix_of(like), dst_colorspace=matrix_of(like),
                src_color_range=ColorRange.JPEG, dst_color_range=range_of(like),
                interpolation=_SHARP, threads=1,
            )  # fmt: skip
        except av.FFmpegError as error:
            name = format_name(like)
            raise FrameError(f"{name} frames cannot be written; convert to rgb24 first") from error
        frame.colorspace, frame.color_range = like.colorspace, like.color_range
        frame.pict_type = 0  # an encoder must not be told the input's key frames
        copy_alpha(like, frame)
        return frame


def _to_rgb(
    reformatter: VideoReformatter,
    frame: av.VideoFrame,
    size: tuple[int, int],
    interpolation: Interpolation = _SMOOTH,
) -> av.VideoFrame:
    """The frame as rgb24 of this size in one swscale call; the same frame if it already is."""
    matrix = matrix_of(frame)
    try:
        rgb = reformatter.reformat(
            frame, width=size[0], height=size[1], format="rgb24",
            src_colorspace=matrix, dst_colorspace=matrix,
            src_color_range=range_of(frame), dst_color_range=ColorRange.JPEG,
            interpolation=interpolation, threads=1,
        )  # fmt: skip
    except av.FFmpegError as error:
        raise FrameError(f"{format_name(frame)} frames cannot be read: {error}") from error
    if is_limited_grey(frame):
        expand_range(rgb_view(rgb))
    return rgb


def _as_frame(frame: av.VideoFrame | Array) -> av.VideoFrame:
    if isinstance(frame, np.ndarray):
        return av.VideoFrame.from_ndarray(np.ascontiguousarray(frame), format="rgb24")
    return frame


def _window(pixels: Array, corner: tuple[int, int], size: tuple[int, int]) -> Array:
    """A copy of the window of `size` (width, height) at `corner`; edges are replicated."""
    height, width = pixels.shape[:2]
    columns = np.clip(np.arange(corner[0], corner[0] + size[0]), 0, width - 1)
    rows = np.clip(np.arange(corner[1], corner[1] + size[1]), 0, height - 1)
    if corner == (0, 0) and size == (width, height):
        return np.array(pixels)
    return np.ascontiguousarray(pixels[rows][:, columns])


def _mixed(before: Array, after: Array, mix: float) -> Array:
    """before · (1 − mix) + after · mix, rounded, in 1/256 steps of mix (integers: 4 × faster)."""
    share = round(mix * 256)
    weighted = before.astype(np.uint16) * np.uint16(256 - share)
    weighted += after.astype(np.uint16) * np.uint16(share) + np.uint16(128)  # 65408 at most
    return (weighted >> 8).astype(np.uint8)


def _check_size(frame: av.VideoFrame | Array, geometry: Geometry) -> None:
    width, height = frame_size(frame)
    if (width, height) != (geometry.frame_width, geometry.frame_height):
        expected = f"{geometry.frame_width}×{geometry.frame_height}"
        raise FrameError(f"this geometry is for frames of {expected}, got {width}×{height}")


def _check_rgb(rgb: torch.Tensor, geometry: Geometry) -> None:
    expected = (geometry.height, geometry.width, 3)
    if tuple(rgb.shape) != expected or rgb.dtype != torch.uint8:
        raise FrameError(f"an image must be uint8 {expected}, got {rgb.dtype} {tuple(rgb.shape)}")
