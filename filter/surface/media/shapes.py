"""Shapes of one colour each, such as strokes and stones, which lie over each other and move with
what is shown.

They are drawn as polygons, at a multiple of the picture's size, and without their colours: which
one lies on top at each place depends on the frame alone.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from turbolens.filter.surface.ground import Ground
from turbolens.filter.surface.planes import Plane, cv2
from turbolens.filter.surface.seeds import scattered
from turbolens.filter.surface.simplify import Levels

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


class Placed(NamedTuple):
    """Middles of shapes, (n,) each, in the order in which they are laid.

    x, y, size: in pixels of the reduced size. seed: number of each one's seed. layer: its number.
    """

    x: Plane
    y: Plane
    size: Plane
    seed: NDArray[np.int32]
    layer: NDArray[np.int32]


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
    def of(middles: Placed, top: NDArray[np.uint16], shape: tuple[int, int]) -> "Shapes":
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


def at(plane: NDArray[Any], x: Plane, y: Plane) -> Plane:
    """A plane or picture, of levels or not, at points (n,), in its pixels: (n,) or (n, channels),
    float32."""
    if len(x) == 0:
        return np.zeros((0, *plane.shape[2:]), np.float32)
    edge = cv2.BORDER_REPLICATE
    found: Plane = cv2.remap(plane, x[None], y[None], cv2.INTER_LINEAR, borderMode=edge)[0]
    return found
