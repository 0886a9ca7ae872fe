"""Dry and single-coloured media: pencil, charcoal, ink, linocut, blueprint."""

from functools import lru_cache

import numpy as np

from .canvas import Canvas
from .planes import (
    Plane,
    added,
    blur,
    coordinates,
    cv2,
    noise,
    painted,
    relief,
    resized,
    smoothstep,
)

_HATCHES = ((-0.85, 0.84), (0.5, 0.5), (-0.1, 0.26))
"""Angle of a layer of hatching in radians, and the tone below which it is drawn."""
_PAPER, _GRAPHITE = (0.965, 0.96, 0.94), (0.16, 0.16, 0.19)
_CREAM, _COAL = (0.93, 0.905, 0.86), (0.085, 0.08, 0.085)
_CHART = 32  # units between lines of a blueprint's grid


def pencil(canvas: Canvas) -> Plane:
    """Contours, and hatching in three directions that gets denser in the dark, on white paper."""
    tone = blur(canvas.seen_tone, 1.5 * canvas.unit)
    light = np.ones_like(tone)
    for angle, limit in _HATCHES:
        dark = np.clip((np.float32(limit) - tone) * np.float32(2.6), 0, 1)
        strokes = canvas.moved_plane(_hatching(*canvas.shape, canvas.unit, angle))
        drawn = smoothstep(dark * np.float32(2.2) + strokes, 1.4, 2.4)
        light *= 1 - drawn * np.float32(0.47)
    light *= 1 - np.clip(np.float32(0.5) - tone, 0, 0.5) * np.float32(0.5)
    grain = canvas.paper(0.7)
    lines = canvas.contours(1.1, 0.12, 0.6, 2)
    lines *= np.clip(np.float32(0.88) - np.float32(0.12) * grain, 0, 1)
    cover = np.maximum(1 - light * (1 - np.float32(0.03) * grain), lines)
    return painted(_PAPER, _GRAPHITE, cover)


@lru_cache(maxsize=16)
def _hatching(height: int, width: int, unit: float, angle: float) -> Plane:
    """Strokes along an angle, drawn by hand: about −1…1, tiling."""
    length, thick = 15 * unit, 0.75 * unit
    white = noise((height, width), 0, f"hand {angle}")
    margin = int(2.5 * length)
    wrapped = np.pad(white, min(margin, height, width), mode="wrap")
    y, x = np.mgrid[-margin : margin + 1, -margin : margin + 1].astype(np.float32)
    along = x * np.cos(angle) + y * np.sin(angle)
    aside = y * np.cos(angle) - x * np.sin(angle)
    kernel = np.exp(-((along / length) ** 4) - (aside / thick) ** 2)
    kernel -= np.exp(-((along / length) ** 4) - (aside / (2 * thick)) ** 2) * 0.5
    strokes = cv2.filter2D(wrapped, cv2.CV_32F, kernel)
    pad = min(margin, height, width)
    strokes = strokes[pad : pad + height, pad : pad + width]
    return np.ascontiguousarray(strokes / (strokes.std() * 1.6), np.float32)


def charcoal(canvas: Canvas) -> Plane:
    """Smudged darks that catch the grain of the paper, and broad outlines."""
    grain = canvas.paper(0.9)
    strokes = canvas.moved_plane(_hatching(*canvas.shape, 1.5 * canvas.unit, -0.8))
    dark = 1 - blur(canvas.tone, 1.6 * canvas.unit)
    smudge = smoothstep(dark, 0.25, 1.0) * np.float32(0.55)
    rubbed = smoothstep(dark + np.float32(0.09) * grain + np.float32(0.09) * strokes, 0.5, 0.98)
    outline = canvas.contours(2.0, 0.14, 0.55) * np.clip(0.85 + 0.35 * grain, 0, 1)
    cover = np.maximum(np.maximum(smudge * (1 + np.float32(0.12) * grain), rubbed), outline)
    return painted(_CREAM, _COAL, cover * np.float32(0.97))


def ink(canvas: Canvas) -> Plane:
    """Washes with edges that run, and brush lines of uneven pressure."""
    dark = 1 - blur(canvas.run(canvas.tone, 1.2), 1.8 * canvas.unit)
    wash = (
        0.2 * smoothstep(dark, 0.3, 0.42)
        + 0.25 * smoothstep(dark, 0.52, 0.64)
        + 0.33 * smoothstep(dark, 0.74, 0.88)
    )
    rims = np.clip(blur(wash, 1.0 * canvas.unit) - blur(wash, 3.5 * canvas.unit), 0, 0.1)
    uneven = 1 + 0.22 * canvas.texture(14.0, "pool") + 0.1 * canvas.paper()
    pressure = np.clip(0.93 + 0.2 * canvas.texture(2.5, "brush"), 0, 1)
    brush = canvas.contours(1.9, 0.2, 0.5) * pressure
    cover = np.maximum((wash + rims) * uneven, brush).astype(np.float32)
    picture = painted((0.97, 0.95, 0.90), (0.07, 0.08, 0.11), np.clip(cover, 0, 1))
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
    depth = resized(forms.calm, *canvas.shape) * np.float32(0.22) + np.float32(0.06)
    cover = 1 - smoothstep(tone + grooves * between * depth, 0.44, 0.52)
    cover = np.maximum(cover, canvas.contours(1.8, 0.25, 0.45))
    speckled = 1 - smoothstep(canvas.texture(1.1, "print"), 1.6, 2.2) * np.float32(0.6)
    return painted((0.95, 0.92, 0.84), (0.09, 0.09, 0.10), cover * speckled)


def blueprint(canvas: Canvas) -> Plane:
    """White lines on blue paper with a grid, and hatching where it is dark."""
    height, width = canvas.shape
    tone = blur(canvas.seen_tone, 2.0 * canvas.unit)
    strokes = canvas.moved_plane(_ruled(height, width, canvas.unit))
    shade = smoothstep(np.float32(0.55) - tone, 0.0, 0.35) * strokes * np.float32(0.3)
    fine = canvas.contours(1.0, 0.12, 0.4, 2)
    bold = canvas.contours(1.7, 0.4, 0.65)
    x, y = canvas.places
    turn = np.float32(2 * np.pi / (_CHART * canvas.unit))
    chart = np.maximum(np.cos(x * turn), np.cos(y * turn))
    chart = smoothstep(chart, 0.985, 0.998) * np.float32(0.16)
    light = np.clip(np.maximum(fine * np.float32(0.75), bold * np.float32(0.95)), 0, 1)
    light = np.maximum(light, shade + chart + np.clip(tone - 0.45, 0, 1) * np.float32(0.22))
    light += canvas.paper(1.0) * np.float32(0.012)
    return painted((0.05, 0.20, 0.47), (0.93, 0.97, 1.0), np.clip(light, 0, 1))


@lru_cache(maxsize=8)
def _ruled(height: int, width: int, unit: float) -> Plane:
    """Straight lines at 45 degrees, 0…1, that tile as far as the size allows."""
    x, y = coordinates(height, width)
    return smoothstep(np.cos((x + y) * np.float32(2 * np.pi / (6 * unit))), 0.3, 0.9)
