"""Masks of persons: from arrays and frames, and whether one is sure."""

from collections.abc import Callable
from typing import Any, TypeAlias

import av
import cv2
import numpy as np
from numpy.typing import NDArray

from turbolens.filter.errors import FrameError
from turbolens.filter.frames.detail import LumaReader

Floats: TypeAlias = NDArray[np.float32]
MaskFunction: TypeAlias = Callable[[Any], Any]
"""From a frame to its mask, an array or a grey `av.VideoFrame`; `None` if it is not known."""

PERSON = 0.5
"""The probability from which a pixel belongs to a person."""
_DOUBTFUL = (0.2, 0.8)  # a probability between these tells nothing
_MOST_DOUBT = 0.4  # doubtful pixels as a share of the person's
_ISLAND = 0.05  # of the largest person's area: smaller areas are parts of the room
_LEAST_AREA = 0.02  # of the frame, assumed for the person, so that a few pixels are no doubt


def is_sure(mask: Floats) -> bool:
    """False if so much of a mask is doubtful that its edges mean little.

    A mask without any person is sure.
    """
    if not np.isfinite(mask).all():
        return False
    low, high = _DOUBTFUL
    doubtful = float(((mask > low) & (mask < high)).mean())
    area = float((mask >= PERSON).mean())
    return doubtful <= _MOST_DOUBT * max(area, _LEAST_AREA)


def without_islands(mask: Floats) -> Floats:
    """The mask with 0 in areas that are small beside the largest person, or that are only doubtful.

    A network takes parts of a room for a person here and there; they belong to no person's outline.
    A mask without any person stays as it is, since it may be doubtful as a whole.
    """
    for least in (PERSON, _DOUBTFUL[0]):
        areas = (mask > least).astype(np.uint8)
        count, labels = cv2.connectedComponents(areas)
        size = np.bincount(labels[mask >= PERSON], minlength=count)
        is_island = size < _ISLAND * size.max()
        is_island[0] = False  # where the mask is below `least`
        if is_island.any():
            mask = np.where(is_island[labels], np.float32(0), mask)
    return mask


def mask_from(value: Any) -> Floats:
    """A mask as float32 (H, W) in 0…1: from bool, uint8 0…255, float 0…1, or a grey frame.

    Raises `FrameError` for anything else.
    """
    if isinstance(value, av.VideoFrame):
        levels, limited = LumaReader()(value)
        grey = levels.astype(np.float32)
        grey = (grey - 16) * np.float32(255 / 219) if limited else grey
        return np.asarray((grey / 255).clip(0, 1), np.float32)
    array = np.asarray(value)
    if array.ndim == 3 and array.shape[2] == 1:
        array = array[..., 0]
    if array.ndim != 2 or not array.size or array.dtype.kind not in "buf":
        raise FrameError(
            "a mask must be (H, W) of bool, uint8 0…255 or floats 0…1, "
            f"got {array.dtype} {array.shape}"
        )
    if array.dtype.kind == "u":
        return np.asarray(array / np.iinfo(array.dtype).max, np.float32)
    mask = array.astype(np.float32)
    if not (np.isfinite(mask).all() and mask.min() >= 0 and mask.max() <= 1):
        raise FrameError(
            f"the floats of a mask must be between 0 and 1, got {mask.min()} to {mask.max()}"
        )
    return mask
