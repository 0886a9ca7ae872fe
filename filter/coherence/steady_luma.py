"""The luma of frames without the noise of the camera, for the detail that a result gets."""

import cv2
import numpy as np
from numpy.typing import NDArray

from turbolens.filter.frames.detail import FrameLuma

NOISE, CHANGE = 8, 20
"""Levels: a difference up to `NOISE` is followed one level a frame, one of `CHANGE` at once."""


class SteadyLuma:
    """A recursive temporal filter of luma, pixel by pixel.

    Small differences from the last frame are taken for noise and followed by one level a frame, as
    in sigma-delta background estimation (Manzanera and Richefeu, 2007); large ones are taken for
    motion and followed at once.
    """

    def __init__(self) -> None:
        self._last: FrameLuma | None = None

    def reset(self) -> None:
        """Forget the past."""
        self._last = None

    def __call__(self, luma: FrameLuma) -> FrameLuma:
        """The luma of the next frame, with less noise. It has its own memory."""
        last = self._last
        if last is None or last.limited != luma.limited or last.levels.shape != luma.levels.shape:
            levels = np.array(luma.levels)
        else:
            difference = cv2.addWeighted(luma.levels, 1.0, last.levels, -1.0, 128.0)
            levels = np.asarray(cv2.add(last.levels, cv2.LUT(difference, _STEPS), dtype=cv2.CV_8U))
            cv2.copyTo(luma.levels, _changed(luma.levels, last.levels), levels)
        self._last = FrameLuma(levels, luma.limited)
        return self._last


def _changed(first: NDArray[np.uint8], second: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Nonzero where two frames differ by `CHANGE` or more."""
    _, mask = cv2.threshold(cv2.absdiff(first, second), CHANGE - 1, 255, cv2.THRESH_BINARY)
    return np.asarray(mask, np.uint8)


def _steps() -> NDArray[np.int16]:
    difference = np.arange(-128, 128, dtype=np.float64)
    followed = np.interp(np.abs(difference), [1, 2, NOISE, CHANGE], [0, 1, 1, CHANGE])
    return (np.sign(difference) * np.rint(followed)).astype(np.int16)


_STEPS = _steps()
"""How far each difference, −128…127 from index 0 on, is followed."""
