"""Luma of images, for motion and noise estimation."""

import cv2
import numpy as np
import torch
from torch.nn import functional as F

_WEIGHTS = (0.299, 0.587, 0.114)  # BT.601: close enough for every colour matrix


def luma_of(rgb: torch.Tensor) -> torch.Tensor:
    """RGB uint8 (H, W, 3) → luma float32 (1, 1, H, W), 0…255."""
    return (rgb.float() @ rgb.new_tensor(_WEIGHTS, dtype=torch.float32))[None, None]


def frame_luma(rgb: torch.Tensor) -> torch.Tensor:
    """As `luma_of`, for RGB on the CPU that is not traced: by OpenCV, in a third of the time."""
    levels = cv2.transform(rgb.numpy().astype(np.float32), np.array([_WEIGHTS]))
    return torch.from_numpy(np.asarray(levels, np.float32))[None, None]


def halved(image: torch.Tensor) -> torch.Tensor:
    """(B, C, H, W) → (B, C, ⌈H/2⌉, ⌈W/2⌉), means of 2×2 pixels."""
    return F.avg_pool2d(image, 2, ceil_mode=True, count_include_pad=False)


def resized(image: torch.Tensor, height: int, width: int) -> torch.Tensor:
    """(B, C, h, w) → (B, C, height, width), bilinear."""
    return F.interpolate(image, size=(height, width), mode="bilinear", align_corners=False)


def reduced(image: torch.Tensor, height: int, width: int) -> torch.Tensor:
    """(1, 1, h, w) float32 → (1, 1, height, width), smaller: means of areas."""
    if image.device.type != "cpu" or height > image.shape[-2] or width > image.shape[-1]:
        return F.interpolate(image, size=(height, width), mode="area")
    plane = image[0, 0].contiguous().numpy()
    means = cv2.resize(plane, (width, height), interpolation=cv2.INTER_AREA)
    return torch.from_numpy(np.asarray(means))[None, None]
