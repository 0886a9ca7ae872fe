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


def tint(image: Tensor, name: str, amount: float) -> Tensor:
    """Interpolate towards one colour by `amount`."""
    return torch.lerp(image, colour(name).to(image).view(1, 3, 1, 1).expand_as(image), amount)


def soft_bands(tone: Tensor, levels: int, sharpness: float) -> Tensor:
    """Posterised tones: `levels` flat steps joined by smooth ramps (Winnemöller et al. 2006)."""
    scaled = tone * levels
    step = torch.floor(scaled)
    ramp = 0.5 + 0.45 * torch.tanh(2 * sharpness * (scaled - step - 0.5))
    return ((step + ramp) / levels).clamp(0, 1)


def kuwahara(image: Tensor, radius: int, sharpness: float = 8.0, sectors: int = 8) -> Tensor:
    """Generalised Kuwahara filter (Papari et al. 2007): weights sectors by their uniformity.

    Flattens texture and keeps edges.
    """
    kernels = _sector_kernels(radius, sectors).to(image)
    channels = image.shape[1]
    weight = kernels.repeat(channels, 1, 1, 1)
    padded = F.pad(image, (radius,) * 4, mode="reflect")
    shape = (image.shape[0], channels, sectors, *image.shape[2:])
    mean = F.conv2d(padded, weight, groups=channels).view(shape)
    square = F.conv2d(padded**2, weight, groups=channels).view(shape)
    deviation = (square - mean**2).clamp_min(0).sum(1, keepdim=True).sqrt()
    share = 1.0 / (1.0 + (deviation * 255 / 12) ** sharpness)
    share = share + 1e-12
    return (mean * share).sum(2) / share.sum(2)


def _sector_kernels(radius: int, sectors: int) -> Tensor:
    axis = torch.arange(-radius, radius + 1, dtype=torch.float32)
    y, x = torch.meshgrid(axis, axis, indexing="ij")
    distance = torch.exp(-(x**2 + y**2) / (2 * (radius / 2) ** 2)) * (
        x**2 + y**2 <= radius**2 + 0.5
    )
    angle = torch.atan2(y, x)
    kernels = []
    for index in range(sectors):
        offset = (
            torch.remainder(angle - 2 * math.pi * index / sectors + math.pi, 2 * math.pi) - math.pi
        )
        kernel = distance * torch.exp(-(offset**2) / (2 * (math.pi / sectors) ** 2))
        kernel[radius, radius] = kernel.max()
        kernels.append(kernel / kernel.sum())
    return torch.stack(kernels)[:, None]


def tangents(image: Tensor, sigma: float = 2.5) -> Tensor:
    """(B, 2, H, W) unit vectors (x, y) along the edges, from the smoothed structure tensor."""
    grey = luma(image)
    padded = F.pad(grey, (1, 1, 1, 1), mode="reflect")
    sobel = image.new_tensor([[1, 2, 1], [0, 0, 0], [-1, -2, -1]]) / 8
    gradient_y = F.conv2d(padded, -sobel.view(1, 1, 3, 3))
    gradient_x = F.conv2d(padded, -sobel.t().reshape(1, 1, 3, 3))
    tensor = torch.cat([gradient_x**2, gradient_y**2, gradient_x * gradient_y], 1)
    e, g, f = blur(tensor, sigma).chunk(3, 1)
    angle = 0.5 * torch.atan2(2 * f, e - g) + math.pi / 2
    return torch.cat([torch.cos(angle), torch.sin(angle)], 1)


def along(image: Tensor, direction: Tensor, length: float, steps: int = 4) -> Tensor:
    """Mean of the image or map along `direction` (B, 2, H, W), `length` pixels to both sides."""
    height, width = image.shape[-2:]
    y, x = torch.meshgrid(
        torch.linspace(-1, 1, height), torch.linspace(-1, 1, width), indexing="ij"
    )
    base = torch.stack([x, y], -1)[None].to(image)
    scale = image.new_tensor([2 / max(1, width - 1), 2 / max(1, height - 1)])
    unit = direction.permute(0, 2, 3, 1) * scale
    total, weights = image.clone(), 1.0
    for step in range(1, steps + 1):
        offset = length * step / steps
        weight = math.exp(-2 * (step / steps) ** 2)
        for sign in (-1, 1):
            grid = base + sign * offset * unit
            total += weight * F.grid_sample(
                image, grid, mode="bilinear", padding_mode="reflection", align_corners=True
            )
            weights += weight
    return total / weights


def lines(image: Tensor, sigma: float, *, length: float = 4.0, threshold: float = 0.0,
          steepness: float = 60.0, tau: float = 0.98) -> Tensor:  # fmt: skip
    """Flow-based difference of Gaussians (Kang et al. 2007; Winnemöller 2011): 1 paper, 0 line."""
    grey = luma(image)
    difference = blur(grey, sigma) - tau * blur(grey, 1.6 * sigma)
    if length > 0:
        difference = along(difference, tangents(image), length)
    dark = (difference - threshold).clamp_max(0)
    return 1 + torch.tanh(steepness * dark)


def edges(image: Tensor, sigma: float) -> Tensor:
    """(B, 1, H, W) strength of colour edges, 0…1, after smoothing by `sigma`."""
    smooth = blur(image, sigma)
    padded = F.pad(smooth, (1, 1, 1, 1), mode="replicate")
    across = padded[..., 1:-1, 2:] - padded[..., 1:-1, :-2]
    down = padded[..., 2:, 1:-1] - padded[..., :-2, 1:-1]
    return (across**2 + down**2).sum(1, keepdim=True).sqrt()
