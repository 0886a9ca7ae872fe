"""Image quilting (Efros and Freeman, 2001): a tile that continues at its edges, from patches."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from turbolens.filter.surface.planes import Plane, blur

PATCH, OVERLAP = 44, 14  # pixels
SIDE = 180  # of a tile; a multiple of PATCH − OVERLAP
_CHOICE = 12  # one in so many patches, those that fit best, may be taken


def quilted(patches: Sequence[Plane], random: np.random.Generator) -> Plane:
    """A tile (SIDE, SIDE, 3) from patches (PATCH, PATCH, 3), joined where they differ least."""
    tile, filled = np.zeros((SIDE, SIDE, 3), np.float32), np.zeros((SIDE, SIDE), bool)
    stacked = np.stack(patches)
    for top in range(0, SIDE, PATCH - OVERLAP):
        for left in range(0, SIDE, PATCH - OVERLAP):
            rows, columns = ((np.arange(PATCH) + first) % SIDE for first in (top, left))
            place = np.ix_(rows, columns)
            patch = _fitting(stacked, tile[place], filled[place], random)
            share = _share(np.square(patch - tile[place]).sum(-1), filled[place])[..., None]
            tile[place] += share * (patch - tile[place])
            filled[place] = True
    return tile


def _fitting(
    patches: Plane, before: Plane, filled: NDArray[np.bool_], random: np.random.Generator
) -> Plane:
    """One of the patches that differ least from what is there already."""
    error = (np.square(patches - before).sum(-1) * filled).sum((1, 2))
    best = np.argsort(error, kind="stable")[: max(3, len(patches) // _CHOICE)]
    return patches[int(random.choice(best))]  # type: ignore[no-any-return]


def _share(error: Plane, filled: NDArray[np.bool_]) -> Plane:
    """How much of a patch is taken at each pixel: from the cut of least error on."""
    share = np.ones_like(error)
    middle = PATCH // 2
    for turns in range(4):  # left, top, right, bottom
        turned = np.rot90(filled, turns)
        if turned[middle, 0]:
            cut = _beyond_the_cut(np.rot90(error, turns)[:, :OVERLAP])
            view = np.rot90(share, turns)[:, :OVERLAP]
            np.minimum(view, cut, out=view)
    return np.where(filled, blur(share, 1.0), np.float32(1))


def _beyond_the_cut(error: Plane) -> Plane:
    """1 from the column on in which a path from the first to the last row has the least error."""
    total = error.copy()
    for row in range(1, len(total)):
        above = np.pad(total[row - 1], 1, constant_values=np.inf)
        total[row] += np.minimum(np.minimum(above[:-2], above[1:-1]), above[2:])
    column, path = int(total[-1].argmin()), list[int]()
    for row in reversed(range(len(total))):
        first = max(0, column - 1) if path else 0
        last = column + 2 if path else total.shape[1]
        column = first + int(total[row, first:last].argmin())
        path.append(column)
    cut = np.arange(error.shape[1])[None] >= np.array(path[::-1])[:, None]
    return cut.astype(np.float32)
