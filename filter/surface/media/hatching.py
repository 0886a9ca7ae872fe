"""Hatching: strokes of a hand, in layers, in directions that follow the forms."""

from functools import lru_cache

import numpy as np

from turbolens.filter.surface.canvas import Canvas
from turbolens.filter.surface.forms import Forms
from turbolens.filter.surface.ground import Ground, Same
from turbolens.filter.surface.planes import Plane, cv2, noise, reduced, resized

_ANGLES = tuple(np.pi * index / 4 for index in range(4))  # of strokes that are drawn once
_FOLLOWS = 0.2  # of the contrast of forms: strokes turn only along clear ones
_SMOOTHING = 3.0  # of the directions, in pixels of a quarter of the size


def hatched(
    canvas: Canvas, thick: float, length: float, rest: float, turns: tuple[float, ...] = (0.0,)
) -> tuple[Plane, ...]:
    """Layers of strokes along the forms, about −1…1 each, positive where there is graphite.

    thick, length: of a stroke, in units. rest: the angle where there are no forms, in radians.
    turns: between the strokes of each layer and the forms.
    """
    return canvas.ahead(layers, thick, length, rest, turns)


def layers(
    ground: Ground, thick: float, length: float, rest: float, turns: tuple[float, ...]
) -> tuple[Plane, ...]:
    """As `hatched`."""
    height, width = ground.shape
    thick, length = thick * ground.unit, length * ground.unit
    tiles = [
        ground.moved_plane(Same(strokes(height, width, thick, length, angle))) for angle in _ANGLES
    ]
    small = reduced(ground.small_luma(), max(1, 4 // ground.step)) * np.float32(_FOLLOWS)
    cosine, sine = Forms(small, rest, _SMOOTHING).direction
    twice = cosine * cosine - sine * sine, 2 * cosine * sine
    hatching = []
    for turn in turns:
        layer = np.zeros((height, width), np.float32)
        for tile, weight in zip(tiles, _weights(twice, turn), strict=True):
            cv2.add(layer, cv2.multiply(tile, resized(weight, height, width)), dst=layer)
        hatching.append(layer)
    return tuple(hatching)


def _weights(twice: tuple[Plane, Plane], turn: float) -> list[Plane]:
    """How much of each angle there is; twice: cosine and sine of the doubled angle of the forms."""
    weights = []
    for angle in _ANGLES:
        cosine, sine = (
            np.float32(np.cos(2 * (angle - turn))),
            np.float32(np.sin(2 * (angle - turn))),
        )
        weights.append(np.square(np.maximum(twice[0] * cosine + twice[1] * sine, 0)))
    scale = 1 / np.sqrt(sum(np.square(weight) for weight in weights))
    return [cv2.multiply(weight, scale) for weight in weights]


@lru_cache(maxsize=16)
def strokes(height: int, width: int, thick: float, length: float, angle: float) -> Plane:
    """Strokes along an angle, drawn by hand: about −1…1, tiling. thick, length: in pixels."""
    white = noise((height, width), 0, f"hand {angle:.3f}")
    margin = min(int(2.5 * length), height, width)
    wrapped = np.pad(white, margin, mode="wrap")
    y, x = np.mgrid[-margin : margin + 1, -margin : margin + 1].astype(np.float32)
    bend = np.float32(0.0016 / thick) * x * x
    along = x * np.cos(angle) + y * np.sin(angle)
    aside = y * np.cos(angle) - x * np.sin(angle) + bend
    kernel = np.exp(-((along / length) ** 4) - (aside / thick) ** 2)
    kernel -= np.exp(-((along / length) ** 4) - (aside / (2 * thick)) ** 2) * 0.5
    drawn = cv2.filter2D(wrapped, cv2.CV_32F, kernel)[margin:-margin, margin:-margin]
    return np.ascontiguousarray(drawn / (drawn.std() * 1.6), np.float32)
