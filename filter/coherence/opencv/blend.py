"""Blends a result with the last one, as `TemporalBlend` does."""

import numpy as np
import torch

from .warping import Plane, WarpCache, cv2, is_supported, negative_exp, plane_of


class OpenCvBlend:
    """Runs as `TemporalBlend`, with the same arguments, on a CPU.

    warps: what `OpenCvMotion` has computed for the flow of the same frame.
    """

    def __init__(self, warps: WarpCache | None = None) -> None:
        self._warps = WarpCache() if warps is None else warps

    def begin(self, past: torch.Tensor, flow: torch.Tensor) -> None:
        """Begin to warp the last result along the flow of a frame, on another thread."""
        warp = self._warps.find(flow)
        if warp is not None and warp.size == tuple(past.shape[-2:]):
            warp.begin(past)

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
        differences = warp.planes_of(past)
        for difference, plane in zip(differences, now, strict=True):
            np.subtract(difference, plane, out=difference)
        share = _similarity(differences, float(tau))
        cv2.multiply(share, plane_of(past_weight), share, scale=float(weight))
        result = np.empty((1, 3, height, width), np.float32)
        for target, difference, plane in zip(result[0], differences, now, strict=True):
            np.multiply(difference, share, out=target)
            np.add(target, plane, out=target)
        return torch.from_numpy(result)


def _similarity(differences: list[Plane], tau: float) -> Plane:
    """exp(−d²/(3τ²)) of the differences of three channels."""
    squared = differences[0] * differences[0]
    for difference in differences[1:]:
        cv2.accumulateSquare(difference, squared)
    np.multiply(squared, np.float32(max(-1.0 / (3.0 * tau * tau), -1e30)), out=squared)
    return negative_exp(squared)
