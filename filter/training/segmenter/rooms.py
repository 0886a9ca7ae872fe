"""Paints rooms: walls, screens, pictures, doors, shelves, lamps, tables and chairs."""

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from turbolens.filter.region.network import SIDE

Pixels = NDArray[np.uint8]


def with_furniture(rng: np.random.Generator, rgb: Pixels) -> Pixels:
    """RGB (256, 256, 3) with a few things before it, which are no persons."""
    picture = rgb.copy()
    for _ in range(int(rng.integers(1, 8))):
        _THINGS[int(rng.integers(len(_THINGS)))](rng, picture)
    return picture


def room(rng: np.random.Generator) -> Pixels:
    """RGB (256, 256, 3): two walls and a floor in a random light, with furniture."""
    picture = np.empty((SIDE, SIDE, 3), np.uint8)
    wall = _colour(rng)
    picture[:] = wall
    if rng.random() < 0.7:
        corner, lean = rng.uniform(0, SIDE), rng.normal(0, 6)
        _fill(picture, [(corner, 0), (SIDE, 0), (SIDE, SIDE), (corner + lean, SIDE)],
              wall * rng.uniform(0.7, 1.2))  # fmt: skip
    if rng.random() < 0.5:
        left, right = rng.uniform(0.6, 1.0, 2) * SIDE
        _fill(picture, [(0, left), (SIDE, right), (SIDE, SIDE), (0, SIDE)], _colour(rng))
    return with_furniture(rng, _lit(rng, picture))


def _lit(rng: np.random.Generator, picture: Pixels) -> Pixels:
    light: Any = cv2.resize(rng.normal(1, 0.12, (3, 3)).astype(np.float32), (SIDE, SIDE),
                            interpolation=cv2.INTER_CUBIC)  # fmt: skip
    return np.asarray((picture * light[..., None]).clip(0, 255), np.uint8)


def _colour(rng: np.random.Generator) -> NDArray[np.float64]:
    """Mostly greys and browns, as in rooms."""
    grey = rng.uniform(15, 245)
    return np.asarray((grey + rng.normal(0, 22, 3)).clip(0, 255))


def _fill(picture: Pixels, corners: Any, colour: Any) -> None:
    points = np.rint(np.asarray(corners, np.float64) * 16).astype(np.int32)
    values = tuple(float(each) for each in np.clip(colour, 0, 255))
    cv2.fillPoly(picture, [points], values, cv2.LINE_AA, 4)


def _box(left: float, top: float, right: float, bottom: float) -> list[tuple[float, float]]:
    """The corners of an upright rectangle."""
    return [(left, top), (right, top), (right, bottom), (left, bottom)]


def _quad(rng: np.random.Generator, centre: Any, size: Any) -> NDArray[np.float64]:
    """A rectangle seen a little from the side."""
    corners = np.array([(-1, -1), (1, -1), (1, 1), (-1, 1)]) * np.asarray(size) / 2
    shear = rng.normal(0, 0.12, (2, 2)) * (rng.random() < 0.6)
    return np.asarray(corners @ (np.eye(2) + shear) + centre)


def _screen(rng: np.random.Generator, picture: Pixels) -> None:
    """A screen, picture, window, door or whiteboard: a frame and something in it."""
    size = rng.uniform(20, 120), rng.uniform(20, 150)
    outer = _quad(rng, rng.uniform(0, SIDE, 2), size)
    middle = outer.mean(0)
    _fill(picture, outer, _colour(rng))
    inner = middle + (outer - middle) * rng.uniform(0.8, 0.97)
    _fill(picture, inner, _colour(rng))
    if rng.random() < 0.5:
        for _ in range(int(rng.integers(1, 7))):
            share = rng.uniform(0.05, 0.5, 2)
            part = _quad(rng, middle + rng.uniform(-0.25, 0.25, 2) * size, share * size)
            _fill(picture, part, _colour(rng))


def _shelf(rng: np.random.Generator, picture: Pixels) -> None:
    """A row of books, bottles or files."""
    left, bottom = rng.uniform(-40, SIDE - 20), rng.uniform(30, SIDE)
    height = rng.uniform(12, 50)
    for _ in range(int(rng.integers(3, 20))):
        width, tall = rng.uniform(2, 12), height * rng.uniform(0.5, 1)
        _fill(picture, _box(left, bottom - tall, left + width, bottom), _colour(rng))
        left += width + rng.uniform(0, 3)


def _lamp(rng: np.random.Generator, picture: Pixels) -> None:
    centre, size = rng.uniform(0, SIDE, 2), rng.uniform(3, 26, 2)
    bright = np.full(3, rng.uniform(200, 255))
    cv2.ellipse(picture, [int(x) for x in centre], [int(x) for x in size], rng.uniform(0, 180),
                0, 360, tuple(bright), -1, cv2.LINE_AA)  # fmt: skip


def _lines(rng: np.random.Generator, picture: Pixels) -> None:
    """Edges of walls, cables, legs of tables, rails."""
    colour = tuple(_colour(rng))
    start, along = rng.uniform(0, SIDE, 2), rng.normal(0, 120, 2)
    if rng.random() < 0.7:
        along[int(rng.integers(2))] *= 0.05
    apart = rng.normal(0, 25, 2)
    thick = int(rng.integers(1, 9))
    for number in range(int(rng.integers(1, 6))):
        first = start + apart * number
        points = [tuple(int(x) for x in each) for each in (first, first + along)]
        cv2.line(picture, points[0], points[1], colour, thick, cv2.LINE_AA)


def _chair(rng: np.random.Generator, picture: Pixels) -> None:
    """The back of a chair or a sofa: a rounded shape at the picture's bottom, on a post."""
    width, height = rng.uniform(25, 130), rng.uniform(25, 110)
    x, y = rng.uniform(0, SIDE), rng.uniform(0.45, 1.1) * SIDE
    colour = _colour(rng) * rng.uniform(0.2, 1)
    radius = min(width, height) * rng.uniform(0.1, 0.5)
    shape = np.zeros((SIDE, SIDE), np.uint8)
    inner = np.array([width, height]) / 2 - radius
    _fill(shape, _box(x - inner[0], y - inner[1], x + inner[0], y + inner[1]), (255,))
    side = 2 * max(1, int(radius)) + 1
    block: Any = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (side, side))
    shape[:] = cv2.dilate(shape, block)
    _fill(picture, _box(x - 4, y, x + 4, SIDE), colour)
    shade = np.linspace(1.15, 0.75, SIDE)[:, None, None] * colour
    share = shape[..., None] / np.float32(255)
    picture[:] = (picture + (shade - picture) * share).clip(0, 255)


def _table(rng: np.random.Generator, picture: Pixels) -> None:
    top, depth = rng.uniform(0.5, 1) * SIDE, rng.uniform(5, 60)
    left, right = sorted(rng.uniform(-0.2, 1.2, 2) * SIDE)
    lean = rng.normal(0, 40)
    _fill(picture, [(left, top), (right, top), (right + lean, top + depth),
                    (left + lean, top + depth)], _colour(rng))  # fmt: skip


_THINGS = (_screen, _screen, _shelf, _lamp, _lines, _chair, _chair, _table)
