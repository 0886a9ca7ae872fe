"""Blueprint: white draughtsman's lines on Prussian blue, over a faint grid."""

import numpy as np

from .canvas import Array, balanced, blur, curve, flat, luma, material, noise, palette, paper
from .flow import lines

_BLUE = [(0.0, "#0e3576"), (0.25, "#24559f"), (0.6, "#7fa5d8"), (1.0, "#f0f6ff")]
_GRID = 16  # pixels between the lines of the grid; every fourth is stronger


@material
def blueprint(picture: Array) -> Array:
    """Clean lines, ruled hatching in dark areas, crossed in the darkest."""
    line = np.maximum(
        lines(picture, 0.7, length=5.0, threshold=-0.003, steepness=90),
        0.7 * lines(picture, 1.2, length=7.0, threshold=-0.009, steepness=90),
    )
    dark = 1 - balanced(blur(luma(flat(picture, 3)), 1.2), amount=0.4)
    ruled = _ruled(dark.shape, 4.0, 45) * curve(dark, 0.55, 0.62)
    crossed = _ruled(dark.shape, 4.0, -45) * curve(dark, 0.76, 0.82)
    tone = np.maximum(0.95 * curve(line, 0.15, 0.7), 0.36 * np.maximum(ruled, crossed))
    worn = 1 + 0.12 * noise(dark.shape, "print", 2.0)
    ground = 0.05 * _grid(dark.shape) + 0.06 * noise(dark.shape, "bleach", 25.0) * 0.4
    fibre = 0.05 * (paper(dark.shape, 0.8) - 0.5)
    return palette(np.clip(tone * worn + ground + fibre + 0.03, 0, 1), _BLUE)


def _ruled(shape: tuple[int, ...], spacing: float, degrees: float) -> Array:
    """Parallel lines of one pixel."""
    y, x = np.mgrid[0 : shape[0], 0 : shape[1]].astype(np.float32)
    angle = np.deg2rad(degrees)
    phase = (x * np.sin(angle) + y * np.cos(angle)) / spacing
    return curve(np.abs(phase - np.round(phase)) * spacing, 1.1, 0.4)


def _grid(shape: tuple[int, ...]) -> Array:
    """A drafting grid, 0…1."""
    y, x = np.mgrid[0 : shape[0], 0 : shape[1]]
    fine = (x % _GRID == 0) | (y % _GRID == 0)
    strong = (x % (4 * _GRID) == 0) | (y % (4 * _GRID) == 0)
    grid: Array = (0.8 * fine + 0.9 * strong).astype(np.float32)
    return grid
