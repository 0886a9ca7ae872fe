"""Fine lines as a pencil draws them, darker where there is more contrast.

A difference of Gaussians at the full size, smeared along the forms (Kang, Lee and Chui, 2007), with
the soft threshold of Winnemöller (2012). Fine texture that repeats inhibits itself, as in
Grigorescu, Petkov and Westenberg (2003): a line stays if there are few others around it.
"""

from functools import lru_cache

import numpy as np

from turbolens.filter.surface.bars import strongest_of, without_bars
from turbolens.filter.surface.canvas import Canvas
from turbolens.filter.surface.ground import Ground
from turbolens.filter.surface.planes import (
    Plane,
    blur,
    coordinates,
    cv2,
    reduced,
    resized,
    smoothstep,
)

_FAINT = 0.012  # contrast of the strongest lines of a picture that has hardly any
_NOISE = 0.006  # contrast of what a camera adds
_AROUND, _QUARTER = 7.0, 4  # units around a line in which others inhibit it, computed at a quarter
_ON_SKIN = 0.35  # share of the inhibition that is left on faces
_BESIDE = 6.0  # sigmas around black bars in which their edge is seen
_CLEARER_SKIN = 0.5
_WEAK = 0.85  # exponent of lines' contrast, so that weak ones are seen beside strong ones
_MOST = 1.6  # contrast that is told apart, as a share of the strongest lines'
_ALONE = 0.7  # of a line's contrast is left if there is no other around it
_WIDER = 1.6  # the outer Gaussian over the inner one


def drawn(
    canvas: Canvas,
    width: float,
    low: float = 0.12,
    high: float = 0.75,
    along: int = 1,
    clutter: float = 2.2,
) -> Plane:
    """Dark lines of the frame, 0…1, (H, W).

    width: of a line, in units. low, high: the contrast at which a line begins and is full, as a
    share of the strongest lines'. along: triplings of the length over which it is one line.
    clutter: how much lines inhibit each other.
    """
    found, contrast = canvas.ahead(ridges, width, along, clutter)
    strongest = canvas.steady(f"lines {width}", np.array([contrast], np.float32))
    scale = 255 / _MOST / max(float(strongest[0]), _FAINT)
    # Not by `convertScaleAbs`, which would show light lines as well.
    return cv2.LUT(cv2.multiply(found, scale, dtype=cv2.CV_8U), _table(low, high))  # type: ignore[no-any-return]


def ridges(ground: Ground, width: float, along: int, clutter: float) -> tuple[Plane, float]:
    """How much each pixel is part of a dark line, (H, W), and how much the strongest lines are.
    width, along, clutter: as of `drawn`."""
    luma, unit = ground.seen.luma, ground.unit
    sigma = max(0.5, 0.6 * width * unit)
    found = blur(luma, _WIDER * sigma) - blur(luma, sigma)
    found = _smeared(ground, found, along) - np.float32(_NOISE)
    without_bars(found, luma, round(_BESIDE * sigma))
    strongest = _ALONE * strongest_of(found[::8, ::8])
    found = cv2.subtract(found, _inhibition(ground, found, clutter))
    skin = resized(ground.skin(), *found.shape)
    return found * (1 + np.float32(_CLEARER_SKIN) * skin), strongest


@lru_cache(maxsize=64)
def _table(low: float, high: float) -> Plane:
    """The darkness of a line by its contrast, in steps of `_MOST` / 255."""
    contrast = np.linspace(0, _MOST, 256, dtype=np.float32) ** np.float32(_WEAK)
    return smoothstep(contrast, low, high)[None]


def _inhibition(ground: Ground, found: Plane, clutter: float) -> Plane:
    """What the lines around each pixel take from it."""
    lines = reduced(cv2.max(found, 0), _QUARTER)
    around = blur(lines, _AROUND * ground.unit / _QUARTER)
    skin = resized(ground.skin(), *around.shape)
    around *= np.float32(clutter) - np.float32(clutter * (1 - _ON_SKIN)) * skin
    return resized(around, *found.shape)


def _smeared(ground: Ground, plane: Plane, triplings: int) -> Plane:
    """A plane (H, W) smeared along the small forms."""
    height, width = plane.shape
    x, y = ground.line_forms().direction
    if x.shape != plane.shape:
        x, y = (
            cv2.resize(each, (width, height), interpolation=cv2.INTER_NEAREST) for each in (x, y)
        )
    columns, rows = coordinates(height, width)
    for step in range(triplings):
        distance = 1.05 * 3**step * ground.unit
        ahead, back = (
            _nearest(plane, cv2.scaleAdd(x, d, columns), cv2.scaleAdd(y, d, rows))
            for d in (distance, -distance)
        )
        cv2.add(ahead, back, dst=ahead)
        plane = cv2.addWeighted(plane, 0.4, ahead, 0.3, 0.0, dst=ahead)
    return plane


def _nearest(plane: Plane, x: Plane, y: Plane) -> Plane:
    """The plane at the pixels nearest to places: means of them are as smooth as bilinear ones."""
    found: Plane = cv2.remap(plane, x, y, cv2.INTER_NEAREST, borderMode=cv2.BORDER_REFLECT_101)
    return found
