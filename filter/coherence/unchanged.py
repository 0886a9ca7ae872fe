"""Detects frames that equal the last filtered one within the noise of the camera.

The noise is measured: where nothing moves, the difference of two frames is √2 times the sensor's
noise. This noise is white, so it averages out over a block. A block has changed if its mean differs
by more than the noise explains.
"""

import math

import torch

from turbolens.filter.frames.luma import reduced

_BLOCK_PX = 8
_STILL_SHARE = 0.25  # of the blocks are assumed to be still; the noise is measured there
_MAX_NOISE = 8.0  # levels; anything stronger is not noise
_MAX_RISE = 1.1  # of the estimate from frame to frame: motion looks like noise for a moment
_MAX_CORRELATION = 2.0  # noise of the mean of 2×2 pixels, relative to that of white noise
_SIGMAS = 5.5  # exceeded by noise alone in one of 20 million blocks
_MIN_CHANGE = 0.25  # levels by which the mean of a block may always differ


class UnchangedDetector:
    """Detects frames of one stream that show nothing new. Runs on the CPU, where frames arrive.

    noise: the estimate of the sensor's noise in levels of luma, `None` if unknown.
    """

    def __init__(self) -> None:
        self._last_new: torch.Tensor | None = None
        self._last: torch.Tensor | None = None
        self.noise: float | None = None

    def reset(self) -> None:
        """Forget the past and the estimate of the noise: the next camera may have another."""
        self._last_new = self._last = self.noise = None

    def invalidate(self) -> None:
        """Count the next frame as new, because something besides the input has changed."""
        self._last_new = None

    def __call__(self, luma: torch.Tensor) -> bool:
        """True if this luma, float32 (1, 1, H, W) in 0…255, equals that of the last new frame."""
        last, self._last = self._last, luma
        if last is None or last.shape != luma.shape:
            self._last_new, self.noise = luma, None
            return False
        self._measure_noise(luma - last)
        unchanged = self._is_unchanged(luma)
        if not unchanged:
            self._last_new = luma
        return unchanged

    def _is_unchanged(self, luma: torch.Tensor) -> bool:
        if self._last_new is None or self.noise is None:
            return False
        means = _pooled(luma - self._last_new, _BLOCK_PX).abs()
        expected = self.noise * math.sqrt(2) / _BLOCK_PX
        return bool(means.max() <= max(_MIN_CHANGE, _SIGMAS * expected))

    def _measure_noise(self, difference: torch.Tensor) -> None:
        """Update the estimate: down at once, up slowly, and only by white noise."""
        still = _still_deviation(difference, _BLOCK_PX)
        noise = still / math.sqrt(2)
        if noise > _MAX_NOISE or not _is_white(difference, still):
            return
        self.noise = noise if self.noise is None else min(noise, _MAX_RISE * self.noise + 0.02)


def _pooled(difference: torch.Tensor, side: int) -> torch.Tensor:
    """Means of blocks of side × side pixels, or of the whole image if it is smaller."""
    rows, columns = (max(1, each // side) for each in difference.shape[-2:])
    return reduced(difference[..., : rows * side, : columns * side], rows, columns)


def _still_deviation(difference: torch.Tensor, side: int) -> float:
    """The standard deviation within blocks, at the quantile `_STILL_SHARE`."""
    means = _pooled(difference, side)
    variances = _pooled(difference.square(), side) - means.square()
    count = max(1, math.ceil(_STILL_SHARE * variances.numel()))
    return math.sqrt(max(variances.flatten().kthvalue(count).values.item(), 0.0))


def _is_white(difference: torch.Tensor, still: float) -> bool:
    """True if the noise of still blocks shrinks in the mean of 2×2 pixels, like white noise."""
    if still < _MIN_CHANGE:
        return True
    averaged = _pooled(difference, 2)
    return _still_deviation(averaged, _BLOCK_PX // 2) <= _MAX_CORRELATION * still / 2
