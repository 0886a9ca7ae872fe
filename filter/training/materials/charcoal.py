"""Charcoal: broad grainy strokes, smudged, with strong darks on warm paper."""

import numpy as np

from .canvas import Array, balanced, blur, curve, flat, generator, luma, material, palette, paper
from .flow import along, form_angles, lines
from .hatching import hatch

_CHARCOAL = [(0.0, "#12100e"), (0.5, "#6f6962"), (1.0, "#e3d9c8")]


@material
def charcoal(picture: Array) -> Array:
    """Smudged tones under grainy strokes; the darkest places are black."""
    random = generator(picture.shape, "charcoal")
    grey = balanced(luma(flat(picture)))
    dark = 1 - curve(grey, 0.06, 0.86)
    form = form_angles(grey, 8.0, rest=-0.9)
    broad = hatch(
        dark, form, spacing=2.6, length=22, random=random, low=0.28, high=0.9, thickness=5
    )
    black = hatch(dark, form + 0.5, spacing=2.0, length=14, random=random, low=0.58, high=0.9,
                  thickness=5)  # fmt: skip
    grain = paper(picture.shape, 0.7)
    smudge = 0.7 * along(blur(dark, 1.2), form, 5.0) ** 1.2
    rough = curve(grain, 0.35, 0.7)
    strokes = 1 - (1 - 0.5 * blur(broad, 0.7) * (1 - 0.6 * rough)) * (
        1 - 0.85 * blur(black, 0.6) * (1 - 0.35 * rough)
    )
    line = lines(picture, 1.3, length=7.0, threshold=-0.003, steepness=70) * (1 - 0.35 * rough)
    coverage = 1 - (1 - smudge) * (1 - strokes) * (1 - 0.9 * line)
    coverage = coverage * (0.6 + 0.8 * (1 - grain)) + 0.02
    return palette(np.clip(1 - coverage, 0, 1), _CHARCOAL)
