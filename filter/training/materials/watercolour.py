"""Watercolour: transparent washes with dark rims, granulation and white paper."""

import numpy as np

from .canvas import Array, blur, curve, flat, luma, material, median, noise, paper, saturate
from .flow import lines, sample

_WASHES = (
    (0.87, 0.42),
    (0.68, 0.55),
    (0.5, 0.7),
    (0.33, 0.9),
    (0.18, 1.0),
)  # painted below this tone, density


@material
def watercolour(picture: Array) -> Array:
    """Washes laid over one another from light to dark; the lightest places stay paper."""
    wobbled = _wobbled(picture)
    areas = blur(median(flat(wobbled, 4, 0.15), 5), 0.7)
    tone = luma(areas)
    tone = tone / max(0.5, float(np.quantile(tone, 0.9))) * 0.92
    pigment = _pigment(blur(saturate(areas, 2.0), 1.2))
    uneven = noise(picture.shape, "brush", 5.0)
    density = np.zeros_like(tone)
    for number, (limit, amount) in enumerate(_WASHES):
        edge = limit + 0.012 * noise(picture.shape, f"wash {number}", 9.0)
        wash = curve(edge - tone, -0.012, 0.028)
        rim = np.clip(wash - blur(wash, 2.2), 0, None)
        inner = 1 - 0.25 * blur(wash, 7.0)
        density += amount * (wash * inner + 1.1 * rim)
    grain = paper(picture.shape, 0.8)
    density *= 1 + 0.16 * uneven + 0.5 * (0.5 - grain)
    drawing = lines(wobbled, 0.9, length=4.0, threshold=-0.002, steepness=45)
    absorbed = pigment * density[..., None] + 0.75 * drawing[..., None] * [0.8, 0.85, 0.9]
    white = np.array([0.985, 0.975, 0.95], np.float32) * (0.985 + 0.05 * (grain - 0.5))[..., None]
    return white * np.exp(-absorbed)


def _pigment(picture: Array) -> Array:
    """Absorption of a colour at density 1: its hue, at one depth for all tones."""
    absorption = -np.log(np.clip(picture, 0.03, 0.98))
    depth = absorption.mean(-1, keepdims=True)
    hue = absorption / (depth + 0.05)
    pigment: Array = 0.42 * np.clip(hue, 0.08, 2.4) + 0.02
    return pigment


def _wobbled(picture: Array) -> Array:
    """The picture with edges that waver like a wet brush."""
    height, width = picture.shape[:2]
    rows, columns = np.mgrid[0:height, 0:width].astype(np.float32)
    x = columns + 0.9 * noise(picture.shape, "wet x", 4.0)
    y = rows + 0.9 * noise(picture.shape, "wet y", 4.0)
    return sample(picture, x, y)
