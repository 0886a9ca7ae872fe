"""Blends a result with the last one, as `TemporalBlend` does."""

import numpy as np
import torch

from .warping import Plane, Warp, cv2, is_supported, negative_exp, plane_of


class OpenCvBlend:
    """Runs as `TemporalBlend`, with the same arguments, on a CPU."""

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
        differences = _warped(past, flow)
        for difference, plane in zip(differences, now, strict=True):
            np.subtract(difference, plane, out=difference)
        share = _similarity(differences, float(tau))
        np.multiply(share, plane_of(past_weight), out=share)
        np.multiply(share, np.float32(weight), out=share)
        result = np.empty((1, 3, height, width), np.float32)
        for target, difference, plane in zip(result[0], differences, now, strict=True):
            np.multiply(difference, share, out=target)
            np.add(target, plane, out=target)
        return torch.from_numpy(result)


def _warped(past: torch.Tensor, flow: torch.Tensor) -> list[Plane]:
    """The three planes of the past, warped and sharpened."""
    height, width = past.shape[-2:]
    warp = Warp.of_flow(flow[0].numpy(), height, width)
    red, green, blue = past[0].contiguous().numpy()
    planes = cv2.split(warp(cv2.merge([red, green, blue, blue])))[:3]  # remap is slow with three
    return [warp.sharpen(plane) for plane in planes]


def _similarity(differences: list[Plane], tau: float) -> Plane:
    """exp(−d²/(3τ²)) of the differences of three channels."""
    squared = differences[0] * differences[0]
    for difference in differences[1:]:
        cv2.accumulateSquare(difference, squared)
    np.multiply(squared, np.float32(max(-1.0 / (3.0 * tau * tau), -1e30)), out=squared)
    return negative_exp(squared)
