"""Detail of the frame, added to a result that is enlarged from the working image.

The working image is smaller than the frame, and its autoencoder smooths it besides, so an enlarged
result is soft. The frame has the missing detail. How much of it belongs to the result, and with
which sign, says a local linear model of the result's luma as a function of the frame's luma, as in
the guided filter (He, Sun and Tang, 2013; He and Sun, "Fast Guided Filter", 2015):

    slope = cov(frame, result) / (var(frame) + ε)

A look that keeps an edge has a slope near 1 there and gets the edge back; a look that removes an
edge has a slope near 0. Detail is added in two places:

1. To the working image, in the octaves of a Laplacian pyramid (Burt and Adelson, 1983). In each
   octave the result gets slope · frame less what it has of the frame already, so that its own
   strokes stay and nothing is sharpened twice.
2. To the enlarged result: slope · (frame − the frame reduced to the working size and enlarged).
"""

from typing import Any, NamedTuple

import av
import cv2
import numpy as np
from av.video.reformatter import ColorRange, Interpolation, VideoReformatter
from numpy.typing import NDArray

from turbolens.filter.errors import FrameError

from .pixel_formats import format_name, luma_view, range_of

Array = NDArray[np.uint8]
Floats = NDArray[np.floating[Any]]

OCTAVES = 2
"""Octaves of the working image that the autoencoder smooths."""
SLOPE_RADIUS, BAND_RADIUS = 2, 3
"""Pixels to each side over which the slope and the contents of an octave are measured."""
FLAT, FLAT_BAND = 30.0, 8.0
"""Variance, in squared levels, that counts as noise: of the frame, and of one octave of it."""
CORE = 2
"""Levels of the finest detail that are taken for noise of the camera."""
MAX_SLOPE = 1.5
_UNIT = 128  # steps of a slope of 1.0 as an integer


class FrameLuma(NamedTuple):
    """The luma of a frame, uint8 (H, W). limited: True if black is 16 and white 235."""

    levels: Array
    limited: bool


class LumaReader:
    """Reads the luma of frames. Not thread-safe: it keeps swscale's context."""

    def __init__(self) -> None:
        self._to_grey = VideoReformatter()

    def __call__(self, frame: av.VideoFrame | Array) -> FrameLuma:
        """The luma of a frame, or of RGB (H, W, 3) uint8. A plane is a view of the frame's memory.

        Raises `FrameError` for formats that swscale cannot read.
        """
        if isinstance(frame, np.ndarray):
            return FrameLuma(np.asarray(cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY)), limited=False)
        plane = luma_view(frame)
        if plane is not None:
            return FrameLuma(plane, range_of(frame) == ColorRange.MPEG)
        try:
            grey = self._to_grey.reformat(
                frame, format="gray", src_color_range=range_of(frame),
                dst_color_range=ColorRange.JPEG, threads=1,
            )  # fmt: skip
        except av.FFmpegError as error:
            raise FrameError(f"{format_name(frame)} frames cannot be read: {error}") from error
        return FrameLuma(np.array(luma_view(grey)), limited=False)


class FrameDetail(NamedTuple):
    """The detail of a frame, which any result of it may get.

    bands: the octaves of the working image, (h, w) and half of that, with the energy of each.
    smallest: the luma without them. beyond: int16 (H, W), the luma less that of the working size,
    without noise. limited: as of `FrameLuma`.
    """

    bands: tuple[tuple[Floats, Floats], ...]
    smallest: Floats
    beyond: NDArray[np.int16]
    limited: bool


class DetailReader:
    """Finds the detail of frames. Not thread-safe: it keeps swscale's context."""

    def __init__(self) -> None:
        self._to_working_size = VideoReformatter()

    def __call__(self, luma: FrameLuma, width: int, height: int) -> FrameDetail:
        """The detail of a frame of this luma, for a working image of this size."""
        reduced = self._at_working_size(luma.levels, width, height)
        size = luma.levels.shape[1], luma.levels.shape[0]
        levels: Any = cv2.resize(reduced, size, interpolation=cv2.INTER_CUBIC)
        cv2.addWeighted(luma.levels, 1.0, levels, -1.0, 128.0, dst=levels)
        pyramid = _pyramid(_full_range(reduced, luma.limited))
        bands = [_band(pyramid, level) for level in range(OCTAVES)]
        return FrameDetail(
            tuple((band, _mean_of_halves(band * band)) for band in bands),
            pyramid[-1], np.asarray(cv2.LUT(levels, _CORED), np.int16), luma.limited,
        )  # fmt: skip

    def _at_working_size(self, luma: Array, width: int, height: int) -> Array:
        """The luma reduced to means of areas by swscale: OpenCV takes four times as long."""
        full = av.VideoFrame.from_ndarray(np.ascontiguousarray(luma), format="gray")
        reduced = self._to_working_size.reformat(
            full, width=width, height=height, interpolation=Interpolation.AREA, threads=1
        )
        plane = luma_view(reduced)
        if plane is None:
            raise RuntimeError("a grey frame has no plane of luma")
        return np.ascontiguousarray(plane)


