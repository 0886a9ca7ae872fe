"""Dry and single-coloured media: pencil, charcoal, ink, linocut, blueprint."""

from functools import lru_cache

import numpy as np

from turbolens.filter.surface.canvas import Canvas
from turbolens.filter.surface.forms import Forms
from turbolens.filter.surface.planes import (
    Plane,
    added,
    blur,
    coordinates,
    covered,
    cv2,
    enlarged,
    painted,
    reduced,
    relief,
    resized,
    smoothstep,
)

from .accents import accents
from .attention import figures
from .contour import Pen, inked
from .hatching import hatched
from .lines import drawn
from .tones import between, cleared, even_tone, face_lines, faded_plane

_HATCHES = ((-0.85, 0.84), (0.5, 0.5), (-0.1, 0.26))
"""Angle of a layer of hatching in radians, and the tone below which it is drawn."""
_PAPER, _GRAPHITE = (0.965, 0.96, 0.94), (0.16, 0.16, 0.19)
_TONED, _CHALK, _COAL = (0.87, 0.845, 0.795), (0.965, 0.955, 0.93), (0.085, 0.08, 0.085)
_RULING_PEN = Pen(thin=0.35, bold=0.75, skin=0.5)
_GOUGE = Pen(thin=0.35, bold=0.8, low=0.1, high=0.5, skin=0.3)
_BRUSH = Pen(thin=0.15, bold=0.8, low=0.08, high=0.6, skin=0.2)
_STICK = Pen(thin=0.2, bold=0.8, low=0.08, high=0.8, skin=0.5)
_CHART = 32  # units between lines of a blueprint's grid


def pencil(canvas: Canvas) -> Plane:
    """Thin lines, soft graphite, and hatching along the forms that gets denser in the dark."""
    dark = 1 - cleared(canvas, 0.9)
    skin = canvas.full_skin
    first, second = hatched(canvas, 0.75, 13.0, -0.85, (0.0, 0.9))
    visible = (np.float32(0.6) - np.float32(0.3) * skin) * between(dark, low=0.08, high=0.4)
    shade = smoothstep(dark * np.float32(1.75) + first * visible, 0.75, 1.9)
    deep = smoothstep(dark * np.float32(1.7) + second * visible, 1.1, 2.1)
    light = 1 - cv2.multiply(dark, dark) * (np.float32(0.40) + np.float32(0.2) * skin)
    lines = cv2.max(drawn(canvas, 1.0, 0.1, 0.9), face_lines(canvas, 0.8))
    for layer, most in ((shade, 0.55), (deep, 0.45), (lines, 0.8)):
        light *= 1 - np.float32(most) * layer
    cover = (1 - light) * (1 + np.float32(0.12) * canvas.paper(0.7))
    return painted(_PAPER, _GRAPHITE, np.clip(cover, 0, 1))


def charcoal(canvas: Canvas) -> Plane:
    """Soft smudged masses on toned paper, the stick's grain, dark accents, lights of an eraser."""
    skin, grain = canvas.full_skin, canvas.paper(0.9)
    (stick,) = hatched(canvas, 2.2, 24.0, -0.75)
    clear = cleared(canvas, 0.5)
    finely = np.maximum(skin, resized(canvas.ahead(figures), *canvas.shape) * np.float32(0.8))
    small = reduced(canvas.seen_tone, 4)
    wiped = blur(Forms(small, -0.75).smeared(small, 3), 0.6 * canvas.unit)
    wiped = enlarged(wiped, *canvas.shape)
    dark = 1 - faded_plane(wiped, clear, np.float32(0.35) + np.float32(0.45) * finely)
    dark -= np.float32(0.18) * skin
    tooth = cv2.addWeighted(grain, 0.05, stick, 0.19, 0.0) * (1 - np.float32(0.85) * finely)
    rubbed = smoothstep(dark + tooth * between(dark, low=0.05, high=0.5), 0.40, 1.12)
    light = 1 - between(dark, low=0.12, high=1.05, top=0.74)
    for layer, most in (
        (rubbed, np.float32(0.84)),
        (inked(canvas, 2.6, _STICK), np.float32(0.7)),
        (face_lines(canvas, 0.6), np.float32(1)),
    ):
        light *= 1 - most * layer
    cloud = canvas.texture(30.0, "smudge") * np.float32(0.02) + np.float32(0.045)
    cover = (1 - light) * (1 + np.float32(0.10) * grain) + cloud + np.float32(0.012) * grain
    picture = painted(_TONED, _COAL, np.clip(cover, 0, 0.97))
    return covered(picture, _CHALK, between(clear, low=0.82, high=1.0, top=0.85) * light)


