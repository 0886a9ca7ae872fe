"""`Composer`: joins the result of a frame with what its background or person shall show."""

from threading import Lock
from typing import Any, TypeVar

import av
import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from turbolens.filter.frames.conversion import FrameConverter, Geometry, frame_size
from turbolens.filter.frames.pixel_formats import format_name, plane_samples
from turbolens.filter.settings import rgb_of

from .coverage import Coverage, is_whole

FrameT = TypeVar("FrameT", av.VideoFrame, NDArray[np.uint8])
Array = NDArray[np.uint8]
Samples = NDArray[Any]  # (H, W) or (H, W, samples of a pixel), uint8 or uint16

_BLUR_CELLS = 24  # over the frame's height: too coarse for faces and text, fine enough for a room


class Composer:
    """Puts results over their frames by their coverage. Thread-safe.

    Planes of most formats are composed as they are. Others go through RGB, which is slower.
    """

    def __init__(self) -> None:
        self._converter, self._lock = FrameConverter(), Lock()
        self._filled: tuple[object, list[Samples]] | None = None  # one colour, and what it is for

    def compose(self, result: FrameT, frame: FrameT, coverage: Coverage, outside: str) -> FrameT:
        """The result where it is covered, `outside` elsewhere. May write into `result`.

        outside: "original", "blur" or a colour.
        """
        if is_whole(coverage):
            return result
        targets, originals = _samples(result), _samples(frame)
        if targets is None or originals is None:
            return self._through_rgb(result, frame, coverage, outside)
        others = self._outside(frame, originals, outside)
        for target, other in zip(targets, others, strict=True):
            _cover(target, other, coverage)
        return result

    def outside_only(self, frame: FrameT, outside: str) -> FrameT:
        """The frame with nothing of a result: itself, blurred, or a colour."""
        if outside == "original":
            return frame
        with self._lock:
            other = _outside_of_rgb(self._rgb(frame), outside)
            return self._converter.to_frame(torch.from_numpy(other), frame, _as_it_is(frame))

    def _outside(self, frame: Any, originals: list[Samples], outside: str) -> list[Samples]:
        if outside == "original":
            return originals
        if outside == "blur":
            return [_blurred(each) for each in originals]
        key = (outside, frame_size(frame), *_format_of(frame))
        with self._lock:
            if self._filled is None or self._filled[0] != key:
                width, height = frame_size(frame)
                rgb = np.full((height, width, 3), rgb_of(outside), np.uint8)
                filled = self._converter.to_frame(torch.from_numpy(rgb), frame, _as_it_is(frame))
                self._filled = key, _samples(filled) or []
            return self._filled[1]

    def _through_rgb(
        self, result: FrameT, frame: FrameT, coverage: Coverage, outside: str
    ) -> FrameT:
        with self._lock:
            target, other = self._rgb(result), _outside_of_rgb(self._rgb(frame), outside)
            _cover(target, other, coverage)
            return self._converter.to_frame(torch.from_numpy(target), frame, _as_it_is(frame))

    def _rgb(self, frame: Any) -> Array:
        rgb: Array = self._converter.to_rgb(frame, _as_it_is(frame)).numpy()
        return rgb


def _outside_of_rgb(rgb: Array, outside: str) -> Samples:
    """What is shown outside the region of a frame, in RGB (H, W, 3)."""
    if outside == "original":
        return rgb
    return _blurred(rgb) if outside == "blur" else np.full_like(rgb, rgb_of(outside))


def _samples(frame: Any) -> list[Samples] | None:
    """The samples of each plane as views; `None` for formats that are composed through RGB."""
    return [frame] if isinstance(frame, np.ndarray) else plane_samples(frame)


def _format_of(frame: Any) -> tuple[object, ...]:
    """What decides the numbers of a colour in the planes of a frame."""
    if isinstance(frame, np.ndarray):
        return ("array",)
    return format_name(frame), int(frame.colorspace), int(frame.color_range)


def _as_it_is(frame: Any) -> Geometry:
    width, height = frame_size(frame)
    return Geometry(width, height, width, height, width, height, 0, 0)


def _cover(target: Samples, other: Samples, coverage: Coverage) -> None:
    """target · coverage + other · (1 − coverage), in place; exact where coverage is 0 or 255."""
    height, width = target.shape[:2]
    share: Any = cv2.resize(coverage, (width, height), interpolation=cv2.INTER_LINEAR)
    rows = np.flatnonzero((share != 255).any(1))
    if not len(rows):
        return
    columns = np.flatnonzero((share != 255).any(0))
    box = np.s_[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    weight = share[box]
    if target.ndim == 3:
        weight = cv2.merge([weight] * target.shape[2])
    if target.dtype != np.uint8:
        _cover_words(target[box], other[box], weight)
        return
    covered = cv2.multiply(np.ascontiguousarray(target[box]), weight, scale=1 / 255)
    rest = cv2.multiply(np.ascontiguousarray(other[box]), cv2.bitwise_not(weight), scale=1 / 255)
    target[box] = cv2.add(covered, rest).reshape(target[box].shape)


def _cover_words(target: Samples, other: Samples, weight: Coverage) -> None:
    """The same for samples of 16 bits."""
    share = weight.reshape(target.shape).astype(np.int64)
    target[:] = (target * share + other * (255 - share) + 127) // 255


def _blurred(samples: Samples) -> Samples:
    """Samples so blurred that faces and text cannot be made out."""
    height, width = samples.shape[:2]
    rows = max(1, min(height, _BLUR_CELLS))
    columns = max(1, min(width, round(_BLUR_CELLS * width / height)))
    small = cv2.resize(samples, (columns, rows), interpolation=cv2.INTER_AREA)
    small = cv2.GaussianBlur(small, (0, 0), 1.0)
    return np.asarray(cv2.resize(small, (width, height), interpolation=cv2.INTER_CUBIC))
