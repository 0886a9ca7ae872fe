"""Steadiness: pans with exact motion over photographs, and what of the texture goes along.

Frames are images (T, 3, H, W) in 0…1. A pan moves the picture by `STEP` pixels to the left with
every frame.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from .spectrum import fine_texture

STEP = 6  # pixels per frame: not a multiple of a patch, and more than fine texture correlates
FRAMES = 8
CAMERA_NOISE = 2.0 / 255  # standard deviation, as of a webcam in a lit room
_BORDER = 8


def pan(photograph: Tensor, size: int) -> Tensor:
    """A pan over a photograph (3, size, ≥ size + STEP·(FRAMES − 1)): (FRAMES, 3, size, size)."""
    needed = size + STEP * (FRAMES - 1)
    if photograph.shape[-1] < needed:
        raise ValueError(f"a pan needs a width of {needed} pixels, got {photograph.shape[-1]}")
    return torch.stack([photograph[..., STEP * t : STEP * t + size] for t in range(FRAMES)])


def with_camera_noise(frames: Tensor, seed: int = 0) -> Tensor:
    """Frames with new noise in each, of standard deviation `CAMERA_NOISE`."""
    generator = torch.Generator().manual_seed(seed)
    noise = torch.randn(frames.shape, generator=generator)
    return (frames + CAMERA_NOISE * noise).clamp(0, 1)


def warp_error(frames: Tensor) -> float:
    """Mean |difference| of consecutive frames of a pan along its motion, in levels of 255."""
    difference = frames[1:, ..., :-STEP] - frames[:-1, ..., STEP:]
    return float(difference[..., _BORDER:-_BORDER, _BORDER:-_BORDER].abs().mean()) * 255


def static_gain(outputs: Tensor, inputs: Tensor) -> float:
    """Deviation over time of the output over the input's, for a picture that does not move."""
    spread = [frames.var(0, correction=0).mean().sqrt() for frames in (outputs, inputs)]
    return float(spread[0] / spread[1].clamp_min(1e-9))


@dataclass(frozen=True)
class TextureShares:
    """Shares of the energy of fine texture in a pan; they sum to 1.

    moves: goes along with the picture. stays: keeps its place on the screen. new: is in one frame
    and not in the next.
    """

    moves: float
    stays: float
    new: float


def texture_shares(frames: Tensor) -> TextureShares:
    """What the fine texture of a pan does.

    The texture is taken as a sum of independent parts of one autocorrelation, ρ at `STEP` pixels:
    A moves, S stays, N is new. The covariance of consecutive frames at the same place is then
    S + ρA, along the motion A + ρS, and the variance A + S + N.
    """
    texture = fine_texture(frames)[..., _BORDER:-_BORDER, _BORDER:-_BORDER]
    texture = texture - texture.mean((2, 3), keepdim=True)
    now, past = texture[1:], texture[:-1]
    whole = float(texture.square().mean())
    if whole < 1e-12:
        return TextureShares(1.0, 0.0, 0.0)
    rho = float((texture[..., STEP:] * texture[..., :-STEP]).mean()) / whole
    same = float((now * past).mean()) / whole
    along = float((now[..., :-STEP] * past[..., STEP:]).mean()) / whole
    scale = 1 - rho**2
    stays = min(1.0, max(0.0, (same - rho * along) / scale))
    moves = min(1.0 - stays, max(0.0, (along - rho * same) / scale))
    return TextureShares(moves, stays, max(0.0, 1 - moves - stays))
