"""Seeds of strokes and tiles: points on a jittered grid that moves with the texture."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from .planes import Plane, cv2

_AROUND = tuple((across, down) for down in (-1, 0, 1) for across in (-1, 0, 1))


_CELLS = 128  # a side, a power of two; then the first again
COUNT = _CELLS * _CELLS  # of different seeds
_MIDDLE = _AROUND.index((0, 0))
_ROUNDS = 3  # of looking for a seed's place; each shortens its distance at least tenfold


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


def scattered(
    places: tuple[Plane, Plane],
    side: float,
    jitter: float,
    label: str,
    wanted: NDArray[np.uint8] | None = None,
) -> tuple[Plane, Plane, NDArray[np.int32]]:
    """All seeds in a picture, and less than a cell beside it.

    The first four arguments are those of `neighbours`. wanted: (H, W), 0 where no seed is needed;
    there may be some all the same. Returns x and y in pixels of the picture, and their numbers,
    below `COUNT`, (n,) each.
    """
    height, width = places[0].shape
    ranges = []
    for each in places:
        low, high = float(each[::8, ::8].min()) - side, float(each[::8, ::8].max()) + 8 + side
        ranges.append(np.arange(np.floor(low / side), np.ceil(high / side), dtype=np.int64))
    rows, columns = (each.ravel() for each in np.meshgrid(ranges[1], ranges[0], indexing="ij"))
    number = (rows & (_CELLS - 1)) * _CELLS + (columns & (_CELLS - 1))
    in_x, in_y, key = (np.take(table, number) for table in _tables(label, jitter)[_MIDDLE])
    in_texture = (
        (columns.astype(np.float32) + in_x) * np.float32(side),
        (rows.astype(np.float32) + in_y) * np.float32(side),
    )
    x, y = in_texture
    for index in range(_ROUNDS):  # to the place whose texture is that of the seed
        inside = np.clip(x, 0, width - 1)[None], np.clip(y, 0, height - 1)[None]
        x, y = (
            texture - (cv2.remap(place, *inside, cv2.INTER_LINEAR) - own)[0]
            for texture, place, own in zip(in_texture, places, inside, strict=True)
        )
        if index == 0 and wanted is not None:  # the others move hardly any more
            at_x = np.clip(x, 0, width - 1).astype(np.int64)
            kept = np.flatnonzero(wanted[np.clip(y, 0, height - 1).astype(np.int64), at_x])
            x, y, key = x[kept], y[kept], key[kept]
            in_texture = in_texture[0][kept], in_texture[1][kept]
            if len(kept) == 0:
                break
    near = (x > -side) & (x < width + side) & (y > -side) & (y < height + side)
    return x[near], y[near], numbers_of(key[near]).ravel()


def neighbours(
    places: tuple[Plane, Plane], side: float, jitter: float, label: str
) -> Iterator[Neighbour]:
    """The nine seeds near each pixel, one after the other, in the same arrays each time.

    places: x and y of the texture at each pixel. side: of a cell of the grid, in pixels. jitter: 0,
    a grid, to 1.
    """
    x, y = (cv2.multiply(each, 1 / side) for each in places)
    column, row = np.floor(x), np.floor(y)
    cv2.subtract(column, x, dst=x)
    cv2.subtract(row, y, dst=y)
    down_to, across_to = (each.astype(np.int64) & (_CELLS - 1) for each in (row, column))
    cells = down_to * _CELLS + across_to
    seed_x, seed_y, key = (np.empty(cells.shape, np.float32) for _ in range(3))
    for (across, down), tables in zip(_AROUND, _tables(label, jitter), strict=True):
        # "wrap" is the fastest mode; all cells are in range.
        for table, out in zip(tables, (seed_x, seed_y, key), strict=True):
            np.take(table, cells, mode="wrap", out=out)
        cv2.addWeighted(seed_x, side, x, side, across * side, dst=seed_x)
        cv2.addWeighted(seed_y, side, y, side, down * side, dst=seed_y)
        yield Neighbour(seed_x, seed_y, key)


@lru_cache(maxsize=16)
def _tables(label: str, jitter: float) -> tuple[tuple[Plane, Plane, Plane], ...]:
    """For each cell of `_AROUND`: x and y of its seed in it, and its key, by the middle cell."""
    random = np.random.default_rng([ord(letter) for letter in label])
    places = random.random((2, _CELLS, _CELLS), dtype=np.float32) - np.float32(0.5)
    places = np.float32(0.5) + np.float32(jitter) * places
    keys = random.permutation(COUNT).astype(np.float32).reshape(_CELLS, _CELLS) / COUNT
    tables = [each.astype(np.float32) for each in (*places, keys)]
    return tuple(
        tuple(np.roll(each, (-down, -across), (0, 1)).ravel() for each in tables)
        for across, down in _AROUND
    )
