"""Stained glass: pieces that follow the subject, of one colour each, with lead between."""

import numpy as np
from numpy.typing import NDArray

from turbolens.filter.surface.canvas import Canvas
from turbolens.filter.surface.ground import Ground
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
from turbolens.filter.surface.simplify import evened, from_levels, to_levels

from .accents import accented, accents
from .attention import calm_enough, features, figures, half_matters, people

SIDE = 40.0  # units between the seeds of pieces
COLOUR = 34.0  # weight of a squared difference of colour against one of place, in sides
_ALIKE, _FAR = 0.05, 2.5
"""Squared difference of colour that does not count, and the most that one counts, in sides."""
_EVEN, _SOFT = 4.0, 1.6  # units, and pixels of half the reduced size, in which the frame is even
_ROUND = 5.0  # units, by which faces are found larger, so that one piece has all of them
_PAINTED = 0.75  # how much of the picture is painted on panes where there are accents
_DIFFERS = (
    0.05,
    0.16,
)  # change of colour from that of a piece: none is painted below, all of it above
_LIGHTER = 0.4  # how much lighter forms count: walls are lighter around what is before them
_DENSE = 16.0  # units, over which forms are found to be dense
_MATTERS = 0.45, 0.56  # of `matters`: pieces are cut below, and forms are painted on them above
_TINTS = np.array(
    [(0.26, 0.60, 0.93), (1.0, 0.74, 0.24), (0.40, 0.78, 0.50), (0.97, 0.91, 0.70),
     (0.93, 0.44, 0.38), (0.52, 0.76, 0.98)], np.float32,
)  # fmt: skip
"""Colours of the glass where a picture is pale."""
_DEEP = np.array(
    [(0.10, 0.16, 0.52), (0.46, 0.08, 0.14), (0.07, 0.34, 0.26), (0.32, 0.12, 0.44),
     (0.48, 0.26, 0.06), (0.08, 0.28, 0.46)], np.float32,
)  # fmt: skip
"""Colours of the glass where a picture is dark: light comes through them, too."""
_SUM = np.ones((1, 4), np.float32)
LEAD = (0.04, 0.04, 0.05)


def pieces(ground: Ground) -> Plane:
    """The key of each pixel's piece, (H, W) of the reduced size.

    One step of SLIC (Achanta et al., 2012): of the nine seeds near a pixel, the one whose colour
    and place are nearest. Colours are those of the frame, and small differences do not count, so
    that cuts are straight where there is no contour, and stay where they are in a camera's noise.
    """
    height, width = ground.small_luma().shape
    pixels = SIDE * ground.unit / ground.step / 2
    even = evened(reduced(ground.seen.rgb, ground.step), _EVEN * ground.unit / ground.step)
    frame = from_levels(reduced(even, 2))
    own = blur(cv2.cvtColor(frame, cv2.COLOR_RGB2RGBA), _SOFT)
    across, down = (reduced(each, 2) * np.float32(0.5) for each in ground.reduced_places())
    columns, rows = coordinates(*own.shape[:2])
    soft = blur(own, pixels / 8)
    nearest = np.full(columns.shape, np.inf, np.float32)
    numbers = np.zeros_like(nearest)
    near = np.float32(1 / pixels**2)
    for seed in neighbours((across, down), pixels, 0.8, "glass"):
        there = sample(soft, columns + seed.x, rows + seed.y, cv2.BORDER_REPLICATE)
        difference = cv2.subtract(there, own, dst=there)
        cv2.multiply(difference, difference, dst=difference, scale=COLOUR)
        distance = cv2.transform(difference, _SUM)
        cv2.subtract(distance, _ALIKE * COLOUR, dst=distance)
        cv2.max(distance, 0, dst=distance)
        cv2.min(distance, _FAR, dst=distance)
        distance += (seed.x * seed.x + seed.y * seed.y) * near
        nearer = cv2.compare(distance, nearest, cv2.CMP_LT)
        cv2.min(distance, nearest, dst=nearest)
        cv2.copyTo(seed.key, nearer, numbers)
    numbers = cv2.medianBlur(numbers, 3)
    numbers = cv2.resize(numbers, (width, height), interpolation=cv2.INTER_NEAREST)
    return cv2.medianBlur(numbers, 5)  # type: ignore[no-any-return]


def stained_glass(canvas: Canvas) -> Plane:
    """Panes that glow, lead along the subject's edges, and faces and small forms that are painted
    on the glass."""
    small = from_levels(canvas.even)
    numbers = canvas.ahead(pieces)
    index = numbers_of(numbers)
    near = blur(canvas.ahead(people), _ROUND * canvas.unit / canvas.step)
    face = smoothstep(near, 0.1, 0.45)
    dense = blur(canvas.ahead(half_matters), _DENSE * canvas.unit / canvas.step / 2)
    forms = resized(smoothstep(dense, *_MATTERS), *numbers.shape)
    means = _means(small, index)
    change = small - np.take(means, index, axis=0)
    differs = np.maximum(-change.min(axis=2), np.float32(_LIGHTER) * change.max(axis=2))
    panes = vivid(means[:, None], 1.5)[:, 0]
    lighter, warmer = np.split(chances("glass"), 2, axis=1)
    pale = np.clip(panes.min(axis=1, keepdims=True) * 3 - 1.9, 0, 0.8)
    kinds = ((warmer[:, 0] + 1) * 0.4999 * len(_TINTS)).astype(int)
    tints = np.take(_TINTS, kinds, axis=0)
    panes = panes * (1 - pale) + tints * pale
    dark = np.clip(0.8 - 2.4 * panes.max(axis=1, keepdims=True), 0, 0.8)
    panes = panes * (1 - dark) + np.take(_DEEP, kinds, axis=0) * dark
    panes = panes * (1 + np.float32(0.16) * lighter)
    other = smoothstep(differs, *_DIFFERS) * np.float32(_PAINTED)
    whole = np.maximum(face, forms * other)
    panes_small = np.take(panes, index, axis=0)
    cuts = _cuts(numbers) * (1 - smoothstep(near, 0.25, 0.6))
    height, width = canvas.shape
    own = faded(resized(small, height, width), canvas.picture, resized(face, height, width))
    own = vivid(cv2.pow(own, 0.85), 1.35)
    painted = np.maximum(whole, resized(canvas.ahead(figures), *numbers.shape) * other)
    glass = faded(resized(panes_small, height, width), own, resized(painted, height, width))
    small_forms = canvas.ahead(features)
    wide = cuts * (1 - forms) * (1 - np.float32(0.5) * small_forms)
    thin = cuts * (1 - np.float32(0.9) * small_forms)
    lead = smoothstep(enlarged(blur(wide, 1.3), height, width), 0.16, 0.34)
    lead = np.maximum(lead, smoothstep(enlarged(blur(thin, 0.7), height, width), 0.2, 0.45))
    shade = (luma_of(canvas.small) + np.float32(0.08)) / (luma_of(panes_small) + np.float32(0.08))
    shade = 1 + (np.clip(shade, 0.4, 1.5) - 1) * np.float32(0.35) * (1 - whole)
    shade *= 1 + np.float32(0.14) * (1 - face) - np.float32(0.75) * blur(wide, 5.0)
    ripple = canvas.texture(5.0, "ripple") * np.float32(0.035)
    glass = times(glass, resized(shade, height, width) + ripple)
    clear = canvas.ahead(calm_enough) * (1 - np.float32(0.7) * face)
    lines = canvas.contours(1.7, 0.3, 0.6) * resized(clear, height, width)
    glass = from_levels(accented(to_levels(glass), canvas.ahead(accents), canvas.unit))
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
