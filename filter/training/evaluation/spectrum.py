"""Texture, grid and structure of results: pure functions of images (3, H, W) in 0…1."""

import math

import torch
from torch import Tensor
from torch.nn import functional as F

from turbolens.filter.training.references.operators import blur, edges, luma

PATCH = 8  # pixels per latent: decoders leave patterns of this period and its parts
_FINEST, _COARSEST = 2.0, 16.0  # pixels per period of texture
_COARSE_EDGES = 4  # the factor by which pictures are reduced before edges are compared
_NEAR, _FAR = 3, 6  # neighbours of a frequency, in bins
_EPSILON = 1e-9


def texture_change(result: Tensor, photograph: Tensor) -> float:
    """Natural logarithm of the energy at 2–16 pixels of the result over that of the photograph."""
    return math.log((_band_energy(result) + _EPSILON) / (_band_energy(photograph) + _EPSILON))


def _band_energy(image: Tensor) -> float:
    power = _power(luma(image[None])[0, 0])
    y = torch.fft.fftfreq(power.shape[0])[:, None]
    x = torch.fft.fftfreq(power.shape[1])[None]
    frequency = (x**2 + y**2).sqrt()
    band = (frequency >= 1 / _COARSEST) & (frequency <= 1 / _FINEST)
    return float(power[band].sum() / power.numel())


def grid_ratio(image: Tensor) -> float:
    """Spectral energy at the frequencies of a grid of `PATCH` pixels over their neighbours.

    1: no grid. The geometric mean over 1/8, 2/8 and 3/8 cycles per pixel, along rows and columns,
    each over the mean of the bins 3 to 6 beside it. Sides must be multiples of `PATCH`.
    """
    grey = luma(image[None])[0, 0]
    ratios = []
    for lines in (grey, grey.t()):
        size = lines.shape[-1] // PATCH * PATCH
        rows = lines[:, :size] - lines[:, :size].mean(-1, keepdim=True)
        power = torch.fft.rfft(rows * torch.hann_window(size)).abs().square().mean(0)
        bins = [multiple * size // PATCH for multiple in range(1, PATCH // 2)]
        ratios += [_over_neighbours(power, index) for index in bins]
    return math.exp(sum(ratios) / len(ratios))


def _over_neighbours(power: Tensor, index: int) -> float:
    """The logarithm of the energy of a bin over the geometric mean of its neighbours."""
    offsets = [d for d in range(-_FAR, _FAR + 1) if abs(d) >= _NEAR]
    around = torch.stack([power[index + d] for d in offsets if 0 < index + d < len(power)])
    return float((power[index] + _EPSILON).log() - (around + _EPSILON).log().mean())


def structure(result: Tensor, photograph: Tensor) -> float:
    """Correlation of the edges of two images at a quarter of their size, −1…1."""
    first, second = (
        edges(F.avg_pool2d(image[None], _COARSE_EDGES), 1.0).flatten()
        for image in (result, photograph)
    )
    return float(torch.corrcoef(torch.stack([first, second]))[0, 1])


def fine_texture(images: Tensor) -> Tensor:
    """What is finer than about 6 pixels in images (B, 3, H, W)."""
    return images - blur(images, 2.0)


def _power(grey: Tensor) -> Tensor:
    """Power spectrum of a map (H, W) with a Hann window."""
    window = torch.hann_window(grey.shape[0])[:, None] * torch.hann_window(grey.shape[1])[None]
    spectrum: Tensor = torch.fft.fft2((grey - grey.mean()) * window)
    return spectrum.abs().square()
