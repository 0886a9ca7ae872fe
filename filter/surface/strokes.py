"""Strokes as a painter lays them: large ones first, then finer ones where there is more to see.

After Hertzmann (1998). A stroke has one colour, that of its middle, follows the forms, and ends
where the frame's colour changes, in the dark as in the light. All of it changes smoothly with the frame: strokes shrink to
nothing instead of vanishing, and keep their order.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from .forms import Forms
from .ground import Ground
from .planes import Plane, cv2, reduced, smoothstep
from .seeds import scattered
from .simplify import Levels, from_levels

_PROFILE = (0.35, 0.85, 1.0, 0.95, 0.55)
"""Half widths along a stroke, from where the brush is set down to where it is lifted."""
_STEPS = 2  # from the middle to each end
_SAME, _OTHER = 0.06, 0.16  # change of colour along a stroke: it goes on below, and not above
_THIN = 0.35  # half the width, in reduced pixels, that a stroke keeps beside an edge
_FRACTION = 4  # bits of a polygon's coordinates behind the point
_FINER = 2  # of the picture's size, at which shapes are drawn, so that rims are smooth
_FINEST = 1400  # pixels of the side up to which that is done
_BAND = 64  # rows that are treated at once: what is larger than a cache is slow


class Layer(NamedTuple):
    """side: units between strokes. sizes: of the strokes, 0…1, (H, W) of the reduced size; `None`
    for 1 everywhere. least: below this size there is none."""

    side: float
    sizes: Plane | None = None
    least: float = 0.2


@dataclass(frozen=True)
class Shapes:
    """Shapes over each other, without their colours.

    top: at a multiple of the picture's size, the number from 1 of the shape on top, or 0. x, y:
    (n,) of their middles, in pixels of the reduced size. seed: (n,) the number of each one's seed.
    layer: (n,). shape: of the picture.
    """

    top: NDArray[np.uint16]
    x: Plane
    y: Plane
    seed: NDArray[np.int32]
    layer: NDArray[np.int32]
    shape: tuple[int, int]

    @staticmethod
    def of(middles: "Placed", top: NDArray[np.uint16], shape: tuple[int, int]) -> "Shapes":
        """The shapes with these middles."""
        return Shapes(top, middles.x, middles.y, middles.seed, middles.layer, shape)

    def colours_of(self, picture: Plane) -> Plane:
        """(n, 3): of a picture of the reduced size, in the middle of each shape."""
        return at(picture, self.x, self.y)

    def painted(self, colours: Plane, below: Levels) -> Levels:
        """RGB (H, W, 3). colours: (n, 3) in 0…1. below: RGB of any size, between the shapes."""
        table = np.zeros((len(self.x) + 1, 4), np.uint8)
        table[1:, :3] = np.clip(colours, 0, 1) * 255 + np.float32(0.5)
        table[0, 3] = 255
        levels = self._looked_up(table.view(np.int32).ravel(), 4)
        gaps = cv2.extractChannel(levels, 3)
        own = cv2.resize(below, self.shape[::-1], interpolation=cv2.INTER_LINEAR)
        cv2.multiply(own, cv2.merge((gaps, gaps, gaps)), dst=own, scale=1 / 255)
        return cv2.add(cv2.cvtColor(levels, cv2.COLOR_RGBA2RGB), own, dst=own)  # type: ignore[no-any-return]

    def valued(self, values: Plane, between: float) -> Levels:
        """One value of each shape (n,) in 0…1 as levels (H, W), and that between shapes."""
        table = np.concatenate([np.array([between], np.float32), values])
        return self._looked_up((table * 255 + np.float32(0.5)).astype(np.uint8), 1)

    def _looked_up(self, table: NDArray[np.generic], channels: int) -> Levels:
        levels = np.empty((*self.shape, channels) if channels > 1 else self.shape, np.uint8)
        finer = self.top.shape[0] // self.shape[0]
        for begin in range(0, self.shape[0], _BAND):
            above = self.top[begin * finer : (begin + _BAND) * finer]
            found = np.take(table, above, mode="clip").view(np.uint8)
            if channels > 1:
                found = found.reshape(*above.shape, channels)
            own = levels[begin : begin + _BAND]
            cv2.resize(found, own.shape[1::-1], dst=own, interpolation=cv2.INTER_AREA)
        return levels


def laid(
    ground: Ground, forms: Forms, layers: Sequence[Layer], length: float, width: float
) -> Shapes:
    """Strokes over a frame. length, width: of a stroke, in sides."""
    frame = np.sqrt(from_levels(cv2.blur(reduced(ground.seen.rgb, ground.step), (3, 3))))
    middles = placed(ground, layers, 1.0)
    x, y = middles.x, middles.y
    along, aside = (middles.size * np.float32(each / 2) for each in (length, width))
    own = at(frame, x, y)

    def same(there_x: Plane, there_y: Plane) -> Plane:
        change = np.abs(at(frame, there_x, there_y) - own).max(1)
        return 1 - smoothstep(change, _SAME, _OTHER)

    path = _path(forms, (x, y), along * np.float32(1 / _STEPS), same)
    _, _, across, down = path[_STEPS]
    wide = [
        np.maximum(aside * same(x - down * each, y + across * each), np.float32(_THIN))
        for each in (aside, -aside)
    ]
    return Shapes.of(middles, topmost(ground, _outlines(path, wide)), ground.shape)


class Placed(NamedTuple):
    """Middles of shapes, (n,) each, in the order in which they are laid.

    x, y, size: in pixels of the reduced size. seed: number of each one's seed. layer: its number.
    """

    x: Plane
    y: Plane
    size: Plane
    seed: NDArray[np.int32]
    layer: NDArray[np.int32]


def placed(ground: Ground, layers: Sequence[Layer], jitter: float) -> Placed:
    """Shapes that move with what is shown. jitter: of their places, 0, a grid, to 1."""
    parts = []
    for index, layer in enumerate(layers):
        side = layer.side * ground.unit / ground.step
        x, y, seed = scattered(ground.reduced_places(), side, jitter, f"layer {index}")
        size = np.ones_like(x) if layer.sizes is None else at(layer.sizes, x, y)
        kept = np.flatnonzero(size > layer.least)
        kept = kept[np.argsort(seed[kept])]
        numbers = np.full(len(kept), index, np.int32)
        parts.append((x[kept], y[kept], size[kept] * np.float32(side), seed[kept], numbers))
    return Placed(*(np.concatenate(each) for each in zip(*parts, strict=True)))


Step = tuple[Plane, Plane, Plane, Plane]
"""x and y of points, and a unit vector at each."""


def _path(
    forms: Forms,
    middle: tuple[Plane, Plane],
    reach: Plane,
    same: Callable[[Plane, Plane], Plane],
) -> list[Step]:
    """From one end of each stroke to the other one."""
    angle = forms.angle_at(*middle)
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
            angle = forms.angle_at(x, y)
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
        sides.append([(x - down * share, y + across * share)
                      for (x, y, across, down), share in zip(path, shares, strict=True)])  # fmt: skip
    points = [*sides[0], *sides[1][::-1]]
    return np.stack([np.stack(point, -1) for point in points], 1)


def topmost(ground: Ground, outlines: Plane) -> NDArray[np.uint16]:
    """`Shapes.top` of polygons (n, k, 2), in pixels of the reduced size."""
    finer = _FINER if _FINER * max(ground.shape) <= _FINEST else 1
    scale, one = ground.step * finer, 1 << _FRACTION
    places = outlines * np.float32(scale * one) + np.float32((scale - 1) / 2 * one)
    top = np.zeros([each * finer for each in ground.shape], np.uint16)
    draw = cv2.fillConvexPoly
    for number, outline in enumerate(np.rint(places).astype(np.int32), 1):
        draw(top, outline, number, cv2.LINE_8, _FRACTION)
    return top


def at(plane: Plane, x: Plane, y: Plane) -> Plane:
    """A plane or picture at points (n,), in its pixels: (n,) or (n, channels)."""
    edge = cv2.BORDER_REPLICATE
    found: Plane = cv2.remap(plane, x[None], y[None], cv2.INTER_LINEAR, borderMode=edge)[0]
    return found
