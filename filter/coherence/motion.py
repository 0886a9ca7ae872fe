"""Dense optical flow between consecutive frames, on any device.

Inverse patch search, coarse to fine, after DIS (Kroeger et al. 2016). The patches of the newer
frame keep their gradients and Hessian, so that an iteration takes one sampling of the older frame
and one small product. Each patch starts from the best of a few guesses: the coarser level, no
motion, the median motion; on the coarsest level, all moves of up to two pixels. Patches are
compared without their means and frames without their contrast, so that changes of light do not
count as motion.
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

SCALE = 2  # flow is estimated at half the size; at a quarter the error is 1.2 times as large
_LEVELS = 5
_ITERATIONS = 2  # one on the finest level, which has most patches, from a single guess
_MIN_DEVIATION = 0.02  # of 1; flatter frames are not normalised further
_MISMATCH_FLOOR = 0.02  # variance of the mismatch below which all patches weigh the same
_GUESS_HANDICAP = 1.05  # factor on the mismatch of all guesses but the first
_VARIANCE_FLOOR = 0.05  # assumed for flat patches, so that noise is no mismatch
_ROUND_TRIP = (0.2, 4.0)  # tolerance of forward and backward: share of the squared length, px²


@dataclass(frozen=True)
class Motion:
    """Optical flow from a frame to the one before.

    flow: (1, 2, h, w) at 1/`SCALE` of the frame, x then y, in pixels of the frame: what is at p now
    was at p + flow. agreement: (1, 1, h, w), 0…1, between forward and backward flow; near 0 where
    something was uncovered. mismatch: (1, 1, 1, 1), the share of the frame's structure that is not
    found in the one before; small within a scene, near 1 after a cut.
    """

    flow: torch.Tensor
    agreement: torch.Tensor
    mismatch: torch.Tensor

    @property
    def tensors(self) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Flow, agreement and mismatch."""
        return self.flow, self.agreement, self.mismatch

    def at(self, height: int, width: int) -> torch.Tensor:
        """The flow resized to (1, 2, height, width), in pixels of that grid."""
        return resized_flow(self.flow, height, width, SCALE)

    def length(self) -> torch.Tensor:
        """(1, 1, h, w): the length of the flow in pixels of the frame."""
        return self.squared_length().sqrt()

    def squared_length(self) -> torch.Tensor:
        """(1, 1, h, w): the square of `length`."""
        return self.flow.square().sum(dim=1, keepdim=True)


class MotionFeatures:
    """The image pyramid of one frame, finest level first.

    luma: (1, 1, H/2, W/2), 0…255, on the device for the search.
    """

    def __init__(self, luma: torch.Tensor) -> None:
        self.height, self.width = luma.shape[-2:]
        level = (luma - luma.mean()) / (luma.std() + _MIN_DEVIATION * 127.5)
        self.levels = [Level(level)]
        while len(self.levels) < _LEVELS and min(level.shape[-2:]) >= 2 * PATCH:
            level = halved(level)
            self.levels.append(Level(level))

    def motion_from(self, past: "MotionFeatures") -> Motion:
        """The motion from the frame `past`, of the same size, to this one."""
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
    """Flow (1, 2, height, width) of the finest level in its pixels, and the mismatch."""
    flow, mismatch = None, now[0].values.new_zeros(1, 1, 1, 1)
    for index in reversed(range(len(now))):
        level, other = now[index], past[index].image
        guesses = _guesses(level, flow, alone=index == 0)
        moves, cost = _best_moves(level, other, guesses)
        flow = _densified(level, moves, cost)
        if index == min(2, len(now) - 1):
            mismatch = _mismatch(level, cost)
    return now[0].image.new_zeros(0) if flow is None else flow, mismatch


def _guesses(level: Level, coarser: torch.Tensor | None, *, alone: bool) -> torch.Tensor:
    """Initial moves (K, P, 2), the likeliest first; only that one if `alone`."""
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
    """The moves (P, 2) with the least mismatch (P,), refined where that reduces it."""
    samples = level.sampled(other, guesses)
    costs = level.mismatch(samples)
    if len(guesses) == 1:  # the finest level: one step, not checked, because it has most patches
        return level.refined(guesses[0], samples[0]), costs[0]
    handicap = torch.full_like(costs[:, :1], _GUESS_HANDICAP)
    handicap[0] = 1.0
    best = (costs * handicap).argmin(dim=0, keepdim=True)
    start = guesses.gather(0, best.unsqueeze(-1).expand(-1, -1, 2))[0]
    cost = costs.gather(0, best)[0]
    at_moves = samples.gather(0, best.unsqueeze(-1).expand(-1, -1, PATCH**2))[0]
    moves = start
    for _ in range(_ITERATIONS):
        moves = level.refined(moves, at_moves)
        at_moves = level.sampled(other, moves)
    refined = level.mismatch(at_moves)
    better = refined < cost
    return torch.where(better[:, None], moves, start), torch.minimum(cost, refined)


def _densified(level: Level, moves: torch.Tensor, cost: torch.Tensor) -> torch.Tensor:
    """Moves of patches → dense flow; patches with less mismatch weigh more."""
    weight = 1.0 / (_MISMATCH_FLOOR + cost[:, None])
    summed = level.on_grid(torch.cat([moves * weight, weight], dim=1))
    return summed[:, :2] / summed[:, 2:]


def _mismatch(level: Level, cost: torch.Tensor) -> torch.Tensor:
    known = level.variance + _VARIANCE_FLOOR
    share = torch.minimum(cost, known).sum() / known.sum()
    return share.view(1, 1, 1, 1)


def _agreement(forward: torch.Tensor, backward: torch.Tensor) -> torch.Tensor:
    """exp(−d²/(a·(|f|² + |b|²) + c)) of forward and backward flow (Sundaram et al. 2010)."""
    back = warped(backward, forward / SCALE)
    difference = (forward + back).square().sum(dim=1, keepdim=True)
    lengths = (forward.square() + back.square()).sum(dim=1, keepdim=True)
    share, floor = _ROUND_TRIP
    return torch.exp(-difference / (share * lengths + floor * SCALE**2))


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
