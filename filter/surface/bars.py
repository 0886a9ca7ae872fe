"""Black bars around a picture, as a film has them: they stay black, and count for nothing."""

from typing import TypeAlias

import numpy as np

from .planes import Plane, cv2

Inside: TypeAlias = tuple[slice, slice]
"""The rows and columns of a picture that are in no bar."""

_BLACK = 0.06  # the brightest pixel of a row or column of a bar
_STRONGEST = 0.985  # share of the pixels of a picture with less contrast than full lines
_MOST = 0.4  # of a side that a bar may take; what is darker is a dark picture
_UNEVEN = 0.02  # of a side by which two bars differ in width at most
_EDGE = 0.05  # by which the picture is brighter beside a bar


def inside_of(luma: Plane) -> Inside:
    """What is in no bar. luma: (H, W) in 0…1.

    Bars lie on opposite sides and are as wide as each other; else they are dark parts of a picture.
    """
    rows = _between_bars(luma, 0)
    return rows, _between_bars(luma[rows], 1)


def _between_bars(luma: Plane, axis: int) -> slice:
    size, everything = luma.shape[axis], slice(0, luma.shape[axis])
    begin, end = _bright(luma, axis)
    widths = begin, size - end
    if not 0 < min(widths) <= max(widths) <= _MOST * size:
        return everything
    if abs(widths[0] - widths[1]) > max(2.0, _UNEVEN * size):
        return everything
    beside = (np.take(luma, (begin + 1, begin + 2), axis), np.take(luma, (end - 3, end - 2), axis))
    if min(float(each.mean()) for each in beside) < _BLACK + _EDGE:
        return everything
    return slice(begin, end)


def _bright(luma: Plane, axis: int) -> tuple[int, int]:
    """The first row or column that is not black, and the one after the last; zeros without any."""
    brightest = cv2.reduce(luma, 1 - axis, cv2.REDUCE_MAX).ravel()
    bright = np.flatnonzero(brightest > _BLACK)
    return (int(bright[0]), int(bright[-1]) + 1) if bright.size else (0, 0)


def without_bars(lines: Plane, luma: Plane, margin: int) -> None:
    """Set lines in black bars, and within `margin` pixels of them, to 0. Both (H, W)."""
    for axis, size in enumerate(lines.shape):
        begin, end = _bright(luma, axis)
        for bar, here in ((begin, np.s_[: begin + margin]), (size - end, np.s_[end - margin :])):
            if 0 < bar <= _MOST * size:
                (lines if axis == 0 else lines.T)[here] = 0


def strongest_of(lines: Plane) -> float:
    """The contrast of the strongest lines of a picture, bars left out; 0 if there is none."""
    inside = lines[lines != 0]
    return float(np.quantile(inside, _STRONGEST)) if inside.size else 0.0
