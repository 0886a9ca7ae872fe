"""What makes an image-to-image model of the student: it keeps what it is shown.

All three are weighted by `kept` (B, 1, 1, 1): α_s of the timestep s, how much of the input is seen
there, and 0 at the last one, where the student sees next to nothing, and nothing is asked.
"""

from torch import Tensor
from torch.nn import functional as F

from turbolens.filter.diffusion.timesteps import trailing_timesteps

_STILL = 1e-6


def sighted_timesteps(student_steps: int, count: int) -> list[int]:
    """The student timesteps that show it a picture: all but the last, unless it is the only one."""
    every = trailing_timesteps(student_steps, count)
    return every[1:] or every


def identity_loss(denoised: Tensor, clean: Tensor, kept: Tensor, own: Tensor) -> Tensor:
    """E[α_s·‖x̂_θ(x_s, s, c) − x₀‖²] over rows whose prompt is the picture's own caption.

    A painting asked to be a painting is to stay what it is. Latents (B, C, h, w),
    own (B,) of 0 and 1. A mean over the latents; 0 where no row is its own.
    """
    rows = kept.flatten() * own
    apart = (denoised - clean).square().mean((1, 2, 3))
    return (rows * apart).sum() / own.sum().clamp_min(1)


def structure_loss(denoised: Tensor, clean: Tensor, kept: Tensor) -> Tensor:
    """E[α_s·(1 − ρ(e(x̂_θ), e(x₀)))]: edges stay where they were, whatever the look.

    Between 0 and 2; ρ is that of `edges_alike`.
    """
    return (kept.flatten() * (1 - edges_alike(denoised, clean))).mean()


def edges_alike(first: Tensor, second: Tensor) -> Tensor:
    """(B,) ρ(e(·), e(·)) of latents (B, C, h, w): the correlation of their edges over places.

    e is the length of the latents' gradient over all channels, which a change of colour or of
    contrast leaves alone.
    """
    return _correlation(_edges(first), _edges(second))


def noise_loss(first: Tensor, second: Tensor, kept: Tensor) -> Tensor:
    """E[α_s·‖x̂_θ(x_s(ε₁), s) − x̂_θ(x_s(ε₂), s)‖²]: the same input under two draws of noise.

    A filter adds the same noise to every frame; what of it shows in the result is a pattern that
    stands still while the picture moves.
    """
    return (kept * (first - second).square()).mean()


def _edges(latents: Tensor) -> Tensor:
    """(B, h, w)"""
    padded = F.pad(latents, (0, 1, 0, 1), mode="replicate")
    across = (padded[..., :-1, 1:] - padded[..., :-1, :-1]).square().sum(1)
    down = (padded[..., 1:, :-1] - padded[..., :-1, :-1]).square().sum(1)
    return (across + down + _STILL).sqrt()


def _correlation(first: Tensor, second: Tensor) -> Tensor:
    """(B,) over places; 0 where one of both is flat."""
    a, b = (each.flatten(1) - each.flatten(1).mean(1, keepdim=True) for each in (first, second))
    size = (a.square().sum(1) * b.square().sum(1) + _STILL).sqrt()
    return (a * b).sum(1) / size
