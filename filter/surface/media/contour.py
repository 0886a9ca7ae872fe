"""Lines of a brush, a pen or a tube: smooth, unbroken, as wide as they are meant to be.

A difference of Gaussians smeared along the forms (Kang, Lee and Chui, 2007) is compared with its
own crest, so that a line is as wide where there is little contrast as where there is much. Its
width depends on how much stands behind it: it swells at large forms and tapers where it ends.
Strong lines take weak ones along that continue them, and short pieces are left out.
"""

from functools import lru_cache
from typing import NamedTuple

import numpy as np

from turbolens.filter.surface.bars import strongest_of, without_bars
from turbolens.filter.surface.canvas import Canvas
from turbolens.filter.surface.forms import Forms
from turbolens.filter.surface.ground import Ground
from turbolens.filter.surface.planes import Plane, blur, cv2, enlarged, reduced, resized, smoothstep
from turbolens.filter.surface.simplify import Levels

_FAINT = 0.012  # contrast of the strongest lines of a picture that has hardly any
_EVEN = 0.7  # exponent of the luma, so that a contrast in the dark counts for more
_NOISE = 0.003  # contrast of what a camera adds
_BESIDE = 6.0  # sigmas around black bars in which their edge is seen
_SMOOTHING = 5.2  # of the directions, in units
_SIGMA = 0.33  # of the inner Gaussian, over the width of a line
_WIDER = 1.6  # the outer Gaussian over the inner one
_AROUND, _QUARTER = 18.0, 4  # units around a line in which others inhibit it, and their reduction
_CLUTTER, _ON_SKIN = 0.7, 0.2  # how much they do, and the share of that on faces
_CLEARER_SKIN = 1.0  # by how much lines on faces count more
_SHORT, _LONG = 8.0, 20.0  # units: pieces that are left out, and that stay
_FULL = 2.5  # factor of a line's contrast that its length is multiplied by, up to 1
_MIDDLE = 0.5  # of a crest: what a line is followed along
_WEAK = 0.04  # contrast of what continues a line, as a share of the strongest
_SOFT = 0.16  # half the width of a line's rim, as a share of the crest


class Crests(NamedTuple):
    """Of the size that strokes are computed at, (H, W) each, and one number.

    profile: −1…1, 1 in the middle of a line. contrast: of the line that is nearest. form: 0…1, how
    much of a large form it bounds. strongest: the contrast of the strongest lines.
    """

    profile: Plane
    contrast: Plane
    form: Plane
    strongest: float


class Pen(NamedTuple):
    """thin, bold: width of lines inside of forms and around them, 0…1 of the widest. low, high: the
    contrast at which a line begins and is full, as shares of the strongest lines'. skin: factor of
    the width on faces."""

    thin: float = 0.35
    bold: float = 0.8
    low: float = 0.03
    high: float = 0.2
    skin: float = 0.6


def inked(canvas: Canvas, width: float, pen: Pen) -> Plane:
    """Dark lines of the frame, 0…1, (H, W). width: of the widest lines, in units."""
    return cv2.LUT(tracks(canvas, width, pen), _rim(0.0))  # type: ignore[no-any-return]


def tracks(canvas: Canvas, width: float, pen: Pen) -> Levels:
    """How far inside of a line each pixel is, (H, W): 128 on its rim. For `within`."""
    crests = canvas.ahead(found, width)
    strongest = canvas.steady(f"ink {width}", np.array([crests.strongest], np.float32))
    contrast = crests.contrast * np.float32(1 / max(float(strongest[0]), _FAINT))
    full = np.float32(pen.thin) + crests.form * np.float32(pen.bold - pen.thin)
    full *= 1 - np.float32(1 - pen.skin) * canvas.ahead(skin_of_lines)
    share = smoothstep(contrast, pen.low, pen.high) * (full + np.float32(_SOFT))
    inside = cv2.max(crests.profile + share - np.float32(_SOFT), 0)
    levels: Levels = cv2.convertScaleAbs(inside, alpha=128)
    return enlarged(levels, *canvas.shape)


def within(track: Levels, depth: float) -> Plane:
    """What lies at least so deep inside of lines, 0…1. depth: a share of the widest."""
    return cv2.LUT(track, _rim(depth))  # type: ignore[no-any-return]


