"""Frames that show nothing new: equal to the last filtered one within the camera's noise.

The noise is measured, not assumed: where nothing moves, the difference of two frames is the
sensor's noise alone, √2 times as strong, and white enough to vanish in the mean of a block. A block
whose mean has moved further than the noise explains has something new in it.
"""

import math

import torch
from torch.nn import functional as F

_BLOCK = 8  # pixels
_STILL_SHARE = 0.25  # of the blocks are thought to stand still, and tell the noise
_LOUDEST = 8.0  # levels: what is stronger is not taken for noise
_RISE = 1.1  # a frame may raise the estimate by so much: motion looks like noise for a moment
_WHITE = 2.0  # how much of the noise of white pixels the mean of 2×2 of them may have at most
_SURE = 5.5  # standard deviations: once in 20 million blocks of noise alone
_LEAST = 0.25  # levels: the mean of a block may always change by so much


class RepeatDetector:
    """Tells frames that repeat the last one that did not. Works on the CPU, where frames arrive."""

    def __init__(self) -> None:
        self._shown: torch.Tensor | None = None
        self._last: torch.Tensor | None = None
        self.noise: float | None = None

    def reset(self) -> None:
        """The next frame is new, and the camera may be another."""
        self._shown = self._last = self.noise = None

    def renew(self) -> None:
        """The next frame is new, because something else than the world has changed."""
        self._shown = None

    def __call__(self, luma: torch.Tensor) -> bool:
        """Whether this luma, float32 (1, 1, H, W) in 0…255, is the last new one over again.

        `noise` then is the estimate of the sensor's, in levels of luma.
        """
        last, self._last = self._last, luma
        if last is None or last.shape != luma.shape:
            self._shown, self.noise = luma, None
            return False
        self._measure(luma - last)
        repeated = self._repeats(luma)
        if not repeated:
            self._shown = luma
        return repeated

    def _repeats(self, luma: torch.Tensor) -> bool:
        if self._shown is None or self.noise is None:
            return False
        return self._is_noise(luma - self._shown, self.noise)

    def _measure(self, difference: torch.Tensor) -> None:
        """Follow the sensor's noise: down at once, up slowly, and never by what is not white."""
        still = _still_deviation(difference, _BLOCK)
        now = still / math.sqrt(2)
        if now > _LOUDEST or not _is_white(difference, still):
            return
        self.noise = now if self.noise is None else min(now, _RISE * self.noise + 0.02)

    def _is_noise(self, difference: torch.Tensor, noise: float) -> bool:
        means = _pooled(difference, _BLOCK).abs()
        expected = noise * math.sqrt(2) / _BLOCK
        return bool(means.max() <= max(_LEAST, _SURE * expected))


def _pooled(difference: torch.Tensor, side: int) -> torch.Tensor:
    """Means of whole blocks of side × side pixels, or of all of a smaller picture."""
    height, width = difference.shape[-2:]
    return F.avg_pool2d(difference, (min(side, height), min(side, width)))


def _still_deviation(difference: torch.Tensor, side: int) -> float:
    """The deviation within blocks that the stillest of them stay below."""
    means = _pooled(difference, side)
    variances = _pooled(difference.square(), side) - means.square()
    count = max(1, math.ceil(_STILL_SHARE * variances.numel()))
    return math.sqrt(max(variances.flatten().kthvalue(count).values.item(), 0.0))


def _is_white(difference: torch.Tensor, still: float) -> bool:
    """Whether the stillest blocks' noise shrinks in the mean of neighbours, as noise does."""
    if still < _LEAST:
        return True
    averaged = _pooled(difference, 2)
    return _still_deviation(averaged, _BLOCK // 2) <= _WHITE * still / 2
