"""The canvas of a rendering: conversion to and from tensors, noise, paper and colour.

A picture here is (H, W, 3) and a map (H, W), both float32 in 0…1. Noise depends on the size of the
picture and on a label, never on its content, so that what does not move keeps its texture.
"""

import functools
import zlib
from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

Array: TypeAlias = NDArray[Any]
Render: TypeAlias = Callable[[Array], Array]

_LUMA = np.array([0.299, 0.587, 0.114], np.float32)


def material(render: Render) -> Callable[[Tensor], Tensor]:
    """A renderer of pictures (H, W, 3) as a function of images (B, 3, H, W) in 0…1."""

    @functools.wraps(render)
    def rendered(images: Tensor) -> Tensor:
        pictures = images.detach().clamp(0, 1).permute(0, 2, 3, 1).cpu().float().numpy()
        results = [np.clip(render(np.ascontiguousarray(each)), 0, 1) for each in pictures]
        return torch.from_numpy(np.stack(results).astype(np.float32)).permute(0, 3, 1, 2)

    return rendered


def generator(shape: Sequence[int], label: str) -> np.random.Generator:
    """Random numbers that depend only on the height and width and on a label."""
    return np.random.default_rng([shape[0], shape[1], zlib.crc32(label.encode())])


def blur(array: Array, sigma: float) -> Array:
    """Gaussian blur with standard deviation `sigma` in pixels, edges reflected."""
    return cv2.GaussianBlur(array, (0, 0), sigma, borderType=cv2.BORDER_REFLECT_101)


def noise(shape: Sequence[int], label: str, scale: float) -> Array:
    """A map of noise with mean 0 and deviation 1, smooth over `scale` pixels (0: white)."""
    white = generator(shape, label).standard_normal(shape[:2]).astype(np.float32)
    smooth = blur(white, scale) if scale > 0 else white
    scaled: Array = (smooth - smooth.mean()) / (smooth.std() + 1e-6)
    return scaled


def paper(shape: Sequence[int], grain: float = 1.0) -> Array:
    """The height of rough paper, 0…1 with mean 0.5: fine grain over soft unevenness."""
    height = 0.75 * noise(shape, "paper", grain) + 0.35 * noise(shape, "pulp", 3 * grain)
    return np.clip(0.5 + 0.22 * height, 0, 1)


def relief(height: Array, amount: float) -> Array:
    """How a light from the top left changes brightness over a height map, mean 0."""
    across = cv2.Sobel(height, cv2.CV_32F, 1, 0, ksize=3) / 8
    down = cv2.Sobel(height, cv2.CV_32F, 0, 1, ksize=3) / 8
    return amount * (across + down)


def luma(picture: Array) -> Array:
    """Brightness after BT.601."""
    grey: Array = picture @ _LUMA
    return grey


def curve(tone: Array, low: float, high: float) -> Array:
    """Smoothstep: 0 below `low`, 1 above `high`."""
    x = np.clip((tone - low) / (high - low), 0, 1)
    return x * x * (3 - 2 * x)


def balanced(grey: Array, scale: float = 40.0, amount: float = 0.5) -> Array:
    """Tones around 0.5: `amount` of the brightness of the surroundings is taken away, and
    a picture of little contrast gets more.

    An artist places the same tones in a dark and in a bright room.
    """
    mean = 0.8 * float(grey.mean()) + 0.2 * blur(grey, scale)
    gain = float(np.clip(0.2 / (grey.std() + 1e-3), 0.9, 1.8))
    local = 0.5 + gain * (grey - mean) + (1 - amount) * (mean - 0.5)
    return np.clip(local, 0, 1)


def saturate(picture: Array, amount: float) -> Array:
    """Scale saturation by `amount` (1: unchanged, 0: grey)."""
    grey = luma(picture)[..., None]
    return np.clip(grey + (picture - grey) * amount, 0, 1)


def colour(name: str) -> Array:
    """ "#rrggbb" as three values 0…1."""
    return np.array([int(name[i : i + 2], 16) / 255 for i in (1, 3, 5)], np.float32)


def mix(first: Array, second: Array, share: Array | float) -> Array:
    """Interpolate between pictures or colours by a map of shares."""
    weight = share[..., None] if isinstance(share, np.ndarray) else share
    return first + (second - first) * weight


def palette(tone: Array, stops: Sequence[tuple[float, str]]) -> Array:
    """Map tones to colours, linear between `stops` of (tone, "#rrggbb")."""
    places = [place for place, _ in stops]
    colours = np.stack([colour(name) for _, name in stops])
    channels = [np.interp(tone, places, colours[:, index]) for index in range(3)]
    return np.stack(channels, -1).astype(np.float32)


def flat(picture: Array, passes: int = 2, spread: float = 0.12) -> Array:
    """Areas without texture, edges kept: repeated bilateral filter (Winnemöller et al. 2006)."""
    for _ in range(passes):
        picture = cv2.bilateralFilter(picture, 9, spread, 4.0)
    return picture


def median(picture: Array, size: int) -> Array:
    """Median over `size` × `size` pixels: clean borders between flat areas."""
    pixels = (np.clip(picture, 0, 1) * 255 + 0.5).astype(np.uint8)
    return cv2.medianBlur(pixels, size).astype(np.float32) / 255


def to_lab(picture: Array) -> Array:
    """CIE Lab: lightness 0…100, a and b about ±100."""
    return cv2.cvtColor(np.clip(picture, 0, 1), cv2.COLOR_RGB2Lab)


def from_lab(lab: Array) -> Array:
    """RGB of CIE Lab."""
    return np.clip(cv2.cvtColor(lab, cv2.COLOR_Lab2RGB), 0, 1)
