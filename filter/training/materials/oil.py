"""Oil painting: curved strokes, coarse to fine, with bristles and the relief of thick paint."""

import numpy as np

from .canvas import Array, blur, generator, luma, material, relief, saturate
from .flow import form_angles, tensor_angles
from .strokes import Brush, paint_layers

_BRUSHES = (
    Brush(9.0, longest=9, bristle=0.04, jitter=0.03),
    Brush(5.0, longest=9, threshold=0.035, bristle=0.04, jitter=0.02),
    Brush(2.6, longest=9, threshold=0.04, bristle=0.03, jitter=0.012),
    Brush(1.4, longest=9, threshold=0.045, bristle=0.015, jitter=0.006),
)


@material
def oil_painting(picture: Array) -> Array:
    """Rich colour in brush strokes that follow the forms; the paint stands out."""
    random = generator(picture.shape, "oil")
    grey = luma(picture)
    fine, sure = tensor_angles(grey, 3.0)
    rough = form_angles(grey, 9.0, rest=0.6)
    angle = np.where(sure > 0.35, fine, rough)
    vivid = saturate(np.clip((picture - 0.5) * 1.1 + 0.5, 0, 1), 1.35)
    ground = np.broadcast_to(np.array([0.45, 0.33, 0.22], np.float32), picture.shape)
    painted, height = paint_layers(vivid, ground.copy(), angle, _BRUSHES, random)
    light = np.clip(relief(0.35 * height + 0.8 * blur(height, 1.1), 0.9), -0.12, 0.16)
    lit: Array = painted * (1 + light[..., None]) + 0.12 * light[..., None]
    return lit
