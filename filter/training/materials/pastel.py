"""Pastel: strokes of soft chalk on tinted paper."""

import numpy as np

from .canvas import Array, blur, colour, curve, generator, luma, material, mix, paper, saturate
from .flow import form_angles, tensor_angles
from .strokes import Brush, paint_layers

_CHALKS = (
    Brush(5.0, longest=6, bristle=0.07, jitter=0.04, density=0.7),
    Brush(2.6, longest=7, threshold=0.04, bristle=0.06, jitter=0.03),
    Brush(1.6, longest=6, threshold=0.06, bristle=0.04, jitter=0.012),
)
_PAPER = "#a598a6"


@material
def pastel(picture: Array) -> Array:
    """Light powdery colours; the paper shows through where the chalk skips its grain."""
    random = generator(picture.shape, "pastel")
    grey = luma(picture)
    fine, sure = tensor_angles(grey, 3.0)
    angle = np.where(sure > 0.4, fine, form_angles(grey, 9.0, rest=-0.9))
    light = saturate(picture, 1.35) ** 0.85 * 0.93 + 0.07
    light = mix(light, light * colour("#cdbbe8") * 1.25, 0.6 * (1 - curve(grey, 0.1, 0.55)))
    ground = np.broadcast_to(colour(_PAPER), picture.shape).copy()
    painted, height = paint_layers(light, ground, angle, _CHALKS, random)
    tooth = paper(picture.shape, 0.6)
    pressure = 0.74 + 0.4 * (height - 0.5) + 0.25 * (1 - blur(grey, 2.0))
    covered = curve(pressure - tooth, -0.2, 0.22)
    dusty = mix(painted, blur(painted, 1.5), 0.25)
    return mix(ground * (0.94 + 0.12 * tooth)[..., None], dusty, 0.25 + 0.75 * covered)
