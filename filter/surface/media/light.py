"""Pictures made of light: neon, vaporwave, thermal, and film."""

from functools import lru_cache

import numpy as np

from turbolens.filter.surface.canvas import Canvas
from turbolens.filter.surface.planes import (
    Colour,
    Plane,
    added,
    blur,
    coordinates,
    cv2,
    enlarged,
    luma_of,
    reduced,
    resized,
    smoothstep,
    times,
    toned,
)
from turbolens.filter.surface.simplify import from_levels

from .attention import figures, people
from .contour import Pen, tracks, within
from .tones import cleared, face_lines

_TUBES: tuple[Colour, ...] = (
    (1.0, 0.10, 0.55),
    (0.62, 0.20, 1.0),
    (0.10, 0.75, 1.0),
    (1.0, 0.45, 0.15),
)
_FIGURES = np.float32(0.6)  # how much of them is lit, beside faces
_NIGHT: tuple[Colour, ...] = (
    (0.015, 0.01, 0.05), (0.06, 0.03, 0.15), (0.17, 0.07, 0.31), (0.24, 0.12, 0.40),
)  # fmt: skip
IRON: tuple[Colour, ...] = (
    (0.0, 0.0, 0.10), (0.16, 0.0, 0.42), (0.46, 0.0, 0.60), (0.76, 0.10, 0.50),
    (0.93, 0.33, 0.18), (0.99, 0.60, 0.05), (1.0, 0.85, 0.20), (1.0, 1.0, 0.88),
)  # fmt: skip
SUNSET: tuple[Colour, ...] = (
    (0.09, 0.03, 0.25), (0.30, 0.07, 0.53), (0.72, 0.14, 0.68), (1.0, 0.36, 0.62),
    (1.0, 0.60, 0.55), (1.0, 0.80, 0.62), (0.55, 0.93, 0.97),
)  # fmt: skip
SEPIA: tuple[Colour, ...] = (
    (0.13, 0.085, 0.06), (0.36, 0.25, 0.18), (0.62, 0.48, 0.35), (0.84, 0.72, 0.55),
    (0.97, 0.90, 0.76),
)  # fmt: skip
_GLASS = Pen(thin=0.5, bold=0.9, skin=0.35)
_FINE, _BROAD, _MOST_FINE = 0.7, 0.55, 0.2  # of what is fine in a picture of heat, and limit
_BANDS = 6  # of a sunset
_SLAT = 46  # units between the slats of a blind


def neon(canvas: Canvas) -> Plane:
    """Glowing tubes along the contours, in a dark room."""
    unit, (height, width) = canvas.unit, canvas.shape
    track = tracks(canvas, 2.9, _GLASS)
    tube, core = within(track, 0.0), within(track, 0.24)
    small = reduced(tube, 2)
    near = resized(blur(small, 1.3 * unit), height, width)
    smaller = reduced(small, 2)
    far = resized(blur(smaller, 2.0 * unit) + blur(smaller, 6.0 * unit), height, width)
    place = reduced(canvas.texture(38.0, "tubes"), 4) * np.float32(0.22) + np.float32(0.5)
    colours = toned(place, (*_TUBES, _TUBES[0]))
    colours = resized(colours, height, width)
    tone = blur(reduced(canvas.seen_tone, 2), 0.8)
    room = resized(toned(tone, _NIGHT), height, width)
    glow = tube * np.float32(0.55) + near * np.float32(0.8) + far * np.float32(0.7)
    clear = cleared(canvas, 0.9)
    faces = canvas.ahead(people)
    skin = resized(np.maximum(faces, _half_lit(canvas)), height, width)
    lit = clear * (clear * np.float32(0.07) + np.float32(0.8) * skin)
    fine = face_lines(canvas, 1.0, 0.35)
    lit *= 1 - cv2.max(tube, fine * resized(faces, height, width))
    glow += fine * (np.float32(0.6) - np.float32(0.6) * skin)
    light = times(colours, glow + lit)
    return added(cv2.add(room, light), core * np.float32(0.75))


def _half_lit(canvas: Canvas) -> Plane:
    """What stands out is lit as well, since hue does not tell every face."""
    found = blur(canvas.ahead(figures), 2.0 * canvas.unit / canvas.step)
    return resized(found, *canvas.small_luma.shape) * _FIGURES


