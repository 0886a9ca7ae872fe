"""Ink and wash: brush lines of varying width over a few diluted washes that bleed."""

import numpy as np

from .canvas import Array, balanced, blur, curve, flat, luma, material, noise, palette, paper
from .flow import lines

_INK = [(0.0, "#0c0d12"), (0.4, "#565a63"), (0.75, "#bdb9ae"), (1.0, "#f5eedc")]


@material
def ink_and_wash(picture: Array) -> Array:
    """Black brush lines, two or three grey washes, most of the paper left."""
    grain = paper(picture.shape, 0.9)
    grey = balanced(luma(flat(picture, 3)))
    soft = blur(grey, 1.4)
    density = np.zeros_like(grey)
    for number, (limit, amount, wet) in enumerate(
        ((0.5, 0.22, 3.0), (0.33, 0.4, 1.8), (0.19, 0.8, 1.0))
    ):
        edge = limit + 0.014 * noise(picture.shape, f"ink {number}", 8.0)
        wash = curve(edge - soft, -0.025, 0.05)
        bleed = 0.55 * wash + 0.45 * blur(wash, wet)
        rim = np.clip(wash - blur(wash, 2.5), 0, None)
        density += amount * (bleed + 0.7 * rim)
    density *= 1 + 0.12 * noise(picture.shape, "water", 7.0) + 0.35 * (0.5 - grain)
    brush = _brush_lines(picture, grain)
    tone = np.exp(-np.clip(density, 0, None)) * (1 - brush)
    return palette(np.clip(tone + 0.04 * (grain - 0.5), 0, 1), _INK)


def _brush_lines(picture: Array, grain: Array) -> Array:
    """Thick where the contour is strong, thin elsewhere, broken by the paper where the ink ends."""
    fine = lines(picture, 0.9, length=5.0, threshold=-0.004, steepness=100)
    thick = lines(picture, 1.9, length=9.0, threshold=-0.02, steepness=90)
    pressure = np.clip(1 + 0.5 * noise(picture.shape, "pressure", 9.0), 0.3, 1.5)
    ink = np.maximum(fine, thick * pressure)
    return curve(ink - 0.45 * (1 - ink) * grain, 0.12, 0.55)
