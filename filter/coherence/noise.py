"""The noise of a stream: fixed to the screen, or travelling with the picture.

Both are white and of unit variance, independent normal values, as the network was trained on.
"""

import numpy as np
import torch
from torch.nn import functional as F

_FARTHEST = 1.5  # cells between a value and the place where it belongs, above which it is dropped
_NOWHERE = 100.0  # the place of values outside the picture: too far from every cell
_RIM = 2  # cells around the picture, so that looking outside it needs no special case
_ROUNDS = 2  # a third finds a value for at most 0.2 % more of the cells
_FINE = 1024  # steps a cell in which distances are compared
_NEVER = 2**31 - 1
_UNCLAIMED = 2**62


class FixedNoise:
    """Noise drawn once from (seed, shape) on a CPU generator: every device gives one picture.

    Samplers of several steps use further draws of the same generator, in diffusers' order.
    """

    def __init__(self) -> None:
        self._key: tuple[object, ...] = ()
        self._draws: tuple[torch.Tensor, ...] = ()

    def __call__(
        self, seed: int, shape: tuple[int, ...], draws: int, device: torch.device
    ) -> tuple[torch.Tensor, ...]:
        """`draws` float32 tensors (1, *shape) on the device, each drawn after the one before."""
        key = (seed, shape, device)
        if key != self._key or len(self._draws) < draws:
            generator = torch.Generator("cpu").manual_seed(seed)
            self._draws = _drawn(generator, shape, draws, device)
            self._key = key
        return self._draws[:draws]


