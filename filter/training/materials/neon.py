"""Neon: glowing tubes along the strong contours, in the dark."""

import cv2
import numpy as np

from .canvas import Array, blur, colour, curve, flat, luma, material, mix, palette, saturate
from .flow import lines

_SHORTEST = 7  # pixels of a tube


@material
def neon(picture: Array) -> Array:
    """Clean tubes with a white core and a coloured glow; what is behind is just visible."""
    smooth = flat(picture, 4, 0.14)
    tube = _tubes(smooth)
    hue = _hues(picture)
    wall = mix(colour("#06040f"), colour("#221a40"), blur(luma(smooth), 1.5))
    glow = 0.75 * blur(tube, 2.2) + 1.5 * blur(tube, 6.0) + 1.2 * blur(tube, 14.0)
    lit = wall * (1 + 2.0 * blur(tube, 12.0))[..., None] + hue * glow[..., None] * 0.8
    lit = mix(lit, hue * 1.05, np.clip(tube * 1.3, 0, 1))
    core = curve(blur(tube, 0.5), 0.45, 0.95)
    return mix(lit, np.clip(hue * 0.3 + 0.72, 0, 1), 0.85 * core)


def _tubes(picture: Array) -> Array:
    """Lines of even width; pieces that are short and faint are left away."""
    line = lines(picture, 1.05, length=8.0, threshold=-0.0024, steepness=130)
    drawn = (line > 0.3).astype(np.uint8)
    _, labels, stats, _ = cv2.connectedComponentsWithStats(drawn, connectivity=8)
    longest = np.maximum(stats[:, cv2.CC_STAT_WIDTH], stats[:, cv2.CC_STAT_HEIGHT])
    kept = longest >= _SHORTEST
    kept[0] = False
    inside = blur(cv2.dilate(kept[labels].astype(np.float32), np.ones((3, 3))), 0.6)
    return curve(blur(line, 0.5), 0.2, 0.75) * inside


def _hues(picture: Array) -> Array:
    """Loud colours: what is outlined, drawn to pink, violet and cyan."""
    vivid = saturate(blur(picture, 5.0), 3.5)
    peak = vivid / (vivid.max(-1, keepdims=True) + 0.05)
    sign = palette(
        blur(luma(picture), 6.0), [(0.1, "#7a3bff"), (0.45, "#ff2fc8"), (0.8, "#27e0ff")]
    )
    return mix(sign, peak, 0.4)
