"""Dry and single-coloured media: pencil, charcoal, ink, linocut, blueprint and film."""

import numpy as np

from .canvas import Canvas
from .planes import (
    Plane,
    added,
    blur,
    covered,
    cv2,
    painted,
    relief,
    resized,
    smoothstep,
    times,
)

_HATCHES = ((-0.9, 0.86), (0.65, 0.56), (-0.25, 0.3))
"""Angle of a layer of hatching in radians, and the tone below which it is drawn."""


def pencil(canvas: Canvas) -> Plane:
    """Hatching in three directions, denser in the dark, over soft graphite on grained paper."""
    tone = blur(canvas.tone, 1.2 * canvas.unit)
    hatched = np.zeros_like(tone)
    for angle, limit in _HATCHES:
        dark = np.clip((np.float32(limit) - tone) * np.float32(2.2), 0, 1)
        hatched += _hatching(canvas, angle) * dark
    grain = canvas.paper(0.8)
    kept = 1 - np.float32(0.2) * hatched - np.float32(0.02) * grain
    drawn = times(canvas.picture * np.float32(0.9) + np.float32(0.06), kept)
    return covered(drawn, (0.17, 0.17, 0.20), canvas.lines(1.0) * np.float32(0.6))


def _hatching(canvas: Canvas, angle: float, spacing: float = 4.0) -> Plane:
    """Lines along an angle, −1…1, that are not quite straight."""
    x, y = canvas.places
    across = np.float32(2 * np.pi / (spacing * canvas.unit))
    phase = x * np.float32(-np.sin(angle)) + y * np.float32(np.cos(angle))
    phase = phase * across + canvas.texture(9.0, f"hand {angle}") * np.float32(0.9)
    broken = canvas.texture(2.2, f"pressure {angle}")
    lines: Plane = np.cos(phase) * np.float32(0.8) + broken * np.float32(0.28)
    return lines


def charcoal(canvas: Canvas) -> Plane:
    """Smudged darks that catch the grain of the paper, and broad outlines."""
    grain = canvas.paper(0.9)
    forms = canvas.forms(rest=-0.8)
    bristles = forms.smeared_noise(canvas.reduced_texture(1.1, "charcoal"), 4)
    strokes = resized(bristles, *canvas.shape)
    dark = 1 - blur(canvas.tone, 1.2 * canvas.unit)
    cover = smoothstep(dark + 0.10 * grain + 0.10 * strokes, 0.2, 1.0)
    outline = canvas.lines(1.8) * np.clip(0.8 + 0.3 * grain, 0, 1)
    return painted((0.94, 0.92, 0.88), (0.09, 0.085, 0.09), np.maximum(cover, outline))


def ink(canvas: Canvas) -> Plane:
    """Three washes with edges that run, and brush lines of uneven pressure."""
    dark = 1 - blur(canvas.run(canvas.tone, 1.0), 1.3 * canvas.unit)
    wash = (
        0.3 * smoothstep(dark, 0.22, 0.5)
        + 0.32 * smoothstep(dark, 0.5, 0.75)
        + 0.3 * smoothstep(dark, 0.76, 0.95)
    )
    uneven = 1 + 0.2 * canvas.texture(12.0, "pool") + 0.12 * canvas.paper()
    brush = canvas.lines(1.6) * np.clip(0.95 + 0.2 * canvas.texture(1.2, "brush"), 0, 1)
    cover = np.clip(np.maximum(wash * uneven, brush), 0, 1).astype(np.float32)
    picture = painted((0.97, 0.95, 0.90), (0.07, 0.08, 0.11), cover)
    return added(picture, relief(canvas.paper(1.0), 0.003))


def linocut(canvas: Canvas) -> Plane:
    """Black and paper, with carved lines along the forms in between."""
    forms = canvas.forms(rest=0.6)
    carved = canvas.reduced_texture(2.4, "carved")
    for _ in range(2):
        carved = forms.smeared_noise(carved, 4)
        carved = carved - blur(carved, 3.6 * canvas.unit / canvas.step)
    carved = carved / np.float32(carved.std() + 1e-6)
    grooves = cv2.resize(carved, canvas.shape[::-1], interpolation=cv2.INTER_CUBIC)
    tone = blur(canvas.tone, 1.3 * canvas.unit)
    between = 1 - np.square(2 * tone - 1)
    depth = resized(forms.calm, *canvas.shape) * np.float32(0.2) + np.float32(0.06)
    cover = 1 - smoothstep(tone + grooves * between * depth, 0.45, 0.53)
    cover = np.maximum(cover, canvas.lines(1.6))
    return painted((0.95, 0.92, 0.84), (0.09, 0.09, 0.10), cover)


def film(canvas: Canvas) -> Plane:
    """The grain of fast film."""
    middle = 1 - np.float32(0.65) * np.square(2 * canvas.luma - 1)
    return added(canvas.picture, np.float32(0.022) * canvas.texture(0.6, "film") * middle)


def blueprint(canvas: Canvas) -> Plane:
    """A faint grid."""
    x, y = canvas.places
    spacing = np.float32(2 * np.pi / (32 * canvas.unit))
    grid = np.maximum(np.cos(x * spacing), np.cos(y * spacing))
    return added(canvas.picture, smoothstep(grid, 0.985, 0.998) * np.float32(0.14))