def ink(canvas: Canvas) -> Plane:
    """Three washes with edges that run and pool, and brush lines that swell and dry."""
    unit = canvas.unit
    skin = canvas.full_skin
    tone = even_tone(canvas, canvas.seen_tone, 4.0)
    wide = resized(canvas.run(blur(tone, 0.8 * unit), 1.4), *canvas.shape)
    clear = cleared(canvas, 0.7)
    dark = 1 - faded_plane(wide, clear, np.float32(0.25) + np.float32(0.55) * skin)
    wash = (
        between(dark, low=0.22, high=0.4, top=0.136)
        + between(dark, low=0.44, high=0.64, top=0.176)
        + between(dark, low=0.68, high=0.88, top=0.29)
        + cv2.multiply(dark, dark) * np.float32(0.16)
    )
    rims = np.clip(blur(wash, 0.8 * unit) - blur(wash, 3.0 * unit), 0, 0.1) * np.float32(1.2)
    uneven = 1 + 0.24 * canvas.texture(14.0, "pool") + 0.1 * canvas.paper()
    pressure = np.clip(0.9 + 0.25 * canvas.texture(3.0, "brush"), 0, 1)
    brush = inked(canvas, 2.4, _BRUSH) * pressure
    fine = cv2.max(drawn(canvas, 1.0, 0.15, 0.75) * np.float32(0.75), face_lines(canvas, 0.8))
    cover = 1 - (1 - (wash + rims) * uneven) * (1 - cv2.max(brush, fine))
    picture = painted((0.965, 0.945, 0.895), (0.06, 0.07, 0.10), np.clip(cover, 0, 1))
    return added(picture, relief(canvas.paper(1.0), 0.003))


def linocut(canvas: Canvas) -> Plane:
    """Black and paper, with gouged lines along the forms in the tones between."""
    skin = canvas.full_skin
    clear = cleared(canvas, 1.1)
    busy = 1 - resized(np.minimum(canvas.all_forms.calm * np.float32(1.6), 1), *canvas.shape)
    fine = np.maximum(skin, busy * np.float32(0.7))
    even = enlarged(even_tone(canvas, clear, 2.0), *canvas.shape)
    tone = blur(
        faded_plane(even, clear, np.float32(0.2) + np.float32(0.7) * fine), 0.7 * canvas.unit
    )
    tone += skin * np.float32(0.06)
    tone = _accented(canvas, tone, 1.5)
    (gouge,) = hatched(canvas, 1.5, 16.0, 0.6)
    half = between(tone, low=0.08, high=0.35) * between(tone, low=0.95, high=0.7)
    drawn_finely = np.maximum(fine, resized(canvas.ahead(figures), *canvas.shape))
    depth = half * (np.float32(0.30) - np.float32(0.22) * drawn_finely)
    block = 1 - smoothstep(tone + gouge * depth, 0.42, 0.56)
    block = cv2.max(block, inked(canvas, 2.2, _GOUGE))
    white = 1 - smoothstep(canvas.texture(1.1, "print"), 1.9, 2.6) * np.float32(0.5)
    ink = block * white * (np.float32(0.97) + np.float32(0.02) * canvas.paper())
    return painted((0.95, 0.92, 0.84), (0.085, 0.085, 0.10), np.clip(ink, 0, 1))


