"""Measures of temporal coherence: pure functions of frames, exact flow and visibility.

Frames are RGB arrays, (H, W, 3) uint8. Flow is (H, W, 2) float32 in pixels: the point at p was at
p + flow(p) one frame before. A visibility mask is (H, W) bool, True where the point was in view one
frame before. Differences are in levels, 0…255.
"""

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from turbolens.filter.coherence.warping import warped

Rgb = NDArray[np.uint8]
Floats = NDArray[np.float32]
Mask = NDArray[np.bool_]

HIGH_PASS_FRAMES = 5  # their mean is subtracted, so that slow changes of light do not count
REACHED = 0.9  # share of a change after which it counts as made


def static_gain(outputs: Sequence[Rgb], inputs: Sequence[Rgb]) -> float:
    """Standard deviation over time of the output, relative to the input, both RMS over pixels."""
    return _temporal_deviation(outputs) / _temporal_deviation(inputs)


def warp_error(now: Rgb, past: Rgb, flow: Floats, visible: Mask) -> float:
    """Mean |now − warped past| over visible pixels, in levels; nan if no pixel is visible.

    The past frame is warped with a bicubic kernel, which blurs least. Its blur counts as error.
    """
    if not visible.any():
        return float("nan")
    difference = np.abs(now.astype(np.float32) - warp(past, flow)).mean(axis=-1)
    return float(difference[visible].mean())


def warp(frame: Rgb, flow: Floats) -> Floats:
    """The frame sampled at p + flow(p): (H, W, 3) float32."""
    image = torch.from_numpy(frame).permute(2, 0, 1)[None].float()
    field = torch.from_numpy(np.ascontiguousarray(flow)).permute(2, 0, 1)[None]
    moved = warped(image, field, "bicubic").clamp(0, 255)
    return np.asarray(moved[0].permute(1, 2, 0).numpy())


class Ages:
    """The number of frames for which each pixel has been in view, 0 where it was just uncovered.

    `now` is (H, W) int32. Pixels of the first frame count as old.
    """

    OLD = 1 << 20

    def __init__(self, height: int, width: int) -> None:
        self.now = np.full((height, width), self.OLD, np.int32)

    def follow(self, flow: Floats, visible: Mask) -> None:
        """Advance by one frame."""
        rows, columns = np.indices(self.now.shape)
        height, width = self.now.shape
        y = np.clip(np.rint(rows + flow[..., 1]).astype(int), 0, height - 1)
        x = np.clip(np.rint(columns + flow[..., 0]).astype(int), 0, width - 1)
        self.now = np.where(visible, np.minimum(self.now[y, x] + 1, self.OLD), 0).astype(np.int32)


def sum_difference(first: Rgb, second: Rgb, where: Mask) -> tuple[float, int]:
    """Sum of |first − second| / 255 over the pixels of `where`, and the number of these pixels."""
    difference = np.abs(first.astype(np.float32) - second.astype(np.float32)).mean(axis=-1) / 255
    return float(difference[where].sum()), int(where.sum())


def laplacian_energy(frame: Rgb) -> float:
    """Mean square of the Laplacian of brightness, a measure of fine detail."""
    grey = frame.astype(np.float32).mean(axis=-1)
    middle = grey[1:-1, 1:-1]
    around = grey[:-2, 1:-1] + grey[2:, 1:-1] + grey[1:-1, :-2] + grey[1:-1, 2:]
    return float(np.square(around - 4 * middle).mean())


def luminance_flicker(means: Sequence[float]) -> float:
    """Standard deviation of mean brightness about its running mean over 5 frames, in levels."""
    values = np.asarray(means, np.float64)
    half = HIGH_PASS_FRAMES // 2
    kernel = np.full(HIGH_PASS_FRAMES, 1 / HIGH_PASS_FRAMES)
    slow = np.convolve(values, kernel, mode="valid")
    return float((values[half : len(values) - half] - slow).std())


def response_frames(outputs: Sequence[Rgb], targets: Sequence[Rgb], before: Rgb) -> int:
    """Number of frames until 90 % of a change is made, 1 if the first frame has it.

    outputs and targets begin with the first changed frame. before: that frame without the change.
    If the change is never reached, the result is one more than the number of frames.
    """
    whole = mean_difference(targets[0], before)
    for index, (output, target) in enumerate(zip(outputs, targets, strict=True)):
        if mean_difference(output, target) <= (1 - REACHED) * whole:
            return index + 1
    return len(outputs) + 1


def mean_difference(first: Rgb, second: Rgb) -> float:
    """Mean |first − second|, in levels."""
    return float(np.abs(first.astype(np.float32) - second.astype(np.float32)).mean())


def _temporal_deviation(frames: Sequence[Rgb]) -> float:
    stack = np.stack(frames).astype(np.float32)
    return float(np.sqrt(stack.var(axis=0).mean()))
