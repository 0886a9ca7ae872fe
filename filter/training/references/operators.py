"""The image operators of the reference looks: pure functions of image tensors.

An image here is (B, 3, H, W) and a map (B, 1, H, W), both float32 in 0…1. Every operator is local
and translation-invariant, so that a convolutional network can learn it exactly and the rendering
moves with the image.
"""

import math

import torch
import torch.nn.functional as F
from torch import Tensor

LUMA = (0.299, 0.587, 0.114)


def blur(image: Tensor, sigma: float) -> Tensor:
    """Gaussian blur with standard deviation `sigma` in pixels, edges reflected."""
    radius = min(max(1, math.ceil(2.5 * sigma)), min(image.shape[-2:]) - 1)
    x = torch.arange(-radius, radius + 1, dtype=image.dtype)
    kernel = torch.exp(-(x**2) / (2 * sigma**2))
    kernel = kernel / kernel.sum()
    channels = image.shape[1]
    rows = kernel.view(1, 1, 1, -1).repeat(channels, 1, 1, 1)
    padded = F.pad(image, (radius, radius, radius, radius), mode="reflect")
    across = F.conv2d(padded, rows, groups=channels)
    return F.conv2d(across, rows.transpose(2, 3), groups=channels)


def luma(image: Tensor) -> Tensor:
    """(B, 1, H, W) brightness after BT.601."""
    weights = image.new_tensor(LUMA).view(1, 3, 1, 1)
    return (image * weights).sum(1, keepdim=True)


def saturate(image: Tensor, amount: float) -> Tensor:
    """Scale saturation by `amount` (1: unchanged, 0: grey)."""
    grey = luma(image)
    return (grey + (image - grey) * amount).clamp(0, 1)


def contrast(image: Tensor, amount: float, middle: float = 0.5) -> Tensor:
    """Scale contrast about `middle` by `amount`."""
    return ((image - middle) * amount + middle).clamp(0, 1)


def curve(tone: Tensor, low: float, high: float) -> Tensor:
    """Smoothstep: 0 below `low`, 1 above `high`."""
    x = ((tone - low) / (high - low)).clamp(0, 1)
    return x * x * (3 - 2 * x)


def palette(tone: Tensor, stops: list[tuple[float, str]]) -> Tensor:
    """Map tones (B, 1, H, W) to colours, linear between `stops` of (tone, "#rrggbb")."""
    places = tone.new_tensor([place for place, _ in stops])
    colours = torch.stack([colour(name) for _, name in stops]).to(tone)
    right = torch.searchsorted(places, tone.contiguous()).clamp(1, len(stops) - 1)
    span = (places[right] - places[right - 1]).clamp_min(1e-6)
    share = ((tone - places[right - 1]) / span).clamp(0, 1)[:, 0, ..., None]
    mixed = torch.lerp(colours[right[:, 0] - 1], colours[right[:, 0]], share)
    return mixed.permute(0, 3, 1, 2)


def colour(name: str) -> Tensor:
    """ "#rrggbb" as three values 0…1."""
    return torch.tensor([int(name[i : i + 2], 16) / 255 for i in (1, 3, 5)])


def edges(image: Tensor, sigma: float) -> Tensor:
    """(B, 1, H, W) strength of colour edges, 0…1, after smoothing by `sigma`."""
    smooth = blur(image, sigma)
    padded = F.pad(smooth, (1, 1, 1, 1), mode="replicate")
    across = padded[..., 1:-1, 2:] - padded[..., 1:-1, :-2]
    down = padded[..., 2:, 1:-1] - padded[..., :-2, 1:-1]
    return (across**2 + down**2).sum(1, keepdim=True).sqrt()
