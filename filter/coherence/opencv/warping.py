"""Warps planes by flow, and converts tensors to planes and back."""

from collections import deque
from functools import lru_cache
from importlib import import_module
from threading import Lock
from typing import Any, TypeAlias
from weakref import ref

import numpy as np
import torch
from numpy.typing import NDArray

from turbolens.filter.beside import Beside
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
    cv2.max(exponent, _LOWEST_EXPONENT, exponent)
    result: Plane = cv2.exp(exponent, exponent)
    return result


def upscaled(plane: Plane, height: int, width: int) -> Plane:
    """(h, w) → (height, width), bilinear."""
    result: Plane = cv2.resize(plane, (width, height), interpolation=cv2.INTER_LINEAR)
    return result


class Warp:
    """Warps images of one size along a flow.

    flow: (2, h, w), in pixels of a frame of `SCALE` times its size: what is at p was at p + flow.
    height, width: of the images.
    """

    def __init__(self, flow: Plane, height: int, width: int) -> None:
        x, y = np.ascontiguousarray(flow)
        rows, columns = x.shape
        x = _scaled(x, width / (columns * SCALE))
        y = _scaled(y, height / (rows * SCALE))
        self.size = height, width
        self._begun: tuple[torch.Tensor, Beside[list[Plane]]] | None = None
        self._correction = upscaled(_correction(x) + _correction(y), height, width)
        self._x, self._y = sampled_at(upscaled(x, height, width), upscaled(y, height, width))

    def __call__(self, image: Plane) -> Plane:
        """The image sampled at p + flow(p), bilinear. Edges are replicated.

        Float32 images of one or four channels take a third of the time of two or three channels.
        """
        return remapped(image, self._x, self._y)

    def begin(self, image: torch.Tensor) -> None:
        """Begin to compute `planes_of` this image on another thread."""
        self._begun = image, Beside(self._planes, image)

    def planes_of(self, image: torch.Tensor) -> list[Plane]:
        """The three planes of an image (1, 3, H, W), warped and sharpened; to be overwritten."""
        begun, self._begun = self._begun, None
        if begun is not None and begun[0] is image:
            return begun[1].result()
        return self._planes(image)

    def _planes(self, image: torch.Tensor) -> list[Plane]:
        red, green, blue = image[0].contiguous().numpy()
        moved = self(cv2.merge([red, green, blue, blue]))  # remap is slow with three channels
        planes = [np.empty(red.shape, np.float32) for _ in range(3)]
        cv2.mixChannels([moved], planes, [0, 0, 1, 1, 2, 2])
        return [self.sharpen(plane) for plane in planes]

    def sharpen(self, warped: Plane) -> Plane:
        """Undo the blur of the warp (H, W) in place, as `warped_sharply` does."""
        curvature = cv2.Laplacian(warped, cv2.CV_32F, ksize=1, borderType=cv2.BORDER_REPLICATE)
        cv2.accumulateProduct(curvature, self._correction, warped)
        return warped


class WarpCache:
    """The warps of the newest frames, by their flow: motion estimation and blending share them.

    At most `max_kept`; one that was taken is not kept any longer. Thread-safe.
    """

    def __init__(self, max_kept: int = 32) -> None:
        self._kept: deque[tuple[ref[torch.Tensor], Warp]] = deque(maxlen=max_kept)
        self._lock = Lock()

    def put(self, flow: torch.Tensor, warp: Warp) -> None:
        """Keep the warp of a flow (1, 2, h, w) as long as that flow is in use."""
        with self._lock:
            living = [each for each in self._kept if each[0]() is not None]
            self._kept.clear()
            self._kept.extend([*living, (ref(flow), warp)])

    def find(self, flow: torch.Tensor) -> Warp | None:
        """The warp by this flow, if it is kept."""
        with self._lock:
            return next((warp for kept, warp in self._kept if kept() is flow), None)

    def take(self, flow: torch.Tensor, height: int, width: int) -> Warp:
        """The warp by this flow for images of this size: a kept one, or a new one."""
        with self._lock:
            for index, (kept_flow, warp) in enumerate(self._kept):
                if kept_flow() is flow and warp.size == (height, width):
                    del self._kept[index]
                    return warp
        return Warp(flow[0].numpy(), height, width)


def remapped(image: Plane, x: Plane, y: Plane) -> Plane:
    """The image sampled at these coordinates in pixels, bilinear. Edges are replicated."""
    result: Plane = cv2.remap(image, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    return result


def sampled_at(flow_x: Plane, flow_y: Plane) -> tuple[Plane, Plane]:
    """p + flow(p), in the memory of the flow, which is in pixels of its own grid."""
    columns, rows = _coordinates(*flow_x.shape)
    np.add(flow_x, columns, out=flow_x)
    np.add(flow_y, rows, out=flow_y)
    return flow_x, flow_y


def _scaled(flow: Plane, scale: float) -> Plane:
    return flow if scale == 1.0 else flow * np.float32(scale)


def _correction(flow: Plane) -> Plane:
    """−t(1 − t) of the fraction t of the flow, times the sharpening."""
    fraction = np.floor(flow)
    np.subtract(flow, fraction, out=fraction)
    correction: Plane = fraction * fraction
    np.subtract(correction, fraction, out=correction)
    np.multiply(correction, np.float32(_SHARPENING), out=correction)
    return correction


@lru_cache(maxsize=16)
def _coordinates(height: int, width: int) -> tuple[Plane, Plane]:
    """x (1, width) and y (height, 1) of each pixel."""
    rows = np.arange(height, dtype=np.float32)
    return np.arange(width, dtype=np.float32)[None], rows[:, None]
