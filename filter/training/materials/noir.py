"""Noir: a night film in hard black and white, with its grain."""

import numpy as np

from .canvas import Array, blur, curve, material, noise, palette

_SILVER = [(0.0, "#040506"), (0.5, "#6c6e71"), (1.0, "#f6f6f2")]


@material
def noir(picture: Array) -> Array:
    """Hard light: deep blacks, burning lights that glow, film grain in the middle tones."""
    grey = picture @ np.array([0.42, 0.46, 0.12], np.float32)  # skin glows, as on old film
    mean = 0.5 * float(grey.mean()) + 0.5 * blur(grey, 28.0)
    local = grey - 0.62 * (mean - 0.42)
    sharp = local + 0.5 * (local - blur(local, 2.5))
    tone = curve(sharp, 0.20, 0.68)
    tone = tone + 0.22 * blur(np.clip(tone - 0.7, 0, None), 6.0)
    height, width = grey.shape
    y, x = np.mgrid[-1 : 1 : height * 1j, -1 : 1 : width * 1j].astype(np.float32)
    tone = tone * (1 - 0.32 * np.clip(x * x + y * y - 0.25, 0, 1.4))
    grain = 0.7 * noise(grey.shape, "grain", 0.6) + 0.5 * noise(grey.shape, "clumps", 1.2)
    tone = tone + 0.055 * grain * (0.35 + 2.6 * np.clip(tone, 0, 1) * (1 - np.clip(tone, 0, 1)))
    return palette(np.clip(tone, 0, 1), _SILVER)
