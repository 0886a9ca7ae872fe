"""Tones and flat areas as somebody who draws would see them: clear features, few steps."""

from functools import lru_cache

import numpy as np

from turbolens.filter.surface.canvas import Canvas
from turbolens.filter.surface.ground import Ground
from turbolens.filter.surface.planes import (
    Plane,
    blur,
    cv2,
    faded,
    luma_of,
    reduced,
    resized,
    smoothstep,
    times,
)
from turbolens.filter.surface.simplify import firmed, from_levels, to_levels

from .accents import accents
from .attention import figures, kept_in_faces

_AROUND = 4.0  # units
_CONTRAST = 0.1  # of an edge that stays
_STEP = 4  # by which the picture is reduced when its areas are found
_OF_FRAME = 0.5  # share of the frame in the colours
_FEATURE = 3.2  # units, that eyes and mouths are compared with
_FOLD = 0.96, 0.82  # of the luma around: not drawn above, and fully drawn
_ACCENT = 3.5  # how much the darks of small forms count
_DIM = 0.3  # added to both
_RADIUS = 5.0  # units, of the areas that become even
_AREA = 3.0  # units, of the smallest areas of one tone
_EDGE = 0.015, 0.07  # change of the tone over an edge that is soft, and firm
_BANDS = np.float32(0.3)  # of the steps that are left in a gradient
_NOT_STEPPED = 0.8  # share of skin's own tones
_GREY = 0.02, 0.11  # chroma that is none, and is made vivid
_OF_GREY = 0.35  # of the saturation of what is nearly grey
_SKIN = 1.25  # the most that the saturation of skin is multiplied by
_LIFT = 0.12  # added to tones before they are divided


def between(tone: Plane, *, low: float, high: float, top: float = 1.0) -> Plane:
    """`smoothstep` of a tone of 0…1 in 256 steps, times `top`: a few times as fast."""
    return cv2.LUT(to_levels(tone), _table(low, high, top))  # type: ignore[no-any-return]


@lru_cache(maxsize=64)
def _table(low: float, high: float, top: float) -> Plane:
    table = smoothstep(np.linspace(0, 1, 256, dtype=np.float32), min(low, high), max(low, high))
    return (table if low < high else 1 - table)[None] * np.float32(top)


def cleared(canvas: Canvas, amount: float) -> Plane:
    """The frame's tone, 0…1, with eyes, mouths and folds brought out."""
    tone = canvas.seen_tone
    around = resized(blur(reduced(tone, 2), _AROUND * canvas.unit / 2), *canvas.shape)
    clear = cv2.addWeighted(tone, 1 + amount, around, -amount, 0.0, dst=around)
    return cv2.max(cv2.min(clear, 1, dst=clear), 0, dst=clear)  # type: ignore[no-any-return]


def face_lines(canvas: Canvas, most: float, elsewhere: float = 0.0) -> Plane:
    """Eyes, brows, mouths and folds, however small: 0…most, (H, W), most in the dark.

    They are drawn on faces and on whatever stands out on calm ground, since faces in cold light do
    not have the hue of skin. elsewhere: share of that of what is as small, but on neither.
    """
    return canvas.ahead(small_darks, most, elsewhere)


def small_darks(ground: Ground, most: float, elsewhere: float) -> Plane:
    """As `face_lines`."""
    luma = ground.seen.luma
    around = resized(blur(reduced(luma, 4), _FEATURE * ground.unit / 4), *ground.shape)
    share = cv2.divide(cv2.add(luma, _DIM), cv2.add(around, _DIM))  # dim faces count as well
    faces = resized(np.maximum(ground.of(figures), np.float32(elsewhere)), *ground.shape)
    dark = cv2.multiply(between(share, low=_FOLD[0], high=_FOLD[1], top=most), faces, dst=faces)
    accent = ground.of(accents)[0]
    accent = cv2.multiply(accent, _ACCENT / 255, dtype=cv2.CV_32F)
    return cv2.max(dark, cv2.min(accent, most))  # type: ignore[no-any-return]


def faded_plane(plane: Plane, other: Plane, share: Plane) -> Plane:
    """From `plane` to `other`, (H, W) each. share: 0…1, of `other`."""
    result = cv2.subtract(other, plane)
    cv2.multiply(result, share, dst=result)
    return cv2.add(result, plane, dst=result)  # type: ignore[no-any-return]


def even_tone(canvas: Canvas, tone: Plane, radius: float) -> Plane:
    """A tone (H, W) in even areas, at the size that strokes are computed at. radius: in units."""
    small = reduced(tone, canvas.step)
    for _ in range(2):
        small = smoothed(small, small, radius * canvas.unit / canvas.step)
    return small


