"""Coverage: how far each pixel shows the filter's result, from a mask of persons."""

from typing import Any, TypeAlias

import cv2
import numpy as np
from numpy.typing import NDArray

from turbolens.filter.settings import FilterSettings

from .masks import Floats

Coverage: TypeAlias = NDArray[np.uint8]
"""(h, w), 255 where a pixel shows the result alone, 0 where it shows what is outside."""

_EDGE = 0.15  # probabilities from 0.5 − this to 0.5 + this are the soft edge of a mask
MAX_SIDE = 512  # pixels of a coverage, which is enlarged to the frame: edges are soft anyway


def coverage_of(
    mask: Floats, now: Floats, settings: FilterSettings, size: tuple[int, int]
) -> Coverage:
    """The coverage for a mask of persons (h, w), 0…1, in a frame of `size` (width, height).

    now: the mask of this frame alone. The background is everything that either of the two masks
    does not take for a person, so a result over the background never comes too late, and it is
    covered as a whole: its soft edge of `settings.feather` lies on the person. The soft edge of a
    person lies on both sides, so that no halo of the result is seen.
    """
    if settings.region == "background":
        mask = 1 - np.minimum(mask, now)
    mask = _limited(mask)
    levels = ((mask - (0.5 - _EDGE)) * (255 / (2 * _EDGE))).clip(0, 255).astype(np.uint8)
    return _feathered(levels, settings, size)


def everything() -> Coverage:
    """The coverage of a frame that is filtered as a whole."""
    return np.full((1, 1), 255, np.uint8)


def is_whole(coverage: Coverage) -> bool:
    """True if every pixel shows the result alone."""
    return bool(coverage.min() == 255)


def is_empty(coverage: Coverage) -> bool:
    """True if no pixel shows the result."""
    return not coverage.any()


def _limited(mask: Floats) -> Floats:
    scale = MAX_SIDE / max(mask.shape)
    if scale >= 1:
        return mask
    size = max(1, round(mask.shape[1] * scale)), max(1, round(mask.shape[0] * scale))
    return np.asarray(cv2.resize(mask, size, interpolation=cv2.INTER_AREA), np.float32)


def _feathered(levels: Coverage, settings: FilterSettings, size: tuple[int, int]) -> Coverage:
    """Blurred over the feather's width; the background is widened by it first."""
    tall = settings.feather * levels.shape[0]
    wide = tall * levels.shape[1] / levels.shape[0] * size[1] / size[0]
    if tall <= 0:
        return levels
    wider = levels
    if settings.region == "background":
        side = 2 * max(1, round(wide)) + 1, 2 * max(1, round(tall)) + 1
        block: Any = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, side)
        wider = np.asarray(cv2.dilate(levels, block), np.uint8)
    soft = cv2.GaussianBlur(wider, (0, 0), max(wide, 0.4) / 2, sigmaY=max(tall, 0.4) / 2)
    return np.asarray(soft if wider is levels else np.maximum(soft, levels), np.uint8)
