"""Linocut: gouges that follow the form, printed in one ink."""

import numpy as np

from .canvas import Array, balanced, blur, curve, flat, luma, material, noise, palette
from .flow import form_angles, lines, stripes

_INK = [(0.0, "#14201f"), (1.0, "#f2e9d5")]


@material
def linocut(picture: Array) -> Array:
    """Ink or paper, middle tones as parallel carved lines whose width follows the tone."""
    grey = balanced(luma(flat(picture, 3)), amount=0.6)
    tone = curve(blur(grey, 0.8), 0.08, 0.78)
    angle = form_angles(grey, 8.0, rest=0.35)
    carved = stripes(angle, 4.4, "gouge")
    ends = 0.12 * noise(picture.shape, "gouge ends", 3.0)
    width = 2.9 * (tone - 0.5)
    light = curve(0.75 * carved + width + ends * (1 - np.abs(2 * tone - 1)), -0.12, 0.12)
    light = np.where(tone > 0.86, np.maximum(light, curve(tone, 0.84, 0.9)), light)
    line = lines(picture, 1.2, length=6.0, threshold=-0.004, steepness=130)
    printed = light * (1 - curve(line, 0.25, 0.6))
    speckle = curve(noise(picture.shape, "ink speckle", 0.7), 2.3, 2.8)
    return palette(np.maximum(printed, 0.35 * speckle), _INK)
