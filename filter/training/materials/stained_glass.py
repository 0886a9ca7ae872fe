"""Stained glass: cells along the edges, lead between them, glowing glass."""

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from .canvas import (
    Array,
    blur,
    curve,
    flat,
    generator,
    luma,
    material,
    noise,
    relief,
    saturate,
    to_lab,
)
from .flow import lines

_SPACING = 15  # of the cells' seeds
_SAME = 14.0  # CIE Lab: neighbours below this difference become one piece


@material
def stained_glass(picture: Array) -> Array:
    """Pieces of coloured glass in lead; faces have painted contours, as in windows."""
    smooth = flat(picture, 3)
    cells = _cells(smooth)
    colours = _means(smooth, cells)
    glass = saturate(np.clip(colours * 0.45 + 0.55 * blur(smooth, 1.0), 0, 1), 1.9)
    tints = generator(picture.shape, "tints").normal(1, 0.045, (int(cells.max()) + 1, 3))
    glass = np.clip(((glass - 0.45) * 1.2 + 0.48) * tints[cells], 0.03, 1)
    lead = _lead(cells, colours)
    inner = curve(cv2.distanceTransform((lead < 0.5).astype(np.uint8), cv2.DIST_L2, 3), 0, 6)
    streaks = 0.05 * noise(picture.shape, "streaks", 2.0)
    streaks = streaks + 0.03 * noise(picture.shape, "bubbles", 0.8)
    lit = glass * (0.72 + 0.4 * inner + streaks)[..., None]
    lit = lit + 0.22 * blur(np.clip(lit - 0.45, 0, None), 5.0)
    painted = lines(picture, 1.0, length=4.0, threshold=-0.006, steepness=70)
    lit *= 1 - 0.85 * painted[..., None]
    metal = np.clip(0.09 + relief(blur(lead, 0.8), 0.6), 0, 1)
    window: Array = lit * (1 - lead[..., None]) + (metal * lead)[..., None]
    return window


def _cells(picture: Array) -> NDArray[Any]:
    """Labels by watershed from a jittered grid, neighbours of one colour merged."""
    height, width = picture.shape[:2]
    random = generator(picture.shape, "glass")
    markers = np.zeros((height, width), np.int32)
    label = 0
    for top in range(_SPACING // 2, height, _SPACING):
        for left in range(_SPACING // 2, width, _SPACING):
            label += 1
            y, x = np.array([top, left]) + random.integers(-5, 6, 2)
            cv2.circle(markers, (int(x), int(y)), 2, label, -1)
    pixels = (picture * 255).astype(np.uint8)
    cells: NDArray[Any] = cv2.watershed(pixels, markers)
    filled = cv2.dilate(np.maximum(cells, 0).astype(np.float32), np.ones((3, 3)))
    cells = np.where(cells < 1, filled, cells).astype(np.int32)
    merged = _merged(to_lab(picture), cells).astype(np.uint16)
    return cv2.medianBlur(cv2.medianBlur(merged, 5), 5).astype(np.int32)


def _means(picture: Array, cells: NDArray[Any]) -> Array:
    """The mean colour of each pixel's cell."""
    flat_cells = cells.ravel()
    count = np.bincount(flat_cells) + 1e-6
    sums = [np.bincount(flat_cells, picture[..., index].ravel()) / count for index in range(3)]
    means: Array = np.stack(sums, -1)[cells].astype(np.float32)
    return means


def _merged(lab: Array, cells: NDArray[Any]) -> NDArray[Any]:
    """Cells joined to the neighbour of most similar colour, each piece of at most 14."""
    flat_cells = cells.ravel()
    count = np.bincount(flat_cells) + 1e-6
    means = np.stack([np.bincount(flat_cells, lab[..., i].ravel()) / count for i in range(3)], -1)
    pairs = [np.stack([cells[:, :-1].ravel(), cells[:, 1:].ravel()], -1),
             np.stack([cells[:-1].ravel(), cells[1:].ravel()], -1)]  # fmt: skip
    touching = np.unique(np.sort(np.concatenate(pairs), -1), axis=0)
    touching = touching[touching[:, 0] != touching[:, 1]]
    distance = np.linalg.norm(
        (means[touching[:, 0]] - means[touching[:, 1]]) * [0.5, 1, 1], axis=-1
    )
    owner, sizes = np.arange(len(means)), np.ones(len(means), int)
    for index in np.argsort(distance, kind="stable"):
        if distance[index] > _SAME:
            break
        first, second = owner[touching[index]]
        if first != second and sizes[first] + sizes[second] <= 14:
            owner[owner == second] = first
            sizes[first] += sizes[second]
    joined: NDArray[Any] = owner[cells].astype(np.int32)
    return joined


def _lead(cells: NDArray[Any], colours: Array) -> Array:
    """Coverage by lead along the borders of cells, thin between pieces of similar colours."""
    border = np.zeros(cells.shape, np.float32)
    border[:, 1:] = cells[:, 1:] != cells[:, :-1]
    border[1:] = np.maximum(border[1:], cells[1:] != cells[:-1])
    step = cv2.morphologyEx(luma(colours), cv2.MORPH_GRADIENT, np.ones((3, 3)))
    border *= np.clip(0.68 + 4 * step, 0.68, 1)
    return curve(blur(border, 0.8), 0.16, 0.42)
