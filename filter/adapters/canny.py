"""The Canny edge detector, equal to OpenCV's, which edge ControlNets were trained with.

J. Canny, "A computational approach to edge detection" (1986), as in OpenCV: Sobel gradients in
integers, the L1 norm, and the colour channel with the strongest gradient at each pixel.
"""

from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from turbolens.filter.errors import FrameError, SettingsError

Array: TypeAlias = NDArray[np.uint8]
Whole: TypeAlias = NDArray[np.int16]
Indices: TypeAlias = NDArray[np.intp]
Mask: TypeAlias = NDArray[np.bool_]

_TAN_22 = 13573  # tan 22.5° in units of 2⁻¹⁵


@dataclass(frozen=True)
class Canny:
    """Edges of images, (H, W, 3) or (H, W) uint8 → (H, W) uint8, 255 on an edge and 0 elsewhere.

    low, high: thresholds of the gradient's L1 norm (0…2040). A pixel above `high` is an edge, and
    so is one above `low` that is connected to it. Raises `SettingsError` unless 0 ≤ low ≤ high.
    """

    low: float = 100.0
    high: float = 200.0

    def __post_init__(self) -> None:
        if not 0 <= self.low <= self.high:
            raise SettingsError(
                f"edges need thresholds 0 ≤ low ≤ high, got {self.low:g} and {self.high:g}"
            )

    def __call__(self, image: Array) -> Array:
        """The edges of one image."""
        across, down = _gradient(image)
        strength = np.abs(across) + np.abs(down)
        edges = np.zeros(strength.shape, np.uint8)
        rows, columns = np.nonzero(strength > self.low)
        ridge = _is_ridge(strength, across, down, (rows, columns))
        thin = np.zeros(strength.shape, np.bool_)
        thin[rows[ridge], columns[ridge]] = True
        edges[_connected(thin, thin & (strength > self.high))] = 255
        return edges


def _gradient(image: Array) -> tuple[Whole, Whole]:
    """Horizontal and vertical Sobel gradients (H, W) of the channel where they are strongest."""
    height, width = image.shape[:2]
    padded = np.pad(image.reshape(height, width, -1), ((1, 1), (1, 1), (0, 0)), mode="edge")
    best: tuple[Whole, Whole] | None = None
    for channel in range(padded.shape[-1]):
        levels = padded[..., channel].astype(np.int16)
        columns = levels[:-2] + 2 * levels[1:-1] + levels[2:]
        rows = levels[:, :-2] + 2 * levels[:, 1:-1] + levels[:, 2:]
        across, down = columns[:, 2:] - columns[:, :-2], rows[2:] - rows[:-2]
        if best is None:
            best = across, down
            continue
        stronger = np.abs(across) + np.abs(down) > np.abs(best[0]) + np.abs(best[1])
        best = np.where(stronger, across, best[0]), np.where(stronger, down, best[1])
    if best is None:
        raise FrameError(f"an image must be (H, W) or (H, W, 3), got {image.shape}")
    return best


def _is_ridge(strength: Whole, across: Whole, down: Whole, where: tuple[Indices, Indices]) -> Mask:
    """Non-maximum suppression: True for pixels at (rows, columns) that are ridges.

    The gradient direction is rounded to 45°. Of two equal neighbours the left or upper one is kept;
    on a diagonal neither is.
    """
    stride = strength.shape[1] + 2
    around = np.pad(strength, 1).ravel()
    positions = (where[0] + 1) * stride + where[1] + 1
    gx, gy = across[where].astype(np.int32), down[where].astype(np.int32)
    x, y = np.abs(gx), np.abs(gy) << 15
    flat = y < x * _TAN_22
    steep = y > x * (_TAN_22 + (1 << 16))
    diagonal = np.where((gx ^ gy) >= 0, stride + 1, stride - 1)
    step = np.where(flat, 1, np.where(steep, stride, diagonal))
    own, before, after = around[positions], around[positions - step], around[positions + step]
    ridge: Mask = (own > before) & ((own > after) | ((own == after) & (flat | steep)))
    return ridge


def _connected(candidates: Mask, seeds: Mask) -> Mask:
    """Hysteresis: the candidates connected (8 neighbours) to a seed through other candidates."""
    height, width = candidates.shape
    stride = width + 2
    free = np.pad(candidates & ~seeds, 1).ravel()
    found = np.pad(seeds, 1).ravel()
    steps = np.array([-stride - 1, -stride, -stride + 1, -1, 1, stride - 1, stride, stride + 1])
    frontier = np.flatnonzero(found)
    while frontier.size:
        neighbours = (frontier[:, None] + steps).ravel()
        frontier = np.unique(neighbours[free[neighbours]])
        free[frontier] = False
        found[frontier] = True
    return found.reshape(height + 2, stride)[1:-1, 1:-1]
