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
from turbolens.filter.surface.seeds import COUNT, scattered
from turbolens.filter.surface.simplify import Levels

_FRACTION = 4  # bits of a polygon's coordinates behind the point
_NUMBERS = 1 << 16  # of shapes: more than three layers of `COUNT` seeds
_STRIDE = 97  # odd, so that neighbours in number differ
_ROUGH = 0.55  # sigma of the blur of rims that were drawn at the picture's size
_NEAR = cv2.getStructuringElement(cv2.MORPH_RECT, (9, 9))
"""Reduced pixels by which a guess of where a shape is may be wrong."""
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

    top: at a multiple of the picture's size, the number of the shape on top, or 0. x, y: (n,) of
    their middles, in pixels of the reduced size. seed: (n,) the number of each one's seed. layer:
    (n,). number: (n,), which stays the same while a shape moves. shape: of the picture.
    """

    top: NDArray[np.uint16]
    x: Plane
    y: Plane
    seed: NDArray[np.int32]
    layer: NDArray[np.int32]
    number: NDArray[np.int32]
    shape: tuple[int, int]

    @staticmethod
    def of(
        ground: Ground, middles: Placed, outlines: Plane, finest: int, finer: int = 2
    ) -> "Shapes":
        """Shapes with these middles and polygons (n, k, 2), in pixels of the reduced size.

        finest: pixels of the side up to which they are drawn at `finer` times the picture's size,
        so that rims are smooth.
        """
        number = middles.layer * COUNT + middles.seed + 1
        if finer * max(ground.shape) > finest:
            finer = 1
        top = _topmost(ground, outlines, number, finer)
        x, y, _, seed, layer = middles
        return Shapes(top, x, y, seed, layer, number, ground.shape)

    def colours_of(self, picture: Plane) -> Plane:
        """(n, 3): of a picture of the reduced size, in the middle of each shape."""
        return at(picture, self.x, self.y)

    def painted(self, colours: Plane, below: Levels) -> Levels:
        """RGB (H, W, 3). colours: (n, 3) in 0…1. below: RGB of any size, between the shapes."""
        table = np.zeros((_NUMBERS, 4), np.uint8)
        table[self.number, :3] = np.clip(colours, 0, 1) * 255 + np.float32(0.5)
        table[0, 3] = 255
        flat = table.view(np.int32).ravel()
        if self.top.shape[0] == self.shape[0]:
            return self._painted_at_once(flat, below)
        levels = self._looked_up(flat)
        gaps = cv2.extractChannel(levels, 3)
        picture = cv2.cvtColor(levels, cv2.COLOR_RGBA2RGB)
        own = cv2.resize(below, self.shape[::-1], interpolation=cv2.INTER_LINEAR)
        cv2.multiply(own, cv2.merge((gaps, gaps, gaps)), dst=own, scale=1 / 255)
        return cv2.add(picture, own, dst=own)  # type: ignore[no-any-return]

    def _painted_at_once(self, table: NDArray[np.int32], below: Levels) -> Levels:
        """As `painted`, if shapes are drawn at the picture's size: four bytes are one pixel."""
        own = cv2.cvtColor(below, cv2.COLOR_RGB2RGBA).view(np.int32)[..., 0]
        own = cv2.resize(own, self.shape[::-1], interpolation=cv2.INTER_NEAREST)
        pixels = np.take(table, self.top, mode="clip")
        cv2.copyTo(own, cv2.compare(self.top, 0, cv2.CMP_EQ), pixels)
        levels = pixels.view(np.uint8).reshape(*self.shape, 4)
        picture = cv2.cvtColor(levels, cv2.COLOR_RGBA2RGB)
        return cv2.GaussianBlur(picture, (3, 3), _ROUGH)  # type: ignore[no-any-return]

    def heights(self, least: int, most: int, between: int) -> Levels:
        """A level from `least` to `most` of each shape, by chance, and that between shapes."""
        some = (np.arange(256) * _STRIDE % 256).astype(np.float32) / 255
        table = np.rint(least + (most - least) * some).astype(np.uint8)
        table[0] = between  # and of one shape in 256
        levels = cv2.LUT(self.top.astype(np.uint8), table)  # by the last byte of each number
        return cv2.resize(levels, self.shape[::-1], interpolation=cv2.INTER_AREA)  # type: ignore[no-any-return]

    def _looked_up(self, table: NDArray[np.int32]) -> Levels:
        finer = self.top.shape[0] // self.shape[0]
        levels = np.empty((*self.shape, 4), np.uint8)
        for begin in range(0, self.shape[0], _BAND):
            above = self.top[begin * finer : (begin + _BAND) * finer]
            found = np.take(table, above, mode="clip").view(np.uint8).reshape(*above.shape, 4)
            own = levels[begin : begin + _BAND]
            cv2.resize(found, own.shape[1::-1], dst=own, interpolation=cv2.INTER_AREA)
        return levels


def placed(ground: Ground, layers: Sequence[Layer], jitter: float) -> Placed:
    """Shapes that move with what is shown. layers: at most three. jitter: of their places, 0, a
    grid, to 1."""
    parts = []
    for index, layer in enumerate(layers):
        side = layer.side * ground.unit / ground.step
        label, wanted = f"layer {index}", None
        if layer.sizes is not None:
            wanted = cv2.dilate(cv2.compare(layer.sizes, layer.least, cv2.CMP_GT), _NEAR)
        x, y, seed = scattered(ground.reduced_places(), side, jitter, label, wanted)
        size = np.ones_like(x) if layer.sizes is None else at(layer.sizes, x, y)
        kept = np.flatnonzero(size > layer.least)
        kept = kept[np.argsort(seed[kept])]
        numbers = np.full(len(kept), index, np.int32)
        parts.append((x[kept], y[kept], size[kept] * np.float32(side), seed[kept], numbers))
    return Placed(*(np.concatenate(each) for each in zip(*parts, strict=True)))


def _topmost(
    ground: Ground, outlines: Plane, numbers: NDArray[np.int32], finer: int
) -> NDArray[np.uint16]:
    scale, one = ground.step * finer, 1 << _FRACTION
    places = outlines * np.float32(scale * one) + np.float32((scale - 1) / 2 * one)
    top = np.zeros([each * finer for each in ground.shape], np.uint16)
    draw, by_pixels = cv2.fillConvexPoly, cv2.LINE_8
    for outline, number in zip(np.rint(places).astype(np.int32), numbers.tolist(), strict=True):
        draw(top, outline, number, by_pixels, _FRACTION)
    return top


def at(plane: NDArray[Any], x: Plane, y: Plane) -> Plane:
    """A plane or picture, of levels or not, at points (n,), in its pixels: (n,) or (n, channels),
    float32."""
    if len(x) == 0:
        return np.zeros((0, *plane.shape[2:]), np.float32)
    edge = cv2.BORDER_REPLICATE
    found: Plane = cv2.remap(plane, x[None], y[None], cv2.INTER_LINEAR, borderMode=edge)[0]
    return found
