"""Warps planes by flow, and converts tensors to planes and back."""

from functools import lru_cache
from importlib import import_module
from typing import Any, TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray

from turbolens.filter.coherence.motion import SCALE

cv2: Any = import_module("cv2")  # its stubs know no dtypes

Plane: TypeAlias = NDArray[np.float32]
"""(H, W) or, interleaved, (H, W, C)."""

MIN_SIDE, MAX_SIDE = 32, 16384
"""Sides in pixels that OpenCV can process: DIS needs some structure, and remap takes below 2¹⁵."""

_SHARPENING = 1.45 / 4  # of the blur of a bilinear warp, as in `coherence/warping.py`
_LOWEST_EXPONENT = -80.0  # exp of less is no normal number, which is slow


def is_supported(height: int, width: int) -> bool:
    """True if OpenCV can process images of this size."""
    return min(height, width) >= MIN_SIDE and max(height, width) <= MAX_SIDE


def plane_of(tensor: torch.Tensor) -> Plane:
    """(1, 1, H, W) float32 on the CPU → (H, W), contiguous."""
    plane: Plane = tensor[0, 0].contiguous().numpy()
    return plane


def tensor_of(plane: Plane) -> torch.Tensor:
    """(H, W) → (1, 1, H, W), with the same memory."""
    return torch.from_numpy(plane)[None, None]


def negative_exp(exponent: Plane) -> Plane:
    """exp(exponent) in place, for exponents up to 0."""
    np.maximum(exponent, np.float32(_LOWEST_EXPONENT), out=exponent)
    result: Plane = cv2.exp(exponent, exponent)
    return result


def upscaled(plane: Plane, height: int, width: int) -> Plane:
    """(h, w) → (height, width), bilinear."""
    result: Plane = cv2.resize(plane, (width, height), interpolation=cv2.INTER_LINEAR)
    return result


class Warp:
    """Warps images of one size along a flow.

    flow_x, flow_y: (h, w), in pixels of an image of height × width: what is at p was at p + flow.
    """

    def __init__(self, flow_x: Plane, flow_y: Plane, height: int, width: int) -> None:
        self._blur = upscaled(_blur(flow_x) + _blur(flow_y), height, width)
        columns, rows = _coordinates(height, width)
        self._x, self._y = upscaled(flow_x, height, width), upscaled(flow_y, height, width)
        np.add(self._x, columns, out=self._x)
        np.add(self._y, rows, out=self._y)

    @classmethod
    def of_flow(cls, flow: Plane, height: int, width: int) -> "Warp":
        """The warp by a flow (2, h, w) in pixels of a frame of `SCALE` times its size."""
        x, y = np.ascontiguousarray(flow)
        rows, columns = x.shape
        scale_x, scale_y = width / (columns * SCALE), height / (rows * SCALE)
        return cls(x * np.float32(scale_x), y * np.float32(scale_y), height, width)

    def __call__(self, image: Plane) -> Plane:
        """The image sampled at p + flow(p), bilinear. Edges are replicated.

        Float32 images of one or four channels take a third of the time of two or three channels.
        """
        result: Plane = cv2.remap(
            image, self._x, self._y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
        )
        return result

    def sharpen(self, warped: Plane) -> Plane:
        """Undo the blur of the warp (H, W) in place, as `warped_sharply` does."""
        correction = cv2.Laplacian(warped, cv2.CV_32F, ksize=1, borderType=cv2.BORDER_REPLICATE)
        np.multiply(correction, self._blur, out=correction)
        np.subtract(warped, correction, out=warped)
        return warped


def _blur(flow: Plane) -> Plane:
    """t(1 − t) of the fraction t of the flow, times the sharpening."""
    fraction = flow - np.floor(flow)
    blur: Plane = fraction * (1 - fraction) * np.float32(_SHARPENING)
    return blur


@lru_cache(maxsize=16)
def _coordinates(height: int, width: int) -> tuple[Plane, Plane]:
    """x (1, width) and y (height, 1) of each pixel."""
    rows = np.arange(height, dtype=np.float32)
    return np.arange(width, dtype=np.float32)[None], rows[:, None]
