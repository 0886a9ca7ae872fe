"""Black bars around a picture: their edges are no lines, and do not count as contrast."""

import numpy as np

from turbolens.filter.surface.planes import Plane, cv2

_BLACK = 0.06  # the brightest pixel of a row or column of a bar
_STRONGEST = 0.985  # share of the pixels of a picture with less contrast than full lines
_MOST = 0.4  # of a side that a bar may take; what is darker is a dark picture


def without_bars(lines: Plane, luma: Plane, margin: int) -> None:
    """Set lines in black bars, and within `margin` pixels of them, to 0. Both (H, W)."""
    for axis, size in enumerate(lines.shape):
        brightest = cv2.reduce(luma, 1 - axis, cv2.REDUCE_MAX).ravel()
        bright = np.flatnonzero(brightest > _BLACK)
        if bright.size == 0:
            continue
        for bar, here in (
            (int(bright[0]), np.s_[: bright[0] + margin]),
            (size - 1 - int(bright[-1]), np.s_[bright[-1] + 1 - margin :]),
        ):
            if 0 < bar <= _MOST * size:
                (lines if axis == 0 else lines.T)[here] = 0


def strongest_of(lines: Plane) -> float:
    """The contrast of the strongest lines of a picture, bars left out; 0 if there is none."""
    inside = lines[lines != 0]
    return float(np.quantile(inside, _STRONGEST)) if inside.size else 0.0
