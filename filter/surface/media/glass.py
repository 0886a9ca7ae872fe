"""Stained glass: pieces that follow the subject, of one colour each, with lead between."""

import numpy as np
from numpy.typing import NDArray

from turbolens.filter.surface.canvas import Canvas
from turbolens.filter.surface.planes import (
    Plane,
    blur,
    coordinates,
    covered,
    cv2,
    enlarged,
    faded,
    luma_of,
    reduced,
    resized,
    sample,
    smoothstep,
    times,
    vivid,
)
from turbolens.filter.surface.seeds import COUNT, chances, neighbours, numbers_of
from turbolens.filter.surface.simplify import from_levels

from .attention import calm_enough, features, people

SIDE = 30.0  # units between the seeds of pieces
COLOUR = 22.0  # weight of a squared difference of colour against one of place, in sides
_TINTS = np.array(
    [(0.45, 0.76, 0.98), (1.0, 0.82, 0.40), (0.60, 0.90, 0.66), (0.98, 0.95, 0.82),
     (0.98, 0.62, 0.58), (0.70, 0.86, 1.0)], np.float32,
)  # fmt: skip
"""Colours of the glass where a picture is pale."""
_SUM = np.ones((1, 4), np.float32)
LEAD = (0.04, 0.04, 0.05)


def pieces(canvas: Canvas, picture: Plane, side: float = SIDE) -> Plane:
    """The key of each pixel's piece, (H, W) of the reduced size.

    One step of SLIC (Achanta et al., 2012): of the nine seeds near a pixel, the one whose colour
    and place are nearest. picture: RGB of the reduced size.
    """
    height, width = picture.shape[:2]
    pixels = side * canvas.unit / canvas.step / 2
    own = blur(cv2.cvtColor(reduced(picture, 2), cv2.COLOR_RGB2RGBA), 0.8)
    across, down = (reduced(each, 2) * np.float32(0.5) for each in canvas.reduced_places)
    columns, rows = coordinates(*own.shape[:2])
    soft = blur(own, pixels / 8)
    nearest = np.full(columns.shape, np.inf, np.float32)
    numbers = np.zeros_like(nearest)
    near = np.float32(1 / pixels**2)
    for seed in neighbours((across, down), pixels, 0.9, "glass"):
        there = sample(soft, columns + seed.x, rows + seed.y, cv2.BORDER_REPLICATE)
        difference = cv2.subtract(there, own, dst=there)
        cv2.multiply(difference, difference, dst=difference, scale=COLOUR)
        distance = cv2.transform(difference, _SUM)
        distance += (seed.x * seed.x + seed.y * seed.y) * near
        nearer = cv2.compare(distance, nearest, cv2.CMP_LT)
        cv2.min(distance, nearest, dst=nearest)
        cv2.copyTo(seed.key, nearer, numbers)
    numbers = cv2.medianBlur(numbers, 3)
    numbers = cv2.resize(numbers, (width, height), interpolation=cv2.INTER_NEAREST)
    return cv2.medianBlur(numbers, 5)  # type: ignore[no-any-return]


def stained_glass(canvas: Canvas) -> Plane:
    """Panes that glow, lead along the subject's edges, and faces painted on the glass."""
    small = from_levels(canvas.even)
    numbers = pieces(canvas, small)
    index = numbers_of(numbers)
    face = smoothstep(canvas.ahead(people), 0.3, 0.8)
    panes = vivid(_means(small, index)[:, None], 1.75)[:, 0]
    lighter, warmer = np.split(chances("glass"), 2, axis=1)
    pale = np.clip(panes.min(axis=1, keepdims=True) * 3 - 1.9, 0, 0.8)
    tints = np.take(_TINTS, ((warmer[:, 0] + 1) * 0.4999 * len(_TINTS)).astype(int), axis=0)
    panes = panes * (1 - pale) + tints * pale
    panes = panes * (1 + np.float32(0.16) * lighter)
    figures = np.maximum(face, canvas.ahead(features))  # painted on the glass
    panes_small = np.take(panes, index, axis=0)
    cuts = _cuts(numbers) * (1 - np.maximum(face, np.float32(0.75) * figures))
    height, width = canvas.shape
    own = vivid(canvas.picture, 1.35)
    glass = faded(resized(panes_small, height, width), own, resized(figures, height, width))
    lead = enlarged(blur(cuts, 1.3), height, width)
    lead = smoothstep(lead, 0.16, 0.34)
    shade = (luma_of(canvas.small) + np.float32(0.08)) / (luma_of(panes_small) + np.float32(0.08))
    shade = 1 + (np.clip(shade, 0.4, 1.5) - 1) * np.float32(0.35) * (1 - figures)
    shade *= 1 + np.float32(0.14) * (1 - face) - np.float32(0.75) * blur(cuts, 5.0)
    ripple = canvas.texture(5.0, "ripple") * np.float32(0.035)
    glass = times(glass, resized(shade, height, width) + ripple)
    clear = canvas.ahead(calm_enough) * (1 - np.float32(0.7) * face)
    lines = canvas.contours(1.8, 0.3, 0.6) * resized(clear, height, width)
    return covered(glass, LEAD, np.maximum(lead, lines))


def _cuts(numbers: Plane) -> Plane:
    """1 where a piece ends."""
    cuts = np.zeros_like(numbers)
    cuts[:, 1:] = numbers[:, 1:] != numbers[:, :-1]
    cuts[1:] = np.maximum(cuts[1:], numbers[1:] != numbers[:-1])
    return cuts


def _means(picture: Plane, index: NDArray[np.int32]) -> Plane:
    """The mean colour of each piece, (COUNT, 3)."""
    flat = index.ravel()
    count = np.bincount(flat, minlength=COUNT) + 1e-6
    sums = [np.bincount(flat, each.ravel(), minlength=COUNT) for each in cv2.split(picture)]
    return (np.stack(sums, -1) / count[:, None]).astype(np.float32)
