"""Coherence for the eye: a few frames of every row, and one line of pixels over time."""

from collections.abc import Sequence
from pathlib import Path

import av
import numpy as np
from numpy.typing import NDArray

from turbolens.pipelines.video.destination import Destination
from turbolens.pipelines.video.images import save_image

Pixels = NDArray[np.uint8]
SHOWN = 5  # frames side by side
CROP = 160  # pixels a side of what is shown of each
ZOOM = 3  # of the line over time
GAP = 6


def strip(pictures: Sequence[Pixels]) -> Pixels:
    """Crops of the last consecutive frames, above one row of pixels over time (downwards).

    What is still draws straight lines there, what moves slanted ones; flicker is grain, noise that
    sticks to the screen draws straight lines through what moves.
    """
    height, width = pictures[0].shape[:2]
    top, left = (height - min(CROP, height)) // 2, (width - min(CROP, width)) // 2
    shown = [picture[top : top + CROP, left : left + CROP] for picture in pictures[-SHOWN:]]
    crops = np.concatenate(_spaced(shown, axis=1), axis=1)
    line = np.stack([picture[height // 2, left : left + CROP] for picture in pictures])
    over_time = line.repeat(ZOOM, axis=0).repeat(ZOOM, axis=1)
    total = max(crops.shape[1], over_time.shape[1])
    return np.concatenate(_spaced([_widened(crops, total), _widened(over_time, total)], axis=0))


def save_strip(pictures: Sequence[Pixels], path: Path) -> None:
    """Write the strip as PNG, over what is there."""
    frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(strip(pictures)), format="rgb24")
    save_image(frame, Destination(str(path), overwrite=True))


def _spaced(pictures: Sequence[Pixels], axis: int) -> list[Pixels]:
    spaced: list[Pixels] = []
    for picture in pictures:
        shape = list(picture.shape)
        shape[axis] = GAP
        spaced += [picture, np.full(shape, 255, np.uint8)]
    return spaced[:-1]


def _widened(picture: Pixels, width: int) -> Pixels:
    missing = ((0, 0), (0, width - picture.shape[1]), (0, 0))
    return np.pad(picture, missing, constant_values=255)
