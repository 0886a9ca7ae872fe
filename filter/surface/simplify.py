"""Pictures with fewer forms, as a painter sees them: even areas, firm edges."""

import numpy as np
from numpy.typing import NDArray

from .planes import Plane, cv2

Levels = NDArray[np.uint8]

_AROUND = ((1, 0), (-1, 0), (0, 1), (0, -1), (0.7, 0.7), (-0.7, 0.7), (0.7, -0.7), (-0.7, -0.7))
_CROSS = cv2.getStructuringElement(cv2.MORPH_CROSS, (3, 3))


def to_levels(picture: Plane) -> Levels:
    """0…1 as whole numbers of 0…255."""
    levels: Levels = cv2.convertScaleAbs(picture, alpha=255.0)
    return levels


def from_levels(levels: Levels) -> Plane:
    """Whole numbers of 0…255 as 0…1."""
    return levels * np.float32(1 / 255)


def evened(levels: Levels, radius: float) -> Levels:
    """Each pixel gets the mean of the evenest area beside it.

    Kuwahara et al. (1976), with eight Gaussian areas. levels: RGB (H, W, 3). radius: of an area, in
    pixels; forms smaller than about twice that vanish.
    """
    height, width = levels.shape[:2]
    sigma = 0.6 * radius
    grey = cv2.cvtColor(levels, cv2.COLOR_RGB2GRAY)
    mean = cv2.GaussianBlur(levels, (0, 0), sigma)
    squares = cv2.multiply(grey, grey, dtype=cv2.CV_32F)
    grey_mean = cv2.GaussianBlur(grey, (0, 0), sigma).astype(np.float32)
    variance = cv2.GaussianBlur(squares, (0, 0), sigma) - grey_mean * grey_mean
    margin = int(np.ceil(radius))
    edges = (margin,) * 4
    mean = cv2.copyMakeBorder(mean, *edges, cv2.BORDER_REPLICATE)
    variance = cv2.copyMakeBorder(variance, *edges, cv2.BORDER_REPLICATE)

    def shifted(plane: np.ndarray, x: float, y: float) -> np.ndarray:
        down, right = margin + round(y * radius), margin + round(x * radius)
        return plane[down : down + height, right : right + width]

    least, best = shifted(variance, 0, 0) * np.float32(1.1), shifted(mean, 0, 0).copy()
    for x, y in _AROUND:
        candidate = shifted(variance, x, y)
        evener = cv2.compare(candidate, least, cv2.CMP_LT)
        cv2.copyTo(shifted(mean, x, y), evener, best)
        cv2.min(candidate, least, dst=least)
    return best


def firmed(levels: Levels, sigma: float = 1.5, rounds: int = 1) -> Levels:
    """Soft edges made steep, by a shock filter (Osher and Rudin, 1990).

    levels: (H, W) or RGB (H, W, 3). sigma: of the blur that decides where an edge is, in pixels.
    """
    for _ in range(rounds):
        grey = levels if levels.ndim == 2 else cv2.cvtColor(levels, cv2.COLOR_RGB2GRAY)
        soft = cv2.GaussianBlur(grey, (0, 0), sigma).astype(np.int16)
        curvature = cv2.Laplacian(soft, cv2.CV_16S, ksize=3)
        lighter, darker = cv2.dilate(levels, _CROSS), cv2.erode(levels, _CROSS)
        result = levels.copy()
        cv2.copyTo(lighter, cv2.compare(curvature, -2, cv2.CMP_LT), result)
        cv2.copyTo(darker, cv2.compare(curvature, 2, cv2.CMP_GT), result)
        levels = result
    return levels