class AdvectedNoise:
    """Noise that travels with the picture; the same as `FixedNoise` for as long as nothing moves.

    Values are carried whole from cell to cell, never mixed, and none is ever in two cells: what was
    independent stays so, and the variance stays 1, whatever the flow, as long as the flow is not
    made from the noise. Each value remembers how far from its cell's centre it belongs, so that a
    pan of a quarter cell a frame carries the noise one cell in four frames. Cells that no value
    comes to get new ones, drawn from (seed, number of the frame) on a CPU generator. Same seed and
    flows, same noise, on every device.
    """

    def __init__(self) -> None:
        self._origin = FixedNoise()
        self.reset()

    def reset(self) -> None:
        """Forget the past: the next noise is the fixed one."""
        self._key: tuple[object, ...] = ()
        self._frames = 0
        self._draws: tuple[torch.Tensor, ...] = ()
        self._rest = torch.empty(0)

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

        flow: (1, 2, h, w), x then y, in cells: the picture at cell p now was at p + flow[p] in the
        frame before. None where nothing moved; NaN at cells that came from nowhere. cut: one bool,
        a tensor so that no GPU is waited for; where true, the noise is the fixed one again. With a
        new seed, shape or device it is so by itself.
        """
        if (seed, shape, device) != self._key:
            self._start(seed, shape, device)
        origin = self._origin(seed, shape, max(draws, len(self._draws)), device)
        self._draws += origin[len(self._draws) :]
        if flow is not None and self._frames > 0:
            self._move(seed, flow.to(self._rest))
        if cut is not None:
            anew = cut.reshape(())
            self._draws = tuple(
                torch.where(anew, first, now)
                for first, now in zip(origin, self._draws, strict=True)
            )
            self._rest = torch.where(anew, 0.0, self._rest)
        self._frames += 1
        return self._draws[:draws]

    def _start(self, seed: int, shape: tuple[int, ...], device: torch.device) -> None:
        self.reset()
        self._key = (seed, shape, device)
        self._rest = torch.zeros(1, 2, *shape[1:], device=device)

    def _move(self, seed: int, flow: torch.Tensor) -> None:
        source, self._rest = carried(self._rest, flow)
        # Never the state of a running generator: the first draw must not depend on how many follow.
        sequence = np.random.SeedSequence(seed, spawn_key=(self._frames,))
        generator = torch.Generator("cpu").manual_seed(int(sequence.generate_state(1)[0]))
        shape = tuple(self._draws[0].shape[1:])
        fresh = _drawn(generator, shape, len(self._draws), flow.device)
        chosen, empty = source.clamp(min=0), (source < 0).view(shape[1:])
        self._draws = tuple(
            torch.where(empty, new, old.flatten(2)[..., chosen].view_as(old))
            for new, old in zip(fresh, self._draws, strict=True)
        )


def carried(rest: torch.Tensor, flow: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Which old value each cell gets, and how far from the cell's centre that value now belongs.

    rest: (1, 2, h, w), x then y, in cells: the value of cell q belongs at q + rest[q]. flow: as for
    `AdvectedNoise`. Gives the old cell of each new one, (h·w,) int64, row by row, −1 where none is,
    each old cell at most once; and the new rest, at most 1.5 cells a side.

    Every cell asks for the value that belongs nearest to where its picture was, of those in the
    four cells around that place. Of several that ask for one value the nearest gets it, then the
    first; those left over ask once more, for what is left.
    """
    height, width = rest.shape[-2:]
    row = width + 2 * _RIM
    flow = flow.nan_to_num(nan=height + width).clamp(-height - width, height + width)[0]
    places = F.pad(rest[0], (_RIM,) * 4, value=_NOWHERE).flatten(1)
    corner, left_over = _corners(flow, row)
    wanted = torch.stack([corner, corner + 1, corner + row, corner + row + 1])
    steps = torch.tensor([[0.0, 1.0, 0.0, 1.0], [0.0, 0.0, 1.0, 1.0]], device=rest.device)
    away = places[:, wanted] - left_over.unsqueeze(1) + steps.unsqueeze(-1)  # (2, 4, h·w)
    choice, given = _given(wanted, away.abs().amax(dim=0), places.shape[1])
    choice = choice.unsqueeze(0)
    old = wanted.gather(0, choice)[0]
    source = (old // row - _RIM) * width + old % row - _RIM
    arrived = away.gather(1, choice.expand(2, -1, -1))[:, 0]
    moved = torch.where(given, arrived, _in_step(rest[0], flow))
    return torch.where(given, source, -1), moved.view_as(rest)


def _corners(flow: torch.Tensor, row: int) -> tuple[torch.Tensor, torch.Tensor]:
    """The cell up and left of where each cell's picture was, and the way from there, 0…1.

    (h·w,) int64, counted in a grid with a rim whose rows are `row` long, and (2, h·w). The way is
    made without the cell's own coordinates: all cells of a pan then have the same, bit for bit.
    """
    whole = flow.floor()
    x, y = _cells_at(whole, _RIM)
    columns, rows = row - 2, flow.shape[1] + 2 * _RIM - 2
    corner = y.clamp(0, rows) * row + x.clamp(0, columns)
    return corner.flatten(), (flow - whole).flatten(1)


def _cells_at(whole: torch.Tensor, rim: int) -> tuple[torch.Tensor, torch.Tensor]:
    """The column and row of each cell after a whole-numbered step (2, h, w), plus `rim`."""
    height, width = whole.shape[1:]
    x = torch.arange(rim, rim + width, device=whole.device)
    y = torch.arange(rim, rim + height, device=whole.device)
    steps = whole.long()
    return steps[0] + x, steps[1] + y.unsqueeze(1)


def _given(
    wanted: torch.Tensor, distance: torch.Tensor, places: int
) -> tuple[torch.Tensor, torch.Tensor]:
    """Which of its wanted places each cell gets, (n,) int64, and whether any, (n,) bool.

    wanted, distance: (4, n), the places (below `places`) that n cells want and how far each is.
    Whole numbers decide, and the smallest wins: the outcome depends on no order of execution.
    """
    count = wanted.shape[1]
    cells = torch.arange(count, device=wanted.device)
    rank = torch.arange(4, device=wanted.device, dtype=torch.int32).unsqueeze(1)
    keys = torch.where(distance <= _FARTHEST, (distance * _FINE).int() * 4 + rank, _NEVER)
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


def _in_step(rest: torch.Tensor, flow: torch.Tensor) -> torch.Tensor:
    """The rest that a new value gets, (2, h·w): that of its neighbours, as if it had come along.

    Otherwise those that enter at the border of a pan would move at other frames than the others.
    """
    height, width = rest.shape[1:]
    x, y = _cells_at((flow + 0.5).floor(), 0)
    nearest = y.clamp(0, height - 1) * width + x.clamp(0, width - 1)
    neighbour = rest.flatten(1)[:, nearest.flatten()]
    way = flow.flatten(1) - neighbour
    return (way + 0.5).floor() - way


def _drawn(
    generator: torch.Generator, shape: tuple[int, ...], draws: int, device: torch.device
) -> tuple[torch.Tensor, ...]:
    return tuple(torch.randn((1, *shape), generator=generator).to(device) for _ in range(draws))
