"""Strokes as a painter lays them: large ones first, then finer ones where there is more to see.

After Hertzmann (1998). A stroke has one colour, that of its middle, follows the forms, and ends
where the frame's colour changes, in the dark as in the light. All of it changes smoothly with the
frame: strokes shrink to nothing instead of vanishing, and keep their order.
"""

from collections.abc import Callable, Sequence
from functools import partial

import numpy as np

from turbolens.filter.surface.forms import Forms
from turbolens.filter.surface.ground import Ground
from turbolens.filter.surface.planes import Plane, cv2, reduced, smoothstep

from .shapes import Layer, Shapes, at, placed

_PROFILE = (0.35, 0.85, 1.0, 0.95, 0.55)
"""Half widths along a stroke, from where the brush is set down to where it is lifted."""
_STEPS = 2  # from the middle to each end
_SAME, _OTHER = 0.06, 0.16  # change of colour along a stroke: it goes on below, and not above
_EVENLY = np.sqrt(np.linspace(0, 1, 256, dtype=np.float32))
"""By a level, so that a contrast in the dark counts as much as one in the light."""
_FINEST = 800  # pixels of a side up to which strokes are drawn finer than the picture
_THIN = 0.35  # half the width, in reduced pixels, that a stroke keeps beside an edge


def laid(
    ground: Ground,
    forms: Forms,
    layers: Sequence[Layer],
    size: tuple[float, float],
    level: float = 0.0,
) -> Shapes:
    """Strokes over a frame. size: length and width of a stroke, in sides. level: weight of level
    strokes, as squared contrast of a form."""
    frame = cv2.LUT(cv2.blur(reduced(ground.seen.rgb, ground.step), (5, 5)), _EVENLY)
    middles = placed(ground, layers, 1.0)
    x, y = middles.x, middles.y
    along, aside = (middles.size * np.float32(each / 2) for each in size)
    own = at(frame, x, y)

    def same(there_x: Plane, there_y: Plane) -> Plane:
        change = np.abs(at(frame, there_x, there_y) - own).max(1)
        return 1 - smoothstep(change, _SAME, _OTHER)

    path = _path(partial(forms.angle_at, level=level), (x, y), along * np.float32(1 / _STEPS), same)
    _, _, across, down = path[_STEPS]
    wide = [
        np.maximum(aside * same(x - down * each, y + across * each), np.float32(_THIN))
        for each in (aside, -aside)
    ]
    return Shapes.of(ground, middles, _outlines(path, wide), _FINEST)


Step = tuple[Plane, Plane, Plane, Plane]
"""x and y of points, and a unit vector at each."""


def _path(
    angle_at: Callable[[Plane, Plane], Plane],
    middle: tuple[Plane, Plane],
    reach: Plane,
    same: Callable[[Plane, Plane], Plane],
) -> list[Step]:
    """From one end of each stroke to the other one."""
    angle = angle_at(*middle)
    first = np.cos(angle), np.sin(angle)
    sides: list[list[Step]] = []
    for sign in (np.float32(-1), np.float32(1)):
        (x, y), (across, down) = middle, first
        goes_on, steps = np.ones_like(x), []
        for _ in range(_STEPS):
            step = sign * reach
            goes_on = goes_on * same(x + across * step, y + down * step)
            step *= goes_on
            x, y = x + across * step, y + down * step
            angle = angle_at(x, y)
            new_across, new_down = np.cos(angle), np.sin(angle)
            same_way = np.copysign(np.float32(1), new_across * across + new_down * down)
            across, down = new_across * same_way, new_down * same_way
            steps.append((x, y, across, down))
        sides.append(steps)
    return [*sides[0][::-1], (*middle, *first), *sides[1]]


def _outlines(path: list[Step], wide: list[Plane]) -> Plane:
    """(n, 2 · len(path), 2): along one side of each path, and back along the other."""
    sides = []
    for sign, half in zip((1, -1), wide, strict=True):
        shares = [half * np.float32(sign * share) for share in _PROFILE]
        steps = zip(path, shares, strict=True)
        sides.append([(x - down * to, y + across * to) for (x, y, across, down), to in steps])
    points = [*sides[0], *sides[1][::-1]]
    return np.stack([np.stack(point, -1) for point in points], 1)
