"""Accents: the darks and lights of small forms, as eyes, mouths and brows, which somebody who
paints sets last, with a pointed brush.

A material hides forms that are smaller than its strokes and tiles. What a frame has of them, and
what is laid has not, is painted in, in the colours that are there.
"""

import numpy as np

from turbolens.filter.surface.ground import Ground
from turbolens.filter.surface.planes import cv2, resized
from turbolens.filter.surface.simplify import Levels, to_levels

from .attention import figures

_REACH = 5.0  # units: half the width of the largest form that is an accent
_NOISE, _FAINT = 3.0, 22.0  # levels: hardly an accent below; fainter ones are painted stronger
_STRONGER = 2.0  # how much more of a faint one
_DARK, _LIGHT = 1.9, 0.8  # how much the darks and the lights count

_SQRT = ((np.arange(256) / 255) ** 0.42).astype(np.float32)
_EVENLY = np.rint(_SQRT * 255).astype(np.uint8)
"""Levels so that a contrast in the dark counts as much as one in the light."""
_CONTRAST = np.arange(256, dtype=np.float32)
_WANTED = np.minimum(
    _CONTRAST**3 / (_CONTRAST**2 + _NOISE**2) * (1 + _STRONGER * np.exp(-_CONTRAST / _FAINT)), 255
)
_WANTED = np.rint(_WANTED).astype(np.uint8)
"""By the contrast that a frame has, how much a painting gets."""


def accents(ground: Ground) -> tuple[Levels, Levels]:
    """Contrast of the small darks and of the small lights that a painting should have, (H, W)."""
    levels = cv2.GaussianBlur(cv2.LUT(to_levels(ground.seen.luma), _EVENLY), (3, 3), 0.6)
    share = resized(to_levels(figures(ground)), *ground.shape)
    dark, light = (
        cv2.multiply(cv2.LUT(each, _WANTED), share, scale=1 / 255)
        for each in _small_forms(levels, ground.unit)
    )
    return dark, light


def accented(laid: Levels, wanted: tuple[Levels, Levels], unit: float) -> Levels:
    """What is laid, RGB (H, W, 3), with the accents that it lacks; changes `laid`.

    wanted: `accents`. unit: of the ground.
    """
    levels = cv2.LUT(cv2.cvtColor(laid, cv2.COLOR_RGB2GRAY), _EVENLY)
    dark, light = (
        cv2.subtract(each, own)
        for each, own in zip(wanted, _small_forms(levels, unit), strict=True)
    )
    rest = cv2.bitwise_not(cv2.multiply(dark, _DARK))
    cv2.multiply(laid, cv2.merge((rest, rest, rest)), dst=laid, scale=1 / 255)
    light = cv2.multiply(light, _LIGHT)
    return cv2.add(laid, cv2.merge((light, light, light)), dst=laid)  # type: ignore[no-any-return]


def _small_forms(levels: Levels, unit: float) -> tuple[Levels, Levels]:
    """How much darker, and how much lighter, each place is than what is around it."""
    side = 2 * round(_REACH * unit) + 1
    around = cv2.getStructuringElement(cv2.MORPH_RECT, (side, side))
    dark, light = (
        cv2.morphologyEx(levels, each, around) for each in (cv2.MORPH_BLACKHAT, cv2.MORPH_TOPHAT)
    )
    return dark, light