def thermal(canvas: Canvas) -> Plane:
    """False colours of few pixels, the outlines of what is seen, and the scale of the camera."""
    height, width = canvas.shape
    # Between both blurs there are eyes, mouths and folds.
    small = reduced(canvas.seen_tone, 4)
    around = resized(blur(small, 1.5 * canvas.unit), height, width)
    wide = resized(small, height, width)
    tone = canvas.seen_tone
    fine = cv2.addWeighted(tone, _FINE, wide, _BROAD - _FINE, 0.0, dst=wide)
    fine = cv2.addWeighted(fine, 1.0, around, -_BROAD, 0.0, dst=fine)
    cv2.max(cv2.min(fine, _MOST_FINE, dst=fine), -2 * _MOST_FINE, dst=fine)
    heat = cv2.scaleAdd(canvas.texture(0.8, "sensor"), 0.008, fine, dst=fine)
    heat = cv2.add(heat, enlarged(canvas.heat * (1 - np.float32(0.2) * canvas.skin), height, width))
    picture = toned(heat, IRON)
    return _with_scale(picture, canvas.unit)


def _with_scale(picture: Plane, unit: float) -> Plane:
    height, width = picture.shape[:2]
    bar, margin = max(4, round(6 * unit)), max(3, round(9 * unit))
    top, bottom = round(0.3 * height), round(0.7 * height)
    left = width - margin - bar
    ramp = np.linspace(1, 0, bottom - top, dtype=np.float32)[:, None]
    ramp = toned(np.repeat(ramp, bar, 1), IRON)
    thin = max(1, round(unit))
    white = (0.95, 0.95, 0.95)
    cv2.rectangle(picture, (left - thin, top - thin), (left + bar, bottom), white, thin)
    picture[top:bottom, left : left + bar] = ramp
    x, y, arm, gap = width // 2, height // 2, round(7 * unit), round(3 * unit)
    for across, down in ((1, 0), (-1, 0), (0, 1), (0, -1)):
        begin = (x + across * gap, y + down * gap)
        cv2.line(picture, begin, (x + across * arm, y + down * arm), white, thin)
    return picture


def vaporwave(canvas: Canvas) -> Plane:
    """A sunset's colours in bands, red and blue beside each other as on an old tube, its lines."""
    unit, (height, width) = canvas.unit, canvas.shape
    tone = cleared(canvas, 0.5)
    _, down = coordinates(height, width)
    fall = (np.float32(0.45) - down * np.float32(1 / height)) * np.float32(0.3)
    place = np.clip(tone * np.float32(0.88) + fall * tone, 0, 1)
    levels = place * np.float32(_BANDS)
    low = np.floor(levels)
    place = (low + smoothstep(levels - low, 0.1, 0.9)) * np.float32(1 / _BANDS)
    picture = toned(place, SUNSET)
    picture = cv2.addWeighted(canvas.picture, 0.22, picture, 0.78, 0.0)
    bloom = reduced(np.maximum(picture - np.float32(0.6), 0), 2)
    picture = cv2.add(picture, resized(blur(bloom, 4 * unit), height, width) * np.float32(0.5))
    red, green, blue = cv2.split(picture)
    shift = max(1, round(1.5 * unit))
    lines = canvas.contours(1.2, 0.3, 0.7) * np.float32(0.4)
    red = _shifted(red, shift) + _shifted(lines, 2 * shift)
    green = green + _shifted(lines, -2 * shift) * np.float32(0.8)
    blue = _shifted(blue, -shift) + lines
    picture = cv2.merge((red, green, blue))
    return times(picture, _scan(height, width, max(3, round(3 * unit))))


def _shifted(plane: Plane, by: int) -> Plane:
    matrix = np.array([[1, 0, by], [0, 1, 0]], np.float32)
    size = plane.shape[1], plane.shape[0]
    return cv2.warpAffine(  # type: ignore[no-any-return]
        plane, matrix, size, flags=cv2.INTER_NEAREST, borderMode=cv2.BORDER_REPLICATE
    )


