"""A number drawn into a frame, which can be read back after a filter has changed the frame."""

from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

BITS = 16
COLUMNS = BITS + 2  # two more, always 1 and 0, reveal inverted brightness
HEIGHT_SHARE = 0.25  # of the frame, at its top
DARK, BRIGHT = 24, 232


def draw_number(luma: NDArray[np.uint8], number: int) -> None:
    """Draw the number, modulo 2^16, over the top of a luma plane (H, W), in place.

    Each bit is a pair of cells, one above the other: bright over dark is 1. Numbers are in Gray
    code, so that a single pair changes from one number to the next.
    """
    number %= 1 << BITS
    gray = number ^ number >> 1
    bits = [1, 0, *(gray >> bit & 1 for bit in range(BITS))]
    upper, lower = _rows(luma)
    for (left, right), bit in zip(_columns(luma), bits, strict=True):
        upper[:, left:right] = BRIGHT if bit else DARK
        lower[:, left:right] = DARK if bit else BRIGHT


def read_number(luma: NDArray[np.uint8]) -> int | None:
    """The number in a luma plane (H, W), `None` if none can be read."""
    upper, lower = _rows(luma)
    differences = [
        _middle(upper[:, left:right]) - _middle(lower[:, left:right])
        for left, right in _columns(luma)
    ]
    one, zero, *bits = differences
    if (one > 0) == (zero > 0) or min(map(abs, differences)) < 1.0:
        return None
    gray = sum(
        1 << position for position, difference in enumerate(bits)
        if (difference > 0) == (one > 0)
    )  # fmt: skip
    return _from_gray(gray)


def _rows(luma: NDArray[np.uint8]) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    half = max(1, round(luma.shape[0] * HEIGHT_SHARE / 2))
    return luma[:half], luma[half : 2 * half]


def _columns(luma: NDArray[np.uint8]) -> list[tuple[int, int]]:
    edges = [round(luma.shape[1] * column / COLUMNS) for column in range(COLUMNS + 1)]
    return list(pairwise(edges))


def _middle(cell: NDArray[np.uint8]) -> float:
    """The mean of the inner half of a cell, because its edges blur into its neighbours."""
    height, width = cell.shape
    inner = cell[height // 4 : height - height // 4, width // 4 : width - width // 4]
    return float(inner.mean())


def _from_gray(gray: int) -> int:
    number = 0
    while gray:
        number ^= gray
        gray >>= 1
    return number
