"""Seeds of strokes and tiles: points on a jittered grid that moves with the texture."""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from .planes import Plane, cv2

_AROUND = tuple((across, down) for down in (-1, 0, 1) for across in (-1, 0, 1))


_CELLS = 128  # a side, a power of two; then the first again
COUNT = _CELLS * _CELLS  # of different seeds


@lru_cache(maxsize=16)
def chances(label: str) -> Plane:
    """Random numbers −1…1 of each seed, (COUNT, 2)."""
    random = np.random.default_rng([ord(letter) for letter in label])
    return random.uniform(-1, 1, (COUNT, 2)).astype(np.float32)


def numbers_of(keys: Plane) -> NDArray[np.int32]:
    """The number of each seed, below `COUNT`, from its key."""
    return cv2.multiply(keys, COUNT, dtype=cv2.CV_32S)  # type: ignore[no-any-return]


@dataclass(frozen=True)
class Neighbour:
    """One of nine seeds near each pixel.

    x, y: (H, W), pixels from the pixel to the seed. key: (H, W), a random number of the seed, 0…1:
    one of 0, 1 / `COUNT`, 2 / `COUNT` and so on, by which it is told from others.
    """

    x: Plane
    y: Plane
    key: Plane


def neighbours(
    places: tuple[Plane, Plane], side: float, jitter: float, label: str
) -> tuple[Neighbour, ...]:
    """The nine seeds near each pixel.

    places: x and y of the texture at each pixel. side: of a cell of the grid, in pixels. jitter: 0,
    a grid, to 1.
    """
    in_cell_x, in_cell_y, keys = _tables(label, jitter)
    x, y = (cv2.multiply(each, 1 / side) for each in places)
    column, row = np.floor(x), np.floor(y)
    cv2.subtract(column, x, dst=x)
    cv2.subtract(row, y, dst=y)
    cells = cv2.merge((column, row)).astype(np.int16) & np.int16(_CELLS - 1)
    found = []
    for across, down in _AROUND:
        shifted = np.s_[1 + down : 1 + down + _CELLS, 1 + across : 1 + across + _CELLS]
        seed_x, seed_y, key = (
            cv2.remap(table[shifted], cells, None, cv2.INTER_NEAREST)
            for table in (in_cell_x, in_cell_y, keys)
        )
        cv2.addWeighted(seed_x, side, x, side, across * side, dst=seed_x)
        cv2.addWeighted(seed_y, side, y, side, down * side, dst=seed_y)
        found.append(Neighbour(seed_x, seed_y, key))
    return tuple(found)


@lru_cache(maxsize=16)
def _tables(label: str, jitter: float) -> tuple[Plane, Plane, Plane]:
    """x and y in a cell, and its key, with one more cell on each side."""
    random = np.random.default_rng([ord(letter) for letter in label])
    places = random.random((2, _CELLS, _CELLS), dtype=np.float32) - np.float32(0.5)
    places = np.float32(0.5) + np.float32(jitter) * places
    keys = random.permutation(COUNT).astype(np.float32).reshape(_CELLS, _CELLS) / COUNT
    x, y, key = (np.pad(each.astype(np.float32), 1, mode="wrap") for each in (*places, keys))
    return x, y, key
