"""Blends a result with the last one, as `TemporalBlend` does."""

import numpy as np
import torch

from .warping import Plane, Warp, WarpCache, cv2, is_supported, negative_exp, plane_of


class OpenCvBlend:
    """Runs as `TemporalBlend`, with the same arguments, on a CPU.

    warps: what `OpenCvMotion` has computed for the flow of the same frame.
    """

    def __init__(self, warps: WarpCache | None = None) -> None:
        self._warps = WarpCache() if warps is None else warps

    def __call__(
        self,
        image: torch.Tensor,
        past: torch.Tensor,
        flow: torch.Tensor,
        past_weight: torch.Tensor,
        weight: torch.Tensor,
        tau: torch.Tensor,
    ) -> torch.Tensor | None:
        """`None` for sizes that OpenCV cannot process."""
        height, width = image.shape[-2:]
        if not is_supported(height, width):
            return None
        now = image[0].contiguous().numpy()
        warp = self._warps.take(flow, height, width)
        differences = _warped(past, warp)
        for difference, plane in zip(differences, now, strict=True):
            np.subtract(difference, plane, out=difference)
        share = _similarity(differences, float(tau))
        cv2.multiply(share, plane_of(past_weight), share, scale=float(weight))
        result = np.empty((1, 3, height, width), np.float32)
        for target, difference, plane in zip(result[0], differences, now, strict=True):
            np.multiply(difference, share, out=target)
            np.add(target, plane, out=target)
        return torch.from_numpy(result)


def _warped(past: torch.Tensor, warp: Warp) -> list[Plane]:
    """The three planes of the past, warped and sharpened."""
    red, green, blue = past[0].contiguous().numpy()
    moved = warp(cv2.merge([red, green, blue, blue]))  # remap is slow with three channels
    planes = [np.empty(red.shape, np.float32) for _ in range(3)]
    cv2.mixChannels([moved], planes, [0, 0, 1, 1, 2, 2])
    return [warp.sharpen(plane) for plane in planes]


def _similarity(differences: list[Plane], tau: float) -> Plane:
    """exp(−d²/(3τ²)) of the differences of three channels."""
    squared = differences[0] * differences[0]
    for difference in differences[1:]:
        cv2.accumulateSquare(difference, squared)
    np.multiply(squared, np.float32(max(-1.0 / (3.0 * tau * tau), -1e30)), out=squared)
    return negative_exp(squared)