@lru_cache(maxsize=32)
def _rim(depth: float) -> Plane:
    inside = np.arange(-128, 128, dtype=np.float32) * np.float32(1 / 128)
    return smoothstep(inside, depth - _SOFT, depth + _SOFT)[None]


def skin_of_lines(ground: Ground) -> Plane:
    """Skin, of the size that strokes are computed at."""
    return resized(ground.skin(), *ground.small_luma().shape)


def flow(ground: Ground) -> Forms:
    """The directions that lines follow."""
    return Forms(ground.small_luma(), smoothing=max(1.5, _SMOOTHING * ground.unit / ground.step))


def found(ground: Ground, width: float) -> Crests:
    """The lines of a frame. width: in units."""
    luma, pixels = cv2.pow(cv2.max(ground.small_luma(), 0), _EVEN), ground.unit / ground.step
    sigma = max(0.6, _SIGMA * width * pixels)
    forms = ground.of(flow)
    lines = blur(luma, _WIDER * sigma) - blur(luma, sigma)
    lines = forms.smeared(lines, 3) - np.float32(_NOISE)
    without_bars(lines, ground.small_luma(), round(_BESIDE * sigma))
    strongest = strongest_of(lines[::3, ::3])
    size = 2 * round(1.2 * sigma) + 1
    crest = cv2.dilate(lines, np.ones((size, size), np.uint8))
    crest = forms.smeared(cv2.max(crest, 0), 3)
    profile = np.clip(lines / (crest + np.float32(_NOISE)), -1, 1)
    skin = ground.of(skin_of_lines)
    contrast = cv2.subtract(crest, _inhibition(lines, skin, pixels))
    contrast *= _unbroken(contrast, profile, strongest, skin, pixels)
    contrast *= 1 + np.float32(_CLEARER_SKIN) * skin
    return Crests(profile, contrast, _form(ground, width), strongest)


def _inhibition(lines: Plane, skin: Plane, pixels: float) -> Plane:
    """What the lines around each pixel take from it."""
    around = blur(reduced(cv2.max(lines, 0), _QUARTER), _AROUND * pixels / _QUARTER)
    around = resized(around, *lines.shape) * np.float32(_CLUTTER)
    return around * (1 - np.float32(1 - _ON_SKIN) * skin)


def _unbroken(
    contrast: Plane, profile: Plane, strongest: float, skin: Plane, pixels: float
) -> Plane:
    """0…1: whether a pixel belongs to a line that is long enough, and not too weak."""
    limit = max(strongest, _FAINT)
    drawn = cv2.compare(
        cv2.min(profile - np.float32(_MIDDLE), contrast - np.float32(_WEAK * limit)), 0, cv2.CMP_GT
    )
    count, labels, boxes, _ = cv2.connectedComponentsWithStats(drawn, connectivity=8)
    length = np.hypot(boxes[:, cv2.CC_STAT_WIDTH], boxes[:, cv2.CC_STAT_HEIGHT]) / pixels
    places = np.flatnonzero(drawn)
    label = labels.ravel()[places]
    total = np.bincount(label, contrast.ravel()[places], count)
    mean = total / np.maximum(boxes[:, cv2.CC_STAT_AREA] * limit, _NOISE)
    evidence = length * np.minimum(mean * _FULL, 1)
    kept = np.zeros_like(contrast)
    kept.ravel()[places] = smoothstep(evidence.astype(np.float32), _SHORT, _LONG)[label]
    kept = cv2.dilate(kept, np.ones((3, 3), np.uint8))
    return cv2.max(kept, skin)  # type: ignore[no-any-return]


def _form(ground: Ground, width: float) -> Plane:
    """How much changes over three times the width of a line, 0…1: large forms, not lines."""
    small = reduced(ground.small_luma(), 2)
    soft = blur(small, max(0.8, width * ground.unit / ground.step / 2))
    across = cv2.Sobel(soft, cv2.CV_32F, 1, 0, ksize=3, scale=0.25)
    down = cv2.Sobel(soft, cv2.CV_32F, 0, 1, ksize=3, scale=0.25)
    change = cv2.magnitude(across, down)
    without_bars(change, small, round(_BESIDE * _SIGMA * width * ground.unit / ground.step / 2))
    limit = max(float(np.quantile(change[::2, ::2], 0.95)), 2 * _FAINT)
    return resized(smoothstep(change, 0.25 * limit, 0.9 * limit), *ground.small_luma().shape)