def smoothed(picture: Plane, guide: Plane, radius: float, fine: Plane | None = None) -> Plane:
    """A picture or plane in even areas, with the edges of `guide`.

    The guided filter (He, Sun and Tang, 2010) changes gradually where a choice between areas would
    flip by noise. guide: (h, w). radius: in pixels. fine: the guide at a larger size, which becomes
    that of the result.
    """
    product = cv2.multiply if picture.ndim == 2 else times
    size = (2 * max(1, round(radius)) + 1,) * 2
    mean, mean_guide = cv2.blur(picture, size), cv2.blur(guide, size)
    variance = cv2.blur(guide * guide, size) - mean_guide * mean_guide
    both = cv2.blur(product(picture, guide), size) - product(mean, mean_guide)
    slope = product(both, 1 / (variance + np.float32(_CONTRAST**2)))
    offset = cv2.blur(mean - product(slope, mean_guide), size)
    slope = cv2.blur(slope, size)
    if fine is not None:
        guide = fine
        slope, offset = (resized(each, *fine.shape) for each in (slope, offset))
    result: Plane = product(slope, guide)
    return cv2.add(result, offset, dst=result)  # type: ignore[no-any-return]


def flat_colours(canvas: Canvas, steps: int, vivid: float) -> tuple[Plane, Plane]:
    """The picture in flat areas, RGB (H, W, 3), and their tone, (H, W).

    Colours are the picture's, tones are the frame's, which have no halos. steps: of the tones.
    vivid: factor of the saturation; greys stay grey.
    """
    tone = _even(canvas)
    small_tone = reduced(tone, _STEP)
    seen = from_levels(reduced(canvas.frame, _STEP))
    small = cv2.addWeighted(reduced(canvas.picture, _STEP), 1 - _OF_FRAME, seen, _OF_FRAME, 0.0)
    lift = np.float32(_LIFT)
    toned = times(small, (small_tone + lift) / (luma_of(small) + lift))
    skin = resized(canvas.skin, *small_tone.shape)
    coloured = _vivid(toned, vivid + min(0.0, _SKIN - vivid) * skin)
    flat = smoothed(coloured, small_tone, _RADIUS * canvas.unit / _STEP, tone)
    stepped = in_steps(tone, steps, np.float32(_NOT_STEPPED) * skin)
    ratio = cv2.add(luma_of(flat), _LIFT)
    cv2.divide(cv2.add(stepped, _LIFT), ratio, dst=ratio)
    return times(flat, ratio), stepped


def _even(canvas: Canvas) -> Plane:
    """The frame's tone in even areas with firm rims, (H, W); faces keep their features."""
    pixels = canvas.unit / canvas.step
    small = to_levels(reduced(canvas.seen_tone, canvas.step))
    size = 2 * round(_AREA * pixels) + 1
    even = cv2.medianBlur(cv2.medianBlur(small, size), size)
    even = from_levels(resized(firmed(even), *canvas.shape))
    kept = resized(canvas.ahead(kept_in_faces, 1.0, 0.8), *canvas.shape)
    return faded_plane(even, canvas.seen_tone, kept)


def in_steps(tone: Plane, steps: int, kept: Plane | None = None) -> Plane:
    """A tone in a few steps, firm at edges and faint in gradients (Winnemöller, 2006).

    kept: share of the tone itself, (h, w) of a quarter of the size.
    """
    quarter = reduced(tone, 4)
    kernel = np.ones((3, 3), np.uint8)
    change = cv2.morphologyEx(blur(quarter, 1.0), cv2.MORPH_GRADIENT, kernel)
    firm = _BANDS + (1 - _BANDS) * smoothstep(change, *_EDGE)
    if kept is not None:
        firm *= 1 - kept
    stepped = cv2.LUT(to_levels(tone), _steps_table(steps, 0.17))
    return faded_plane(tone, stepped, resized(firm, *tone.shape))


def _steps_table(steps: int, width: float) -> Plane:
    """Of in_steps; width: of half an edge, in steps."""
    levels = np.linspace(0, 1, 256, dtype=np.float32) * np.float32(steps)
    low = np.floor(levels)
    stepped = low + smoothstep(levels - low, 0.5 - width, 0.5 + width)
    return (stepped / np.float32(steps)).astype(np.float32)[None]  # type: ignore[no-any-return]


def _vivid(picture: Plane, amount: Plane) -> Plane:
    """Colours made vivid by a factor of each pixel; what is nearly grey becomes grey."""
    luma = luma_of(picture)
    red, _, blue = cv2.split(picture)
    chroma = cv2.max(cv2.absdiff(red, luma), cv2.absdiff(blue, luma))
    coloured = between(chroma, low=_GREY[0], high=_GREY[1])
    share = np.float32(_OF_GREY) + coloured * (amount - np.float32(_OF_GREY))
    return faded(cv2.merge((luma, luma, luma)), picture, share)
