"""Halftone screens: dots whose size follows the tone."""

import numpy as np

from .canvas import Array, curve


def dots(darkness: Array, period: float, degrees: float) -> Array:
    """Coverage 0…1 by round dots on a turned grid; their area is `darkness` 0…1.

    The grid starts at the top left corner of the picture, so it stays at its place.
    """
    height, width = darkness.shape
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    angle = np.deg2rad(degrees)
    across = (np.cos(angle) * x + np.sin(angle) * y) / period
    down = (np.cos(angle) * y - np.sin(angle) * x) / period
    distance = np.hypot(across - np.round(across), down - np.round(down))
    radius = np.sqrt(np.clip(darkness, 0, 1) / np.pi) * 1.12
    soft = 0.45 / period
    return curve(radius - distance, -soft, soft) * (darkness > 0.03)