@lru_cache(maxsize=8)
def _scan(height: int, width: int, every: int) -> Plane:
    rows = np.cos(np.arange(height, dtype=np.float32) * np.float32(2 * np.pi / every))
    return np.repeat((1 + 0.12 * rows)[:, None].astype(np.float32), width, axis=1)


def noir(canvas: Canvas) -> Plane:
    """Deep blacks, a lamp through a blind, lit rims, and the grain of fast film."""
    unit, (height, width) = canvas.unit, canvas.shape
    skin = canvas.full_skin
    tone = cleared(canvas, 0.4)
    deep = smoothstep(tone, 0.1, 1.02)
    tone = cv2.addWeighted(tone, 0.22, deep, 0.76, 0.0) + skin * (1 - tone) * np.float32(0.08)
    x, y = canvas.places
    slat = np.cos((y + x * np.float32(0.16)) * np.float32(2 * np.pi / (_SLAT * unit)))
    near = blur(canvas.ahead(figures), 9.0 * unit / canvas.step / 2)
    wall = 1 - np.minimum(resized(near, height, width) * np.float32(1.6), np.float32(0.8))
    blind = smoothstep(slat, -0.15, 0.45) * np.minimum(wall, 1 - np.float32(0.75) * skin)
    tone = tone * (1 - np.float32(0.34) * blind * _window(height, width))
    rim = np.clip(
        canvas.luma - resized(blur(reduced(canvas.luma, 2), 1.5 * unit), height, width), 0, 0.2
    )
    tone = tone * _lamp(height, width, 0.75) + rim * np.float32(0.6)
    bloom = blur(reduced(np.maximum(tone - np.float32(0.7), 0), 4), 2.5 * unit)
    tone = tone + resized(bloom, height, width) * np.float32(0.6)
    grain = canvas.texture(0.6, "film") * (1 - np.square(2 * tone - 1) * np.float32(0.6))
    return _silver(tone + grain * (np.float32(0.03) - np.float32(0.012) * skin))


@lru_cache(maxsize=8)
def _window(height: int, width: int) -> Plane:
    """Where light falls through a blind: from the top right."""
    x, y = coordinates(height, width)
    return smoothstep(x * np.float32(1 / width) - y * np.float32(1 / height), -0.6, 0.4)


def _silver(tone: Plane) -> Plane:
    """A tone as silver on paper."""
    return cv2.merge((tone * np.float32(1.0), tone * np.float32(0.985), tone * np.float32(0.96)))  # type: ignore[no-any-return]


@lru_cache(maxsize=8)
def _lamp(height: int, width: int, depth: float) -> Plane:
    """1 in the middle, darker at the corners."""
    x, y = coordinates(height, width)
    far = np.square(x / width - 0.5) + np.square(y / height - 0.45)
    return (1 - depth * smoothstep(far, 0.08, 0.55)).astype(np.float32)


def vintage(canvas: Canvas) -> Plane:
    """An old print: sepia with a breath of colour, faded blacks, a leak of light, dust, grain."""
    unit, (height, width) = canvas.unit, canvas.shape
    tone = cleared(canvas, 0.35)
    glow = resized(blur(reduced(tone, 4), 2.5 * unit), height, width)
    tone = cv2.addWeighted(tone, 0.82, glow, 0.16, 0.02) * _lamp(height, width, 0.45)
    grain = canvas.texture(0.7, "film") * np.float32(0.022)
    picture = toned(tone + grain, SEPIA)
    colours = from_levels(canvas.frame)
    luma = luma_of(colours)
    tint = cv2.subtract(colours, cv2.merge((luma, luma, luma)))
    picture = cv2.addWeighted(picture, 1.0, tint, 0.3, 0.0)
    dust = smoothstep(canvas.texture(1.2, "dust"), 2.9, 3.4) * np.float32(0.3)
    return cv2.add(added(picture, dust), _leak(height, width))  # type: ignore[no-any-return]


@lru_cache(maxsize=8)
def _leak(height: int, width: int) -> Plane:
    x, y = coordinates(height, width)
    near = np.exp(-np.square(x / width / 0.16) - np.square((y / height - 0.3) / 0.5))
    return np.dstack([near * 0.13, near * 0.055, near * 0.015]).astype(np.float32)
