"""Prints and tiles: halftone dots, wood grain, mosaic and stained glass."""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from .canvas import Canvas
from .planes import (
    Colour,
    Plane,
    blur,
    coordinates,
    covered,
    cv2,
    drawn_to,
    faded,
    flattened,
    luma_of,
    noise,
    reduced,
    relief,
    resized,
    sample,
    smoothstep,
    times,
    vivid,
)


@dataclass(frozen=True)
class Halftone:
    """Flat colours in steps, dots in the half shadows, and inked lines.

    dots: their distance, in units. steps: of the brightness. vivid: factor of the saturation.
    """

    dots: float = 6.0
    steps: int = 5
    vivid: float = 1.3
    ink: float = 2.0

    def __call__(self, canvas: Canvas) -> Plane:
        """The picture as a print."""
        flat = flattened(canvas.picture)
        luma = luma_of(flat)
        levels = luma * np.float32(self.steps)
        low = np.floor(levels)
        stepped = (low + smoothstep(levels - low, 0.3, 0.7)) / np.float32(self.steps)
        flat = times(flat, (stepped + 0.04) / (luma + 0.04))
        flat = vivid(flat, self.vivid)
        shadow = smoothstep(1 - luma, 0.3, 0.8) * np.float32(0.9)
        dots = smoothstep(shadow + self._screen(canvas), 0.92, 1.08)
        dots *= 1 - smoothstep(1 - luma, 0.75, 0.9)  # in the black there are none
        flat = times(flat, 1.06 - 0.3 * dots)
        return covered(flat, (0.05, 0.05, 0.06), canvas.lines(self.ink, 0.45))

    def _screen(self, canvas: Canvas) -> Plane:
        """0…1, highest in the middle of a dot."""
        x, y = canvas.places
        turn = np.float32(2 * np.pi / (self.dots * canvas.unit))
        along = np.cos((x * np.float32(0.92) + y * np.float32(0.39)) * turn)
        across = np.cos((y * np.float32(0.92) - x * np.float32(0.39)) * turn)
        screen: Plane = (along + across) * np.float32(0.25) + np.float32(0.5)
        return screen


@dataclass(frozen=True)
class Woodblock:
    """Flat colours with a trace of the block's grain, and a key line.

    palette: colours from dark to light that the picture is drawn to; none: its own.
    """

    palette: tuple[Colour, ...] = ()

    def __call__(self, canvas: Canvas) -> Plane:
        """The picture as a print."""
        flat = flattened(flattened(canvas.picture, 0.16), 0.16)
        if self.palette:
            flat = drawn_to(flat, self.palette, 0.6)
        grain = sample(_wood(*canvas.shape, canvas.unit), *canvas.places, cv2.BORDER_WRAP)
        flat = times(flat, 1 + np.float32(0.007) * grain)
        return covered(flat, (0.13, 0.12, 0.17), canvas.lines(1.9, 0.45) * np.float32(0.9))


@lru_cache(maxsize=8)
def _wood(height: int, width: int, unit: float) -> Plane:
    grain = cv2.GaussianBlur(
        noise((height, width), 0, "wood"), (0, 0), 40 * unit, sigmaY=0.8 * unit
    )
    return grain / np.float32(grain.std() + 1e-6)  # type: ignore[no-any-return]


@dataclass(frozen=True)
class Tiles:
    """Pieces of one colour with joints between.

    side: of a piece, in units. irregular: 0, a grid, to 1. joint: its colour. gap: its width in
    units. variation: of the brightness from piece to piece. whole: share of the colour of a piece
    as a whole; the rest is the picture. vivid: factor of the saturation. outline: width of lines on
    edges, or 0. faces: strength of pieces where the picture is busy, so that faces stay readable.
    """

    side: float
    irregular: float
    joint: Colour
    gap: float
    variation: float = 0.1
    whole: float = 1.0
    vivid: float = 1.2
    outline: float = 0.0
    faces: float = 0.5

    def __call__(self, canvas: Canvas) -> Plane:
        """The picture in pieces."""
        side = max(4, round(self.side * canvas.unit))
        # From a pixel to the centre of its piece, which is the same wherever the piece has moved.
        to_x, to_y, edge, tint = (
            sample(each, *canvas.places, cv2.BORDER_WRAP)
            for each in _pieces(*canvas.shape, side, self.irregular)
        )
        columns, rows = coordinates(*canvas.shape)
        blurred = blur(reduced(canvas.picture, 2), 0.15 * side)
        half = np.float32(0.5)
        colours = sample(blurred, (columns + to_x) * half, (rows + to_y) * half)
        calm = self.faces + (1 - self.faces) * resized(canvas.forms().calm, *canvas.shape)
        colours = faded(canvas.picture, colours, calm * np.float32(self.whole))
        colours = vivid(colours, self.vivid)
        raised = relief(smoothstep(edge, 0.0, 0.4 * side), 0.05)
        colours = times(colours, 1 + self.variation * tint + raised)
        joints = 1 - smoothstep(edge, 0.35 * self.gap * canvas.unit, 1.2 * self.gap * canvas.unit)
        joints *= calm
        if self.outline:
            joints = np.maximum(joints, canvas.lines(self.outline))
        return covered(colours, self.joint, joints)


@lru_cache(maxsize=8)
def _pieces(height: int, width: int, side: int, irregular: float) -> tuple[Plane, ...]:
    """The Voronoi cells of a jittered grid.

    Offsets x and y from each pixel to the seed of its cell, the distance to the cell's edge, and a
    random number of −1…1 for each cell.
    """
    random = np.random.default_rng([height, width, side])
    rows, columns = -(-height // side), -(-width // side)
    jitter = irregular * (random.random((3, rows, columns), dtype=np.float32) - 0.5)
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    row, column = (y // side).astype(int), (x // side).astype(int)
    first = np.full((height, width), np.inf, np.float32)
    second, to_x, to_y, tint = first.copy(), *np.zeros((3, height, width), np.float32)
    for down in (-1, 0, 1):
        for across in (-1, 0, 1):
            cell = (row + down) % rows, (column + across) % columns
            dy = (row + down + 0.5 + jitter[0][cell]) * side - y
            dx = (column + across + 0.5 + jitter[1][cell]) * side - x
            distance = np.hypot(dx, dy)
            nearer = distance < first
            second = np.where(nearer, first, np.minimum(second, distance))
            first = np.minimum(first, distance)
            to_x, to_y = np.where(nearer, dx, to_x), np.where(nearer, dy, to_y)
            tint = np.where(nearer, jitter[2][cell] * (2 / max(irregular, 1e-3)), tint)
    return tuple(np.ascontiguousarray(e, np.float32) for e in (to_x, to_y, second - first, tint))
