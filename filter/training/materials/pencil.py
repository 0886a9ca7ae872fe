"""Pencil sketch: contours and hatching on paper."""

import numpy as np

from .canvas import (
    Array,
    balanced,
    blur,
    curve,
    flat,
    generator,
    luma,
    material,
    noise,
    palette,
    paper,
)
from .flow import form_angles, lines, sample
from .hatching import hatch

_GRAPHITE = [(0.0, "#232327"), (0.55, "#84858a"), (1.0, "#f7f5ef")]


@material
def pencil_sketch(picture: Array) -> Array:
    """Graphite contours; hatching as dense as the tone is dark, crossed in the shadows."""
    random = generator(picture.shape, "pencil")
    grey = balanced(luma(flat(picture)))
    dark = 1 - curve(grey, 0.02, 0.80)
    form = form_angles(grey, 7.0, rest=-0.85)
    shade = hatch(dark, form, spacing=1.7, length=18, random=random, low=0.08, high=0.75)
    cross = hatch(dark, form + 1.1, spacing=2.2, length=13, random=random, low=0.42, high=0.95)
    deep = hatch(dark, form + 0.25, spacing=1.4, length=10, random=random, low=0.66, high=0.95)
    soft = 0.36 * blur(dark, 1.0) ** 1.5
    hatching = 1 - (1 - 0.62 * shade) * (1 - 0.6 * cross) * (1 - 0.75 * deep) * (1 - soft)
    grain = paper(picture.shape, 0.6)
    contour = _contours(picture)
    coverage = 1 - (1 - hatching * (0.55 + 0.9 * (1 - grain))) * (1 - contour)
    tone = np.clip(1 - coverage, 0, 1) + 0.05 * (grain - 0.5)
    return palette(tone, _GRAPHITE)


def _contours(picture: Array) -> Array:
    """Lines drawn twice, the second time a little beside the first."""
    line = lines(picture, 0.9, length=5.0, threshold=-0.0015, steepness=75)
    strong = lines(picture, 1.5, length=7.0, threshold=-0.004, steepness=60)
    height, width = line.shape
    rows, columns = np.mgrid[0:height, 0:width].astype(np.float32)
    x = columns + 0.9 * noise(picture.shape, "hand x", 9.0)
    y = rows + 0.9 * noise(picture.shape, "hand y", 9.0)
    again = sample(strong, x + 0.8, y - 0.5)
    return 1 - (1 - 0.85 * line) * (1 - 0.5 * again)
