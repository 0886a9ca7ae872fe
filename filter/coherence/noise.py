"""The noise of a stream: fixed to the screen, or advected with the motion of the input.

Both are independent normal values of unit variance, as the network was trained on.
"""

import numpy as np
import torch
from torch.nn import functional as F

_MAX_OFFSET = 1.5  # cells between a value's cell and its true position; beyond it is dropped
_OUTSIDE = 100.0  # offset of values outside the image: too far from every cell
_PADDING = 2  # cells around the image, so that sampling outside needs no special case
_ROUNDS = 2  # a third would find a value for at most 0.2 % more of the cells
_DISTANCE_STEPS = 1024  # a cell, for comparing distances as whole numbers
_NEVER = 2**31 - 1
_UNCLAIMED = 2**62


class FixedNoise:
    """Noise drawn once from (seed, shape) on a CPU generator, so that all devices give one image.

    Samplers of several steps use further draws of the same generator, in diffusers' order.
    """

    def __init__(self) -> None:
        self._key: tuple[object, ...] = ()
        self._draws: tuple[torch.Tensor, ...] = ()

    def __call__(
        self, seed: int, shape: tuple[int, ...], draws: int, device: torch.device
    ) -> tuple[torch.Tensor, ...]:
        """`draws` float32 tensors (1, *shape) on the device, drawn one after the other."""
        key = (seed, shape, device)
        if key != self._key or len(self._draws) < draws:
            generator = torch.Generator("cpu").manual_seed(seed)
            self._draws = _drawn(generator, shape, draws, device)
            self._key = key
        return self._draws[:draws]


class AdvectedNoise:
    """Noise that moves with the input. Without motion it equals `FixedNoise`.

    Values move from cell to cell as a whole. They are never interpolated, and none is used twice,
    so that values stay independent and their variance stays 1 for any flow that does not depend on
    the noise. The offset of each value from the centre of its cell is kept, so that a pan of a
    quarter cell a frame moves the noise by one cell in four frames. Cells that get no value get a
    new one, drawn from (seed, frame number) on a CPU generator. The same seed and flows give the
    same noise on every device.
    """

    def __init__(self) -> None:
        self._origin = FixedNoise()
        self.reset()

    def reset(self) -> None:
        """Forget the past. The next noise is the fixed one."""
        self._key: tuple[object, ...] = ()
        self._frames = 0
        self._draws: tuple[torch.Tensor, ...] = ()
        self._offsets = torch.empty(0)

    def __call__(
        self,
        seed: int,
        shape: tuple[int, ...],
        draws: int,
        device: torch.device,
        *,
        flow: torch.Tensor | None = None,
        cut: torch.Tensor | None = None,
    ) -> tuple[torch.Tensor, ...]:
        """The next frame's noise: `draws` float32 tensors (1, *shape); shape is (C, h, w).

        flow: (1, 2, h, w), x then y, in cells: what is at cell p now was at p + flow[p] in the
        frame before. `None` without motion, NaN at cells without an origin. cut: a bool tensor (so
        that no GPU has to be waited for); if true, the noise starts again as the fixed one. So it
        does with a new seed, shape or device.
        """
        if (seed, shape, device) != self._key:
            self._start(seed, shape, device)
        origin = self._origin(seed, shape, max(draws, len(self._draws)), device)
        self._draws += origin[len(self._draws) :]
        if flow is not None and self._frames > 0:
            self._move(seed, flow.to(self._offsets))
        if cut is not None:
            restart = cut.reshape(())
            self._draws = tuple(
                torch.where(restart, first, now)
                for first, now in zip(origin, self._draws, strict=True)
            )
            self._offsets = torch.where(restart, 0.0, self._offsets)
        self._frames += 1
        return self._draws[:draws]

    def _start(self, seed: int, shape: tuple[int, ...], device: torch.device) -> None:
        self.reset()
        self._key = (seed, shape, device)
        self._offsets = torch.zeros(1, 2, *shape[1:], device=device)

    def _move(self, seed: int, flow: torch.Tensor) -> None:
        source, self._offsets = advected(self._offsets, flow)
        # Not one running generator: the first draw must not depend on the number of draws.
        sequence = np.random.SeedSequence(seed, spawn_key=(self._frames,))
        generator = torch.Generator("cpu").manual_seed(int(sequence.generate_state(1)[0]))
        shape = tuple(self._draws[0].shape[1:])
        fresh = _drawn(generator, shape, len(self._draws), flow.device)
        chosen, empty = source.clamp(min=0), (source < 0).view(shape[1:])
        self._draws = tuple(
            torch.where(empty, new, old.flatten(2)[..., chosen].view_as(old))
            for new, old in zip(fresh, self._draws, strict=True)
        )