class DetailTransfer:
    """Adds the detail of frames to their results. Keeps its buffers from frame to frame.

    For each frame call `prepare`, then `add_to_working_image`, then `add_to_full_size`.
    """

    def __init__(self) -> None:
        self._detail: Any = None
        self._amount = 0.0
        self._slope: Any = None
        self._buffers: dict[str, NDArray[Any]] = {}

    def prepare(self, detail: FrameDetail, amount: float) -> None:
        """Take the detail of a frame. amount: the share of it that is added, 0…1."""
        self._detail, self._amount = detail, amount

    def add_to_working_image(self, rgb: Array) -> None:
        """Add the detail of the octaves to the result, RGB (h, w, 3) with all levels, in place.

        The result must be smaller than the frame.
        """
        result = _pyramid(cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY).astype(np.float32))
        self._slope = _slope(self._detail.smallest, result[-1])
        missing = np.zeros_like(result[-1])
        for level in range(OCTAVES - 1, -1, -1):
            band, energy = self._detail.bands[level]
            own = _band(result, level)
            missing = _resized(missing, band, cv2.INTER_CUBIC)
            missing += _missing(band, energy, own, self._slope)
        added = (self._amount * missing).astype(np.int16)
        cv2.add(rgb, cv2.merge((added, added, added)), dst=rgb, dtype=cv2.CV_8U)

    def add_to_full_size(self, target: Array) -> None:
        """Add the detail beyond the working size to the enlarged result, in place.

        target: luma (H, W) in the levels of the frame's luma, or RGB (H, W, 3) with all levels.
        """
        size = target.shape[1], target.shape[0]
        numbers, slope = (self._buffer(name) for name in ("numbers", "slope"))
        cv2.resize((self._slope * _UNIT).astype(np.int16), size, dst=slope)
        widened = 255 / 219 if self._detail.limited and target.ndim == 3 else 1.0
        cv2.multiply(self._detail.beyond, slope, dst=numbers, scale=widened * self._amount / _UNIT)
        added = numbers if target.ndim == 2 else cv2.merge((numbers, numbers, numbers))
        cv2.add(target, added, dst=target, dtype=cv2.CV_8U)

    def _buffer(self, name: str) -> Any:
        """An array of the frame's size. A new one for each frame would cost page faults."""
        buffer, shape = self._buffers.get(name), self._detail.beyond.shape
        if buffer is None or buffer.shape != shape:
            buffer = self._buffers[name] = np.empty(shape, np.int16)
        return buffer


def _full_range(luma: Array, limited: bool) -> Floats:
    levels = luma.astype(np.float32)
    return (levels - 16.0) * (255 / 219) if limited else levels


def _band(pyramid: list[Floats], level: int) -> Floats:
    """One octave of an image."""
    enlarged: Floats = _resized(pyramid[level + 1], pyramid[level], cv2.INTER_CUBIC)
    return pyramid[level] - enlarged


def _pyramid(image: Floats) -> list[Floats]:
    """The image and `OCTAVES` versions of it, each half as large as the one before."""
    levels: list[Any] = [image]
    for _ in range(OCTAVES):
        height, width = levels[-1].shape
        half = (width + 1) // 2, (height + 1) // 2
        levels.append(cv2.resize(levels[-1], half, interpolation=cv2.INTER_AREA))
    return levels


def _slope(frame: Floats, result: Floats) -> Floats:
    """The slope of the result's luma over the frame's, smoothed as the guided filter does."""
    mean_frame, mean_result = _mean(frame, SLOPE_RADIUS), _mean(result, SLOPE_RADIUS)
    variance = _mean(frame * frame, SLOPE_RADIUS) - mean_frame * mean_frame
    covariance = _mean(frame * result, SLOPE_RADIUS) - mean_frame * mean_result
    slope: Floats = _mean(covariance / (variance + FLAT), SLOPE_RADIUS)
    return slope.clip(-MAX_SLOPE, MAX_SLOPE)


def _missing(band: Floats, energy: Any, own: Floats, slope: Floats) -> Floats:
    """What the result's octave `own` lacks of slope · band, the frame's octave of this energy.

    The contents of the octaves are means over many pixels, so they are computed at half the size.
    """
    share = energy + FLAT_BAND
    wanted = _resized(slope, energy, cv2.INTER_LINEAR)
    lacking = wanted - _mean_of_halves(band * own) / share
    lacking[lacking * wanted < 0.0] = 0.0  # the result has more of it than is wanted
    gain = lacking.clip(-MAX_SLOPE, MAX_SLOPE) * energy / share
    missing: Floats = _resized(gain, band, cv2.INTER_LINEAR)
    return np.multiply(missing, band, out=missing)


def _mean_of_halves(image: Floats) -> Any:
    """Means over `BAND_RADIUS` to each side, at half the size."""
    height, width = image.shape
    half = max(1, width // 2), max(1, height // 2)
    means: Any = cv2.resize(image, half, interpolation=cv2.INTER_AREA)
    return _mean(means, BAND_RADIUS // 2)


def _mean(image: Floats, radius: int) -> Any:
    side = 2 * radius + 1
    mean: Any = cv2.blur(image, (side, side), borderType=cv2.BORDER_REFLECT)
    return mean


def _resized(image: Any, like: NDArray[Any], interpolation: int) -> Any:
    return cv2.resize(image, (like.shape[1], like.shape[0]), interpolation=interpolation)


def _cored() -> NDArray[np.int16]:
    levels = np.arange(-128, 128, dtype=np.int16)
    cored: NDArray[np.int16] = np.sign(levels) * np.maximum(np.abs(levels) - CORE, 0)
    return cored.astype(np.int16)


_CORED = _cored()
"""Differences of −128…127, from index 0 on, less the noise."""
