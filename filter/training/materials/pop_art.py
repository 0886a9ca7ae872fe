"""Pop art: a screen print of flat loud colours, large dots and black."""

import numpy as np

from .canvas import Array, balanced, blur, colour, curve, flat, luma, material, median, mix, to_lab
from .flow import lines
from .screen import dots


@material
def pop_art(picture: Array) -> Array:
    """Warm things pink and yellow, cold things blue and turquoise; dots in the middle tones."""
    areas = median(flat(picture, 5, 0.14), 5)
    grey = balanced(luma(areas), amount=0.55)
    lab = to_lab(areas)
    warm = curve(blur(lab[..., 1] + 0.8 * lab[..., 2], 2.0), 4.5, 6.0)
    paper = mix(colour("#7fe0e6"), colour("#ffe14d"), warm)
    dot = mix(colour("#1f6fd6"), colour("#f0287c"), warm)
    paper = mix(paper, colour("#fff6dc"), curve(grey, 0.70, 0.73))
    amount = np.clip((0.74 - grey) * 1.9, 0, 0.62)
    printed = mix(paper, dot, dots(blur(amount, 1.2), 6.0, 30))
    printed = mix(printed, dot, curve(blur(grey, 0.8), 0.40, 0.37))
    fine = lines(picture, 1.2, length=6.0, threshold=-0.004, steepness=110)
    thick = lines(picture, 2.2, length=8.0, threshold=-0.014, steepness=90)
    key = np.maximum(curve(np.maximum(fine, thick), 0.25, 0.6), curve(blur(grey, 0.8), 0.23, 0.19))
    return mix(printed, colour("#17122b"), key)
