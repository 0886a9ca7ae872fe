"""Pencil, pen and chalk: single strokes along a direction, as dense as the tone is dark."""

import cv2
import numpy as np
from numpy.typing import NDArray

from .canvas import Array
from .strokes import SCALE

_FRACTION = 3


def hatch(darkness: Array, angle: Array, *, spacing: float, length: float,
          random: np.random.Generator, low: float = 0.0, high: float = 1.0,
          thickness: int = 1) -> Array:  # fmt: skip
    """Coverage 0…1 by strokes along `angle` where `darkness` is above `low`, all at `high`.

    spacing: between neighbours, length: of a stroke, in pixels; thickness in half pixels. Strokes
    are traced along the curved direction, fade at their ends and end where it gets light.
    """
    height, width = darkness.shape
    first, pressure = _starts(darkness, spacing, length, random)
    level = low + (high - low) * random.uniform(0, 1, len(first)) ** 1.5
    points, alive = _trace(darkness, angle, first, level, length)
    target = np.zeros((SCALE * height, SCALE * width), np.uint8)
    fixed = ((points + 0.5) * (SCALE << _FRACTION)).round().astype(np.int32)
    for index in np.flatnonzero(alive.sum(1) > 2):
        line = fixed[index][alive[index]]
        tone = pressure[index]
        cv2.polylines(target, [line], False, int(150 * tone), thickness, cv2.LINE_AA, _FRACTION)
        core = line[1:-1] if len(line) > 4 else line
        cv2.polylines(target, [core], False, int(255 * tone), thickness, cv2.LINE_AA, _FRACTION)
    small = cv2.resize(target, (width, height), interpolation=cv2.INTER_AREA)
    return small.astype(np.float32) / 255


def _starts(
    darkness: Array, spacing: float, length: float, random: np.random.Generator
) -> tuple[Array, NDArray[np.float64]]:
    """Random places (N, 2), enough that strokes lie `spacing` apart, and their pressure."""
    height, width = darkness.shape
    count = int(height * width / (spacing * length) * 1.25)
    places = random.uniform(0, 1, (count, 2)) * (width - 1, height - 1)
    return places.astype(np.float32), random.uniform(0.55, 1.0, count)


def _trace(
    darkness: Array, angle: Array, first: Array, level: NDArray[np.float64], length: float
) -> tuple[Array, NDArray[np.bool_]]:
    """Points (N, steps, 2) and which of them are drawn, from the middle to both ends."""
    step, half = 2.0, max(2, round(length / 4))
    sides = []
    for sign in (-1.0, 1.0):
        place, heading, on = first, None, np.ones(len(first), bool)
        side = []
        for _ in range(half):
            here, dark = _at(angle, darkness, place)
            direction = np.stack([np.cos(here), np.sin(here)], -1)
            if heading is None:
                heading = sign * direction
            turn = np.where((direction * heading).sum(-1) < 0, -1.0, 1.0)
            heading = direction * turn[:, None]
            on = on & (dark >= level)
            side.append((place, on))
            place = place + step * heading.astype(np.float32)
        sides.append(side)
    chain = [*reversed(sides[0][1:]), *sides[1]]
    return np.stack([place for place, _ in chain], 1), np.stack([on for _, on in chain], 1)


def _at(angle: Array, darkness: Array, place: Array) -> tuple[Array, Array]:
    rows = np.clip(place[:, 1], 0, angle.shape[0] - 1).astype(int)
    columns = np.clip(place[:, 0], 0, angle.shape[1] - 1).astype(int)
    return angle[rows, columns], darkness[rows, columns]