def blueprint(canvas: Canvas) -> Plane:
    """White lines on blue paper with a grid and a frame, pale washes, and ruled hatching."""
    height, width = canvas.shape
    here = resized(canvas.ahead(figures), *canvas.shape)
    elsewhere = face_lines(canvas, 1.0, 0.4) * (1 - np.float32(0.7) * here)
    tone = blur(_accented(canvas, cleared(canvas, 0.9), 1.6), 0.5 * canvas.unit)
    ruled = canvas.moved_plane(_ruled(height, width, canvas.unit))
    shade = smoothstep(np.float32(0.5) - tone, 0.0, 0.4) * ruled * np.float32(0.15)
    lines = cv2.max(inked(canvas, 2.0, _RULING_PEN), elsewhere)
    ground = canvas.moved_plane(_chart(height, width, canvas.unit))
    wash = between(tone, low=0.15, high=0.95, top=0.36)
    wash += here * between(tone, low=0.1, high=0.5, top=0.14) * between(tone, low=0.9, high=0.5)
    light = np.maximum(lines, shade + ground + wash)
    light = np.maximum(light, _frame(height, width, canvas.unit))
    light += canvas.paper(1.0) * np.float32(0.014) + canvas.texture(40.0, "wash") * np.float32(0.02)
    return painted((0.035, 0.14, 0.38), (0.93, 0.97, 1.0), np.clip(light, 0, 1))


def _accented(canvas: Canvas, tone: Plane, darker: float) -> Plane:
    """A tone with the darks and lights of small forms. darker: how much the darks count."""
    dark, light = canvas.ahead(accents)
    change = cv2.addWeighted(light, 1 / 255, dark, -darker / 255, 0.0, dtype=cv2.CV_32F)
    return cv2.add(tone, change)  # type: ignore[no-any-return]


@lru_cache(maxsize=8)
def _ruled(height: int, width: int, unit: float) -> Plane:
    """Thin straight lines at 45 degrees, 0…1, that tile as far as the size allows."""
    x, y = coordinates(height, width)
    return smoothstep(np.cos((x + y) * np.float32(2 * np.pi / (5 * unit))), 0.35, 1.0)


@lru_cache(maxsize=8)
def _chart(height: int, width: int, unit: float) -> Plane:
    """The grid of the paper: fine lines, and every fourth a clearer one."""
    x, y = coordinates(height, width)
    chart = np.zeros((height, width), np.float32)
    for distance, light in ((_CHART / 4 * unit, 0.05), (_CHART * unit, 0.13)):
        for each in (x, y):
            away = np.abs((each + distance / 2) % distance - distance / 2)
            chart = np.maximum(chart, light * (1 - smoothstep(away, 0.2 * unit, 0.9 * unit)))
    return chart


@lru_cache(maxsize=8)
def _frame(height: int, width: int, unit: float) -> Plane:
    """The frame of a drawing, with marks along it."""
    frame = np.zeros((height, width), np.float32)
    margin, thin = round(9 * unit), max(1, round(0.8 * unit))
    right, bottom = width - 1 - margin, height - 1 - margin
    cv2.rectangle(frame, (margin, margin), (right, bottom), 0.7, thin, cv2.LINE_AA)
    for index in range(1, 8):
        x, y = margin + (right - margin) * index // 8, margin + (bottom - margin) * index // 8
        long = round((5 if index % 4 == 0 else 3) * unit)
        for begin, end in (
            ((x, margin - long), (x, margin)), ((x, bottom), (x, bottom + long)),
            ((margin - long, y), (margin, y)), ((right, y), (right + long, y)),
        ):  # fmt: skip
            cv2.line(frame, begin, end, 0.7, thin, cv2.LINE_AA)
    return frame
