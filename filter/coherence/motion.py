"""Dense motion between consecutive pictures, on whatever device they lie.

Inverse search of patches, coarse to fine, after DIS (Kroeger et al. 2016): the patches of the newer
picture keep their gradients and their Hessian, so that an iteration is one sampling of the older
picture and one small product. Each patch starts from the best of a few guesses (the coarser level,
no motion, the median motion); on the coarsest level these are all moves of up to two pixels there.
Patches are compared without their means, pictures without their contrast: light is no motion.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import product

import torch
from torch.nn import functional as F

from turbolens.filter.frames.luma import halved

from .patches import PATCH, Level
from .warping import resized_flow, warped

SCALE = 2  # flow is found on pictures of half the size: a quarter has 1.2 times the error
_LEVELS = 5
_ITERATIONS = 2  # on the finest level, where there are most patches, one that starts from one guess
_FLAT = 0.02  # standard deviation (of 1) below which a picture is not stretched further
_NO_TEXTURE = 0.02  # variance of the mismatch at which a patch's vote begins to fade
_OTHER_GUESS = 1.05  # how much better the first guess may look to lose against another
_MATCH_FLOOR = 0.05  # variance that every patch is thought to have, so that noise is no mismatch
_ROUND_TRIP = (0.2, 4.0)  # tolerance of forward and back: share of the squared length, px²


@dataclass(frozen=True)
class Motion:
    """What moved where since the picture before.

    flow: (1, 2, h, w) at 1/`SCALE` of the picture, x then y, in pixels of the picture: what is at p
    now was at p + flow. agreement: (1, 1, h, w), 0…1, how well the way there and back agree: near 0
    where something has just been uncovered. mismatch: (1, 1, 1, 1), the share of the picture's
    structure that is found nowhere in the one before: small in a scene, near 1 after a cut.
    """

    flow: torch.Tensor
    agreement: torch.Tensor
    mismatch: torch.Tensor

    def at(self, height: int, width: int) -> torch.Tensor:
        """Flow (1, 2, height, width) on another grid, in pixels of that grid."""
        return resized_flow(self.flow, height, width, SCALE)

    def length(self) -> torch.Tensor:
        """(1, 1, h, w): pixels of the picture that each place has moved."""
        return self.flow.square().sum(dim=1, keepdim=True).sqrt()


class MotionFeatures:
    """What there is to match in one picture: its levels, finest first; made once a picture.

    luma: (1, 1, H/2, W/2) in levels 0…255, on the device where motion is to be found.
    """

    def __init__(self, luma: torch.Tensor) -> None:
        self.height, self.width = luma.shape[-2:]
        level = (luma - luma.mean()) / (luma.std() + _FLAT * 127.5)
        self.levels = [Level(level)]
        while len(self.levels) < _LEVELS and min(level.shape[-2:]) >= 2 * PATCH:
            level = halved(level)
            self.levels.append(Level(level))

    def motion_from(self, past: "MotionFeatures") -> Motion:
        """How this picture came from the one before, which has the same size."""
        forward, mismatch = _search(self.levels, past.levels)
        coarser = min(2, len(self.levels) - 1)
        backward, _ = _search(past.levels[coarser:], self.levels[coarser:])
        size = self.height, self.width
        flow = forward[..., : size[0], : size[1]]
        back = _doubled(backward, coarser)[..., : size[0], : size[1]]
        back = F.pad(back, (0, size[1] - back.shape[-1], 0, size[0] - back.shape[-2]),
                     mode="replicate")  # fmt: skip
        return Motion(flow * SCALE, _agreement(flow * SCALE, back * SCALE), mismatch)


def _search(now: Sequence[Level], past: Sequence[Level]) -> tuple[torch.Tensor, torch.Tensor]:
    """Flow (1, 2, height, width) of the finest level in its pixels, and the share not found."""
    flow, mismatch = None, now[0].values.new_zeros(1, 1, 1, 1)
    for index in reversed(range(len(now))):
        level, other = now[index], past[index].picture
        guesses = _guesses(level, flow, alone=index == 0)
        moves, cost = _best_moves(level, other, guesses)
        flow = _densified(level, moves, cost)
        if index == min(2, len(now) - 1):
            mismatch = _mismatch(level, cost)
    return now[0].picture.new_zeros(0) if flow is None else flow, mismatch


def _guesses(level: Level, coarser: torch.Tensor | None, *, alone: bool) -> torch.Tensor:
    """(K, P, 2): the likeliest first, or that one alone."""
    if coarser is None:
        every = _small_moves(level.values.device)
        return every[:, None].expand(-1, level.rows * level.columns, -1)
    flow = _doubled(coarser, 1)
    flow = F.pad(flow, (0, max(0, level.width - flow.shape[-1]),
                        0, max(0, level.height - flow.shape[-2])), mode="replicate")  # fmt: skip
    middle = slice(PATCH // 2, None, PATCH)
    inherited = flow[0, :, : level.height, : level.width][:, middle, middle].reshape(2, -1).t()
    if alone:
        return inherited[None]
    median = inherited.sort(dim=0).values[(len(inherited) - 1) // 2].expand_as(inherited)
    return torch.stack([inherited, torch.zeros_like(inherited), median])


def _best_moves(
    level: Level, other: torch.Tensor, guesses: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor]:
    """The moves (P, 2) that fit best, refined where that helps, and their mismatch (P,)."""
    every = level.seen_in(other, guesses)
    costs = level.mismatch(every)
    if len(guesses) == 1:  # the finest level, where most patches are: one step, taken on trust
        return level.refined(guesses[0], every[0]), costs[0]
    handicap = torch.full_like(costs[:, :1], _OTHER_GUESS)
    handicap[0] = 1.0
    best = (costs * handicap).argmin(dim=0, keepdim=True)
    start = guesses.gather(0, best.unsqueeze(-1).expand(-1, -1, 2))[0]
    cost = costs.gather(0, best)[0]
    seen = every.gather(0, best.unsqueeze(-1).expand(-1, -1, PATCH**2))[0]
    moves = start
    for _ in range(_ITERATIONS):
        moves = level.refined(moves, seen)
        seen = level.seen_in(other, moves)
    refined = level.mismatch(seen)
    better = refined < cost
    return torch.where(better[:, None], moves, start), torch.minimum(cost, refined)


def _densified(level: Level, moves: torch.Tensor, cost: torch.Tensor) -> torch.Tensor:
    """Moves of patches → flow between them; those that fit better count more."""
    weight = 1.0 / (_NO_TEXTURE + cost[:, None])
    summed = level.on_grid(torch.cat([moves * weight, weight], dim=1))
    return summed[:, :2] / summed[:, 2:]


def _mismatch(level: Level, cost: torch.Tensor) -> torch.Tensor:
    known = level.variance + _MATCH_FLOOR
    share = torch.minimum(cost, known).sum() / known.sum()
    return share.view(1, 1, 1, 1)


def _agreement(forward: torch.Tensor, backward: torch.Tensor) -> torch.Tensor:
    """exp(−d²/(a·(|f|² + |b|²) + c)) of the way there and back (after Sundaram et al. 2010)."""
    back = warped(backward, forward / SCALE)
    apart = (forward + back).square().sum(dim=1, keepdim=True)
    lengths = (forward.square() + back.square()).sum(dim=1, keepdim=True)
    share, floor = _ROUND_TRIP
    return torch.exp(-apart / (share * lengths + floor * SCALE**2))


def _doubled(flow: torch.Tensor, times: int) -> torch.Tensor:
    if times == 0:
        return flow
    factor: int = 1 << times
    return factor * F.interpolate(flow, scale_factor=factor, mode="bilinear", align_corners=False)


@lru_cache(maxsize=8)
def _small_moves(device: torch.device) -> torch.Tensor:
    """(25, 2), the smallest first."""
    every = sorted(product(range(-2, 3), repeat=2), key=lambda move: move[0] ** 2 + move[1] ** 2)
    return torch.tensor(every, dtype=torch.float32, device=device)
