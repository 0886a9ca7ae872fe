"""The edges of a mask, moved to those of the picture by a guided filter.

The network's mask is right in the large, but its outline runs beside hair, fingers and shoulders by
a pixel or two. In each window of the picture the mask is fitted by a linear function of the colour,

    mask ≈ a·I + b,   a = (Σ + ε)⁻¹ cov(I, mask),   b = mean(mask) − a·mean(I)

with the covariance Σ of the colours (He, Sun and Tang, "Guided Image Filtering", 2013). The
functions are found at half the size and applied at the full one (He and Sun, "Fast Guided Filter",
2015).
"""

from typing import Any, TypeAlias

import cv2
import numpy as np
from numpy.typing import NDArray

from .masks import Floats

Planes: TypeAlias = tuple[Floats, Floats, Floats]

_RADIUS = 4  # of a window at half the size, in pixels
_FLAT = 1e-4  # ε: variance of colours in 0…1 that counts as noise
_STEEPNESS = 2.0  # a fitted mask is softer than the network's; this makes up for it


def refined(mask: Floats, rgb: NDArray[np.uint8]) -> Floats:
    """The mask (H, W) in 0…1 with its edges at those of the picture, RGB (H, W, 3)."""
    height, width = mask.shape
    size = max(1, width // 2), max(1, height // 2)
    image = rgb.astype(np.float32) * np.float32(1 / 255)
    small: Any = cv2.split(cv2.resize(image, size, interpolation=cv2.INTER_AREA))
    colours = _Colours(small)
    coarse = np.asarray(cv2.resize(mask, size, interpolation=cv2.INTER_AREA), np.float32)
    fitted = _applied(colours.fit(coarse), small)
    planes: Any = cv2.resize(cv2.merge(colours.fit(fitted)), (width, height))
    return _applied(cv2.split(planes), cv2.split(image))


class _Colours:
    """The colours of a picture in windows: what a fit needs of them."""

    def __init__(self, planes: Planes) -> None:
        self._planes = planes
        self._means = [_mean(each) for each in planes]
        self._inverse = self._inverse_covariance()

    def fit(self, mask: Floats) -> list[Floats]:
        """a, three planes, and b: the means of all windows that a pixel lies in."""
        mean = _mean(mask)
        shared = [
            _mean(plane * mask) - own * mean
            for plane, own in zip(self._planes, self._means, strict=True)
        ]
        slopes = [sum(map(np.multiply, row, shared)) for row in self._inverse]
        offset = mean - sum(map(np.multiply, slopes, self._means))
        return [_mean(np.asarray(each, np.float32)) for each in (*slopes, offset)]

    def _inverse_covariance(self) -> list[list[Floats]]:
        """(Σ + ε)⁻¹ by cofactors; it is symmetric."""
        red, green, blue = self._planes
        mean_red, mean_green, mean_blue = self._means
        rr = _mean(red * red) - mean_red * mean_red + _FLAT
        gg = _mean(green * green) - mean_green * mean_green + _FLAT
        bb = _mean(blue * blue) - mean_blue * mean_blue + _FLAT
        rg = _mean(red * green) - mean_red * mean_green
        rb = _mean(red * blue) - mean_red * mean_blue
        gb = _mean(green * blue) - mean_green * mean_blue
        first, second, third = gg * bb - gb * gb, rb * gb - rg * bb, rg * gb - rb * gg
        scale = 1 / (rr * first + rg * second + rb * third)
        fourth, fifth, sixth = rr * bb - rb * rb, rb * rg - rr * gb, rr * gg - rg * rg
        rows = ((first, second, third), (second, fourth, fifth), (third, fifth, sixth))
        return [[each * scale for each in row] for row in rows]


def _mean(plane: Floats) -> Floats:
    side = 2 * _RADIUS + 1
    return np.asarray(cv2.blur(plane, (side, side)), np.float32)


def _applied(fit: Any, planes: Any) -> Floats:
    """a·I + b, as steep as the network's masks, in 0…1."""
    fitted = sum(map(np.multiply, fit[:3], planes), fit[3])
    return np.asarray(((fitted - 0.5) * _STEEPNESS + 0.5).clip(0, 1), np.float32)
