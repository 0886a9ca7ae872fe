"""Curved brush strokes, coarse to fine (Hertzmann 1998), drawn bristle by bristle.

A stroke starts where the canvas differs most from the picture and runs along the edges until the
picture under it no longer has its colour. All strokes of a layer are traced at once.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from .canvas import Array, blur

SCALE = 2  # the canvas is drawn at twice the size
_FRACTION = 3  # bits of sub-pixel precision of the drawn lines


@dataclass(frozen=True)
class Brush:
    """A layer of strokes.

    radius: of the stroke, in pixels. shortest, longest: in steps of one radius. threshold: the
    difference from the picture, 0…1, from which a place is painted again. bristle: how much single
    bristles differ in brightness. jitter: how much strokes differ in colour. density: strokes per
    square of one radius.
    """

    radius: float
    shortest: int = 3
    longest: int = 8
    threshold: float = 0.06
    bristle: float = 0.06
    jitter: float = 0.03
    density: float = 1.0


@dataclass(frozen=True)
class Strokes:
    """Traced strokes: points (N, steps, 2) as x, y; lengths (N,) in steps; colours (N, 3).

    cells: (N,) the cell of each, of `grid` cells. What is random about a stroke depends on its cell
    alone, so that a change elsewhere in the picture does not change the stroke.
    """

    points: Array
    lengths: NDArray[np.int64]
    colours: Array
    cells: NDArray[Any]
    grid: int


def starts(
    error: Array, spacing: float, threshold: float, random: np.random.Generator
) -> tuple[Array, NDArray[Any], int]:
    """The place of the largest error of every grid cell above the threshold.

    Returns places (N, 2) as x, y, the index of each one's cell, and the number of cells.
    """
    side = max(1, round(spacing))
    rows, columns = error.shape[0] // side, error.shape[1] // side
    noisy: Array = error * random.uniform(0.6, 1.0, error.shape).astype(np.float32)
    cells = noisy[: rows * side, : columns * side].reshape(rows, side, columns, side)
    place = cells.transpose(0, 2, 1, 3).reshape(rows, columns, side * side).argmax(-1)
    means = cv2.resize(blur(error, spacing / 2), (columns, rows), interpolation=cv2.INTER_AREA)
    y, x = np.nonzero(means > threshold)
    inside = place[y, x]
    places = np.stack([x * side + inside % side, y * side + inside // side], -1)
    return places.astype(np.float32), y * columns + x, rows * columns


def trace(reference: Array, canvas: Array, angle: Array, first: tuple[Array, NDArray[Any], int],
          brush: Brush) -> Strokes:  # fmt: skip
    """Follow the angle from each start until the canvas is nearer to the picture than the stroke.

    Each start is followed to both sides in turn, curved smoothly as the direction changes.
    """
    height, width = angle.shape
    place, cells, grid = first
    colours = reference[place[:, 1].astype(int), place[:, 0].astype(int)]
    heading = np.zeros_like(place)
    alive = np.ones(len(place), bool)
    lengths = np.ones(len(place), np.int64)
    points = [place]
    for step in range(1, brush.longest):
        row = np.clip(place[:, 1], 0, height - 1).astype(int)
        column = np.clip(place[:, 0], 0, width - 1).astype(int)
        direction = np.stack([np.cos(angle[row, column]), np.sin(angle[row, column])], -1)
        turn = np.where((direction * heading).sum(-1) < 0, -1.0, 1.0).astype(np.float32)
        heading = 0.4 * heading + 0.6 * direction * turn[:, None]
        heading /= np.linalg.norm(heading, axis=-1, keepdims=True) + 1e-6
        here = reference[row, column]
        worse = np.abs(here - canvas[row, column]).sum(-1) < np.abs(here - colours).sum(-1)
        alive &= ~(worse & (step > brush.shortest))
        place = place + heading * brush.radius
        alive &= (place > -brush.radius).all(-1) & (place[:, 0] < width + brush.radius)
        alive &= place[:, 1] < height + brush.radius
        lengths += alive
        points.append(place)
    return Strokes(np.stack(points, 1), lengths, colours, cells, grid)


def draw(target: NDArray[Any], strokes: Strokes, brush: Brush, random: np.random.Generator) -> None:
    """Draw strokes in random order into `target` (SCALE·H, SCALE·W, 4): colour and paint height.

    A stroke is a bundle of curves, its bristles, each with a colour and a height of its own.
    """
    cells = strokes.grid
    bristles = max(3, round(brush.radius * SCALE * 1.1))
    rank = random.random(cells)[strokes.cells]
    ends = random.uniform(-0.7, 0.7, (cells, bristles, 2))[strokes.cells] * brush.radius
    paint = _paint(strokes, bristles, brush, random)
    curves = _bristle_curves(strokes, np.linspace(-0.9, 0.9, bristles) * brush.radius)
    thickness = max(1, round(2 * brush.radius * SCALE / bristles * 1.25))
    for index in np.argsort(rank):
        length = max(2, int(strokes.lengths[index]))
        lines = _with_ends(curves[index, :, :length], ends[index])
        for line, tone in zip(lines, paint[index].tolist(), strict=True):
            cv2.polylines(target, [line], False, tone, thickness, cv2.LINE_8, _FRACTION)


def _paint(strokes: Strokes, bristles: int, brush: Brush, random: np.random.Generator) -> Array:
    """(N, bristles, 4): colour and height of every bristle, 0…255."""
    cells = strokes.grid
    tones = random.normal(0, brush.bristle, (cells, bristles, 1))
    shifts = random.normal(0, brush.jitter, (cells, 1, 1))
    shifts = shifts + random.normal(0, 0.4 * brush.jitter, (cells, 1, 3))
    heights = np.clip(0.55 + 3 * tones + random.normal(0, 0.12, tones.shape), 0, 1)
    colours = strokes.colours[:, None] + (shifts + tones)[strokes.cells]
    return np.concatenate([np.clip(colours, 0, 1), heights[strokes.cells]], -1) * 255


def _bristle_curves(strokes: Strokes, offsets: Array) -> Array:
    """(N, bristles, steps, 2): curves beside the middle of each stroke."""
    tangents = np.gradient(strokes.points, axis=1)
    tangents /= np.linalg.norm(tangents, axis=-1, keepdims=True) + 1e-6
    normals = np.stack([-tangents[..., 1], tangents[..., 0]], -1)
    curves: Array = strokes.points[:, None] + offsets[:, None, None] * normals[:, None]
    return curves


def _with_ends(curves: Array, ends: Array) -> NDArray[Any]:
    """Curves (bristles, steps, 2) made longer or shorter at both ends, as numbers for OpenCV."""
    curves = curves.copy()
    curves[:, 0] += ends[:, :1] * _unit(curves[:, 0] - curves[:, 1])
    curves[:, -1] += ends[:, 1:] * _unit(curves[:, -1] - curves[:, -2])
    fixed: NDArray[Any] = ((curves + 0.5) * (SCALE << _FRACTION)).round().astype(np.int32)
    return fixed


def _unit(vectors: Array) -> Array:
    unit: Array = vectors / (np.linalg.norm(vectors, axis=-1, keepdims=True) + 1e-6)
    return unit


def paint_layers(reference: Array, ground: Array, angle: Array, brushes: Sequence[Brush],
                 random: np.random.Generator) -> tuple[Array, Array]:  # fmt: skip
    """Paint a picture over a ground, coarse to fine: the picture and the height of the paint."""
    height, width = angle.shape
    size = (SCALE * width, SCALE * height)
    large = np.dstack([ground, np.full((height, width), 0.3, np.float32)]) * 255
    target = cv2.resize(large.astype(np.uint8), size, interpolation=cv2.INTER_NEAREST)
    canvas = ground
    for number, brush in enumerate(brushes):
        smooth = blur(reference, max(0.4, 0.5 * brush.radius))
        error = np.abs(smooth - canvas).mean(-1)
        if number == 0:
            error = error + 1
        first = starts(error, brush.radius / np.sqrt(brush.density), brush.threshold, random)
        draw(target, trace(smooth, canvas, angle, first, brush), brush, random)
        done = cv2.resize(target, (width, height), interpolation=cv2.INTER_AREA)
        canvas = done[..., :3].astype(np.float32) / 255
    return canvas, done[..., 3].astype(np.float32) / 255
