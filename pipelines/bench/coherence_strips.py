"""Strips for looking at coherence: a few frames, and one row of pixels over time."""

from collections.abc import Sequence
from pathlib import Path

import av
import numpy as np
from numpy.typing import NDArray

from turbolens.pipelines.video.destination import Destination
from turbolens.pipelines.video.images.files import save_image

Rgb = NDArray[np.uint8]
SHOWN = 5  # frames side by side
CROP = 160  # pixels a side, of each frame
ZOOM = 3  # of the row over time
GAP = 6  # pixels


def strip(frames: Sequence[Rgb]) -> Rgb:
    """Crops of the last frames, and below them the middle row of all frames, downwards in time.

    In the lower part, still objects draw vertical lines and moving objects slanted ones. Flicker
    looks like grain. Noise that is fixed to the screen draws vertical lines through what moves.
    """
    height, width = frames[0].shape[:2]
    top, left = (height - min(CROP, height)) // 2, (width - min(CROP, width)) // 2
    crops = [frame[top : top + CROP, left : left + CROP] for frame in frames[-SHOWN:]]
    upper = np.concatenate(_spaced(crops, axis=1), axis=1)
    row = np.stack([frame[height // 2, left : left + CROP] for frame in frames])
    lower = row.repeat(ZOOM, axis=0).repeat(ZOOM, axis=1)
    total = max(upper.shape[1], lower.shape[1])
    return np.concatenate(_spaced([_widened(upper, total), _widened(lower, total)], axis=0))


def save_strip(frames: Sequence[Rgb], path: Path) -> None:
    """Write the strip as PNG. An existing file is replaced."""
    frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(strip(frames)), format="rgb24")
    save_image(frame, Destination(str(path), overwrite=True))


def _spaced(parts: Sequence[Rgb], axis: int) -> list[Rgb]:
    spaced: list[Rgb] = []
    for part in parts:
        shape = list(part.shape)
        shape[axis] = GAP
        spaced += [part, np.full(shape, 255, np.uint8)]
    return spaced[:-1]


def _widened(part: Rgb, width: int) -> Rgb:
    missing = ((0, 0), (0, width - part.shape[1]), (0, 0))
    return np.pad(part, missing, constant_values=255)
