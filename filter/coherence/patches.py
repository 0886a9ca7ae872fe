"""A pyramid level cut into patches, for the patch search in `motion.py`."""

from functools import cached_property, lru_cache

import torch
from torch.nn import functional as F

from turbolens.filter.frames.luma import resized

from .warping import corner_grid, pair

PATCH = 8  # pixels; patches do not overlap, because half an overlap costs 4 times as much
_DAMPING = 1e-3 * PATCH**2  # of the Hessian of a patch of unit variance


class Level:
    """P patches of an image (1, 1, h, w): values, gradients and inverse Hessians."""

    def __init__(self, image: torch.Tensor) -> None:
        h, w = image.shape[-2:]
        missing = max(PATCH - w, -w % PATCH), max(PATCH - h, -h % PATCH)
        self.image = F.pad(image, (0, missing[0], 0, missing[1]), mode="replicate")
        self.height, self.width = self.image.shape[-2:]
        self.rows, self.columns = self.height // PATCH, self.width // PATCH

    @cached_property
    def _patches(self) -> torch.Tensor:
        """(P, 3, 64): values and both gradients, less the mean of each patch."""
        padded = F.pad(self.image, (1, 1, 1, 1), mode="replicate")
        across = (padded[..., 1:-1, 2:] - padded[..., 1:-1, :-2]) / 2
        down = (padded[..., 2:, 1:-1] - padded[..., :-2, 1:-1]) / 2
        channels = torch.cat([self.image, across, down], dim=1)
        cut = channels.view(3, self.rows, PATCH, self.columns, PATCH).permute(1, 3, 0, 2, 4)
        patches = cut.reshape(-1, 3, PATCH**2)
        return patches - patches.mean(dim=-1, keepdim=True)

    @cached_property
    def values(self) -> torch.Tensor:
        """(P, 64) of mean 0."""
        return self._patches[:, 0]

    @cached_property
    def gradients(self) -> torch.Tensor:
        """(P, 2, 64) of mean 0, so that products with them ignore the other image's mean."""
        return self._patches[:, 1:].contiguous()

    @cached_property
    def variance(self) -> torch.Tensor:
        """(P,)"""
        return self.values.square().mean(dim=-1)

    @cached_property
    def _products(self) -> torch.Tensor:
        """(P, 2, 3): gradients · (values, gradients)."""
        return torch.bmm(self.gradients, self._patches.transpose(1, 2))

    @cached_property
    def inverse_hessians(self) -> torch.Tensor:
        """(P, 2, 2), damped."""
        xx, xy = self._products[:, 0, 1] + _DAMPING, self._products[:, 0, 2]
        yy = self._products[:, 1, 2] + _DAMPING
        adjugate = torch.stack([yy, -xy, -xy, xx], dim=-1).view(-1, 2, 2)
        return adjugate / (xx * yy - xy * xy)[:, None, None]

    def sampled(self, other: torch.Tensor, moves: torch.Tensor) -> torch.Tensor:
        """The other image (1, 1, h, w) at each patch, moved by (…, P, 2): (…, P, 64)."""
        step = pair(2 / (self.width - 1), 2 / (self.height - 1), moves.device).view(2)
        points = _patch_grid(self.height, self.width, moves.device)
        grid = points + (moves * step).unsqueeze(-2)
        samples = F.grid_sample(other, grid.view(1, -1, PATCH**2, 2), mode="bilinear",
                                padding_mode="border", align_corners=True)  # fmt: skip
        return samples.view(*moves.shape[:-1], -1)

    def mismatch(self, samples: torch.Tensor) -> torch.Tensor:
        """Variance of the difference between samples (…, P, 64) and patches: (…, P)."""
        difference = samples - self.values
        mean = difference.mean(dim=-1)
        return difference.square().mean(dim=-1) - mean.square()

    def refined(self, moves: torch.Tensor, samples: torch.Tensor) -> torch.Tensor:
        """The moves (P, 2) after one Gauss-Newton step of at most one pixel.

        samples: (P, 64), at the moves so far.
        """
        slope = torch.bmm(self.gradients, samples.unsqueeze(-1)) - self._products[:, :, :1]
        return moves - torch.bmm(self.inverse_hessians, slope)[..., 0].clamp(-1.0, 1.0)

    def on_grid(self, per_patch: torch.Tensor) -> torch.Tensor:
        """(P, C) → (1, C, height, width), interpolated between the centres of patches."""
        grid = per_patch.t().reshape(1, -1, self.rows, self.columns)
        return resized(grid, self.height, self.width)


@lru_cache(maxsize=32)
def _patch_grid(height: int, width: int, device: torch.device) -> torch.Tensor:
    """(P, 64, 2): the points of `corner_grid`, patch by patch."""
    grid = corner_grid(height, width, device)[0]
    cut = grid.view(height // PATCH, PATCH, width // PATCH, PATCH, 2)
    return cut.transpose(1, 2).reshape(-1, PATCH**2, 2).contiguous()