def advected(offsets: torch.Tensor, flow: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """The source cell of each cell's new value, and the new offsets.

    offsets: (1, 2, h, w), x then y, in cells: the value of cell q belongs at q + offsets[q]. flow:
    as for `AdvectedNoise`. Returns the old cell of each new one, (h·w,) int64 in row order, −1 for
    none, each old cell at most once; and the new offsets, at most 1.5 cells a side.

    Each cell claims the nearest value of the four cells around its origin. Of several claims on one
    value the nearest wins, then the first. The losers claim once more among the remaining values.
    """
    height, width = offsets.shape[-2:]
    row = width + 2 * _PADDING
    flow = flow.nan_to_num(nan=height + width).clamp(-height - width, height + width)[0]
    places = F.pad(offsets[0], (_PADDING,) * 4, value=_OUTSIDE).flatten(1)
    corner, fraction = _corners(flow, row)
    wanted = torch.stack([corner, corner + 1, corner + row, corner + row + 1])
    steps = torch.tensor([[0.0, 1.0, 0.0, 1.0], [0.0, 0.0, 1.0, 1.0]], device=offsets.device)
    away = places[:, wanted] - fraction.unsqueeze(1) + steps.unsqueeze(-1)  # (2, 4, h·w)
    choice, given = _assigned(wanted, away.abs().amax(dim=0), places.shape[1])
    choice = choice.unsqueeze(0)
    old = wanted.gather(0, choice)[0]
    source = (old // row - _PADDING) * width + old % row - _PADDING
    arrived = away.gather(1, choice.expand(2, -1, -1))[:, 0]
    moved = torch.where(given, arrived, _neighbour_offsets(offsets[0], flow))
    return torch.where(given, source, -1), moved.view_as(offsets)


def _corners(flow: torch.Tensor, row: int) -> tuple[torch.Tensor, torch.Tensor]:
    """The upper left of the four cells around each cell's origin, and the fraction from there.

    (h·w,) int64, an index into the padded grid with rows of length `row`, and (2, h·w) in 0…1. The
    fraction does not use the cell's own coordinates, so that all cells of a pan have the same, bit
    for bit.
    """
    whole = flow.floor()
    x, y = _cells_at(whole, _PADDING)
    columns, rows = row - 2, flow.shape[1] + 2 * _PADDING - 2
    corner = y.clamp(0, rows) * row + x.clamp(0, columns)
    return corner.flatten(), (flow - whole).flatten(1)


def _cells_at(whole: torch.Tensor, padding: int) -> tuple[torch.Tensor, torch.Tensor]:
    """The column and row of each cell after a whole step (2, h, w), plus `padding`."""
    height, width = whole.shape[1:]
    x = torch.arange(padding, padding + width, device=whole.device)
    y = torch.arange(padding, padding + height, device=whole.device)
    steps = whole.long()
    return steps[0] + x, steps[1] + y.unsqueeze(1)


def _assigned(
    wanted: torch.Tensor, distance: torch.Tensor, places: int
) -> tuple[torch.Tensor, torch.Tensor]:
    """The candidate that each cell gets, (n,) int64, and a mask of cells that get one, (n,) bool.

    wanted, distance: (4, n), the candidates (below `places`) of n cells, and their distances.
    Compared as whole numbers, so that the result does not depend on the order of execution.
    """
    count = wanted.shape[1]
    cells = torch.arange(count, device=wanted.device)
    rank = torch.arange(4, device=wanted.device, dtype=torch.int32).unsqueeze(1)
    keys = torch.where(
        distance <= _MAX_OFFSET, (distance * _DISTANCE_STEPS).int() * 4 + rank, _NEVER
    )
    choice = torch.zeros_like(cells)
    given = torch.zeros_like(cells, dtype=torch.bool)
    for _ in range(_ROUNDS):
        best = keys.amin(dim=0)
        ask = best % 4
        place = wanted.gather(0, ask.long().unsqueeze(0))[0]
        claim = torch.where(given | (best == _NEVER), _UNCLAIMED, best.long() * count + cells)
        claims = claim.new_full((places,), _UNCLAIMED).scatter_reduce(0, place, claim, "amin")
        wins = (claim != _UNCLAIMED) & (claims[place] == claim)
        choice = torch.where(wins, ask, choice)
        given = given | wins
        keys = torch.where((claims != _UNCLAIMED)[wanted], _NEVER, keys)
    return choice, given


def _neighbour_offsets(offsets: torch.Tensor, flow: torch.Tensor) -> torch.Tensor:
    """The offsets of new values, (2, h·w): those of their neighbours, as if they had moved along.

    Otherwise values that enter at the border of a pan would change cells at other frames.
    """
    height, width = offsets.shape[1:]
    x, y = _cells_at((flow + 0.5).floor(), 0)
    nearest = y.clamp(0, height - 1) * width + x.clamp(0, width - 1)
    neighbour = offsets.flatten(1)[:, nearest.flatten()]
    way = flow.flatten(1) - neighbour
    return (way + 0.5).floor() - way


def _drawn(
    generator: torch.Generator, shape: tuple[int, ...], draws: int, device: torch.device
) -> tuple[torch.Tensor, ...]:
    return tuple(torch.randn((1, *shape), generator=generator).to(device) for _ in range(draws))
