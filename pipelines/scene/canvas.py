"""`Canvas`: paints anti-aliased shapes for the test scene. `fractal`: noise for textures."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
Field = NDArray[np.floating[Any]]
Point = tuple[float, float]
Colour = Sequence[float] | Field  # RGB in 0…1, one or one for each pixel (H, W, 3)


def fractal(
    generator: np.random.Generator, width: int, height: int, *, cell: float, octaves: int = 4
) -> Floats:
    """Fractal value noise (height, width) in about −1…1. cell: the coarsest scale in pixels."""
    total = np.zeros((height, width), np.float32)
    for octave in range(octaves):
        size = max(cell / 2**octave, 1.5)
        rows, columns = _taps(height, size), _taps(width, size)
        grid = generator.uniform(-1, 1, (rows.shape[1], columns.shape[1])).astype(np.float32)
        total += (rows @ grid @ columns.T) * 0.5**octave
    return total


def _taps(count: int, size: float) -> Floats:
    """Weights (count, cells) of a smoothstep interpolation of a coarse grid."""
    position = np.arange(count) / size
    index = position.astype(int)
    share = position - index
    share = share * share * (3 - 2 * share)
    weights = np.zeros((count, int(index[-1]) + 2), np.float32)
    weights[np.arange(count), index] = 1 - share
    weights[np.arange(count), index + 1] = share
    return weights


def mix(first: Colour, second: Colour, share: Field | float) -> Floats:
    """first · (1 − share) + second · share, for colours or fields of colours."""
    weight = np.asarray(share, np.float32)[..., None]
    a, b = np.asarray(first, np.float32), np.asarray(second, np.float32)
    return np.asarray(a * (1 - weight) + b * weight, np.float32)


class Canvas:
    """A transparent picture. Coordinates are in frame heights from the centre of the frame.

    Shapes are signed distance fields, painted with an edge that is smooth over one pixel. `pixels`
    is (H, W, 4): RGB premultiplied with alpha, and alpha, in 0…1. A point is (x, y).

    left_top, right_bottom: the corners. unit: pixels of a frame height.
    """

    def __init__(self, left_top: Point, right_bottom: Point, *, unit: float) -> None:
        self.unit = unit
        self.left, self.top = (round(each * unit) for each in left_top)  # pixels from the centre
        self.width = max(1, round(right_bottom[0] * unit) - self.left)
        self.height = max(1, round(right_bottom[1] * unit) - self.top)
        x = (np.arange(self.width) + self.left + 0.5) / unit
        y = (np.arange(self.height) + self.top + 0.5) / unit
        self.x, self.y = x.astype(np.float32)[None, :], y.astype(np.float32)[:, None]
        self.pixels = np.zeros((self.height, self.width, 4), np.float32)

    def fill(self, distance: Field, colour: Colour, *, soft: float = 0.0) -> None:
        """Paint where `distance` (negative inside) is below zero; `soft` is the edge's width."""
        edge = max(1.0, soft * self.unit)
        coverage = np.clip(0.5 - distance * self.unit / edge, 0, 1)
        self.blend(np.broadcast_to(coverage, (self.height, self.width)), colour)

    def blend(self, coverage: Field, colour: Colour) -> None:
        """Blend a colour over the canvas with this coverage (H, W) in 0…1."""
        alpha = np.asarray(coverage, np.float32)[..., None]
        self.pixels *= 1 - alpha
        self.pixels[..., :3] += np.clip(np.asarray(colour, np.float32), 0, 1) * alpha
        self.pixels[..., 3:] += alpha

    def tint(self, change: Field) -> None:
        """Multiply the colours by 1 + change (H, W)."""
        rgb, alpha = self.pixels[..., :3], self.pixels[..., 3:]
        rgb[:] = np.clip(rgb * (1 + change[..., None]), 0, alpha)

    def ellipse(self, centre: Point, radii: Point, *, angle: float = 0.0) -> Floats:
        """Approximate distance to an ellipse. `angle` in radians."""
        cos, sin = np.cos(angle), np.sin(angle)
        rx, ry = radii
        dx, dy = self.x - centre[0], self.y - centre[1]
        u, v = (dx * cos + dy * sin) / rx, (dy * cos - dx * sin) / ry
        radius = np.sqrt(u * u + v * v) + 1e-6
        gradient = np.sqrt((u / rx) ** 2 + (v / ry) ** 2) / radius + 1e-6
        return np.asarray((radius - 1) / gradient, np.float32)

    def stroke(self, start: Point, end: Point, radius: float) -> Floats:
        """Distance to a line with round ends."""
        ax, ay = start
        bx, by = end[0] - ax, end[1] - ay
        px, py = self.x - ax, self.y - ay
        along = np.clip((px * bx + py * by) / (bx * bx + by * by + 1e-9), 0, 1)
        return np.asarray(np.hypot(px - along * bx, py - along * by) - radius, np.float32)

    def box(self, centre: Point, half_sides: Point, *, corner: float = 0.0) -> Floats:
        """Distance to a box. corner: the radius of its corners."""
        dx = np.abs(self.x - centre[0]) - half_sides[0] + corner
        dy = np.abs(self.y - centre[1]) - half_sides[1] + corner
        outside = np.hypot(np.maximum(dx, 0), np.maximum(dy, 0))
        return np.asarray(outside + np.minimum(np.maximum(dx, dy), 0) - corner, np.float32)

    def polygon(self, corners: Sequence[Point]) -> Floats:
        """Approximate distance to a convex polygon. Corners are clockwise on the screen."""
        distance = np.full((self.height, self.width), -np.inf, np.float32)
        for index, (bx, by) in enumerate(corners):
            ax, ay = corners[index - 1]
            length = float(np.hypot(bx - ax, by - ay))
            side = ((self.x - ax) * (by - ay) - (self.y - ay) * (bx - ax)) / length
            np.maximum(distance, side, out=distance)
        return distance

    def below(self, heights: Field) -> Floats:
        """Distance to the area below a skyline, given by one y for each column."""
        return np.asarray(heights[None, :] - self.y, np.float32)
