"""Comic: inked lines, flat colours and halftone dots in the shadows."""

import numpy as np

from .canvas import (
    Array,
    balanced,
    blur,
    colour,
    curve,
    flat,
    from_lab,
    material,
    median,
    mix,
    to_lab,
)
from .flow import lines
from .screen import dots


@material
def comic(picture: Array) -> Array:
    """Clean ink, three flat tones of each colour, dots between them; skin keeps its hue."""
    areas = median(flat(picture, 5, 0.12), 5)
    lab = to_lab(areas)
    lab[..., 0] = to_lab(median(flat(picture, 3, 0.1), 3))[..., 0]
    grey = balanced(lab[..., 0] / 100, amount=0.35)
    light, middle = curve(grey, 0.50, 0.53), curve(grey, 0.26, 0.29)
    tone = 0.30 + 0.26 * middle + 0.24 * light + 0.14 * curve(grey, 0.74, 0.77)
    hue = np.dstack([tone * 100, blur(lab[..., 1:], 1.0) * 1.75])
    inks = from_lab(hue.astype(np.float32))
    shadow = (1 - light) * np.clip((0.56 - grey) * 2.2, 0, 0.5)
    halftone = dots(blur(shadow, 1.0), 4.2, 45)
    inks = mix(inks, inks * 0.55, halftone)
    ink = np.maximum(_ink(picture), curve(blur(grey, 0.8), 0.17, 0.12))
    return mix(inks, colour("#0d0c12"), ink)


def _ink(picture: Array) -> Array:
    fine = lines(picture, 0.85, length=5.0, threshold=-0.004, steepness=110)
    thick = lines(picture, 1.8, length=8.0, threshold=-0.014, steepness=90)
    return curve(np.maximum(fine, thick), 0.25, 0.65)
