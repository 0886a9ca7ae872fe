"""The image-to-image losses of a student: identity, structure and insensitivity to noise.

All three are weighted by `weight` (B, 1, 1, 1): α_s of the timestep s, the share of the input in
the noisy latents, and 0 at the last timestep, where almost nothing of the input is visible.
"""

from torch import Tensor
from torch.nn import functional as F

from turbolens.filter.diffusion.timesteps import trailing_timesteps

_EPSILON = 1e-6


def visible_timesteps(student_steps: int, count: int) -> list[int]:
    """The student timesteps that show the input: all but the last, unless it is the only one."""
    timesteps = trailing_timesteps(student_steps, count)
    return timesteps[1:] or timesteps


def identity_loss(denoised: Tensor, clean: Tensor, weight: Tensor, own: Tensor) -> Tensor:
    """E[α_s·‖x̂_θ(x_s, s, c) − x₀‖²] over rows whose prompt is the picture's own caption.

    With the prompt "painting", a painting should not change. Latents (B, C, h, w); own (B,): 1 if
    the caption is the picture's own, else 0. A mean over the latents; 0 if no row is its own.
    """
    rows = weight.flatten() * own
    squared = (denoised - clean).square().mean((1, 2, 3))
    return (rows * squared).sum() / own.sum().clamp_min(1)


def structure_loss(denoised: Tensor, clean: Tensor, weight: Tensor) -> Tensor:
    """E[α_s·(1 − ρ(e(x̂_θ), e(x₀)))]: keeps edges in place, whatever the look.

    Between 0 and 2; ρ is `edge_correlation`.
    """
    return (weight.flatten() * (1 - edge_correlation(denoised, clean))).mean()


def edge_correlation(first: Tensor, second: Tensor) -> Tensor:
    """(B,) ρ(e(·), e(·)) of latents (B, C, h, w): the correlation of their edges over positions.

    e is the gradient magnitude over all channels; ρ does not depend on colour or contrast.
    """
    return _correlation(_edges(first), _edges(second))


def noise_loss(first: Tensor, second: Tensor, weight: Tensor) -> Tensor:
    """E[α_s·‖x̂_θ(x_s(ε₁), s) − x̂_θ(x_s(ε₂), s)‖²]: the same input with two noise samples.

    A filter adds the same noise to every frame; if it shows in the result, it is a pattern that
    does not move with the input.
    """
    return (weight * (first - second).square()).mean()


def _edges(latents: Tensor) -> Tensor:
    """(B, h, w)"""
    padded = F.pad(latents, (0, 1, 0, 1), mode="replicate")
    across = (padded[..., :-1, 1:] - padded[..., :-1, :-1]).square().sum(1)
    down = (padded[..., 1:, :-1] - padded[..., :-1, :-1]).square().sum(1)
    return (across + down + _EPSILON).sqrt()


def _correlation(first: Tensor, second: Tensor) -> Tensor:
    """(B,) over positions; 0 if one of the two is constant."""
    a, b = (each.flatten(1) - each.flatten(1).mean(1, keepdim=True) for each in (first, second))
    size = (a.square().sum(1) * b.square().sum(1) + _EPSILON).sqrt()
    return (a * b).sum(1) / size
