"""Random light, noise, blur and compression of a training picture."""

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

Pixels = NDArray[np.uint8]
DIM = 0.25
"""The share of pictures in dim light or haze."""


def relit(rng: np.random.Generator, rgb: Pixels) -> Pixels:
    """RGB (H, W, 3) as a camera might see it: other colours and exposure, noise, blur, JPEG."""
    levels = _coloured(rng, rgb)
    if rng.random() < DIM:
        levels = _dimmed(rng, levels)
    if rng.random() < 0.25:
        levels = cv2.filter2D(levels, -1, _motion(rng))
    elif rng.random() < 0.3:
        levels = cv2.GaussianBlur(levels, (0, 0), rng.uniform(0.4, 1.8))
    if rng.random() < 0.5:
        channels = 1 if rng.random() < 0.4 else 3
        noise = rng.standard_normal((*rgb.shape[:2], channels), np.float32)
        levels = levels + noise * np.float32(rng.uniform(1, 14))
    result: Any = np.clip(levels, 0, 255).astype(np.uint8)
    if rng.random() < 0.2:
        quality = [cv2.IMWRITE_JPEG_QUALITY, int(rng.integers(20, 80))]
        result = cv2.imdecode(cv2.imencode(".jpg", result, quality)[1], cv2.IMREAD_COLOR)
    return np.asarray(result, np.uint8)


def _coloured(rng: np.random.Generator, rgb: Pixels) -> Any:
    gamma = np.exp(rng.normal(0, 0.3))
    gain = rng.uniform(0.55, 1.25) * np.exp(rng.normal(0, 0.07, 3))
    grey = rng.random() < 0.06
    offset, contrast = rng.uniform(-15, 25), rng.uniform(0.45, 1.1)
    table = np.arange(256)[:, None] / 255
    table = 255 * table**gamma * gain
    table = np.clip((table - 128) * contrast + 128 + offset, 0, 255).astype(np.float32)
    levels: Any = cv2.LUT(rgb, table.reshape(256, 1, 3)[None].reshape(1, 256, 3))
    colour = 0.0 if grey else rng.uniform(0.3, 1.15)
    mean = levels.mean(2, keepdims=True)
    return np.asarray(mean + (levels - mean) * np.float32(colour), np.float32)


def _dimmed(rng: np.random.Generator, levels: Any) -> Any:
    """Levels with little light or little contrast, or both, brighter at one side."""
    haze, share = rng.uniform(0, 70), np.exp(rng.uniform(np.log(0.12), np.log(0.7)))
    cast = np.exp(rng.normal(0, 0.12, 3)).astype(np.float32)
    sides = np.exp(rng.normal(0, 0.35, (2, 2))).astype(np.float32)
    height, width = levels.shape[:2]
    light: Any = cv2.resize(sides, (width, height), interpolation=cv2.INTER_LINEAR)
    return (levels * light[..., None] * np.float32(share) + np.float32(haze)) * cast


def _motion(rng: np.random.Generator) -> NDArray[np.float32]:
    """The kernel of a blur along a line of 3 to 11 pixels."""
    side = 2 * int(rng.integers(1, 6)) + 1
    kernel = np.zeros((side, side), np.uint8)
    angle, middle = rng.uniform(0, np.pi), side // 2
    dx, dy = round(np.cos(angle) * middle), round(np.sin(angle) * middle)
    cv2.line(kernel, (middle - dx, middle - dy), (middle + dx, middle + dy), 1)
    return np.asarray(kernel / kernel.sum(), np.float32)
