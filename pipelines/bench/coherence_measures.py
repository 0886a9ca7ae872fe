"""How coherent a filtered video is: pure functions of pictures, exact flow and visibility.

Pictures are RGB arrays (H, W, 3) uint8. Flow is (H, W, 2) float32 in pixels: what is at p now was
at p + flow(p) one frame ago. Differences are in levels (0…255).
"""

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from turbolens.filter.coherence.warping import warped

Pixels = NDArray[np.uint8]
Floats = NDArray[np.float32]
Mask = NDArray[np.bool_]

HIGH_PASS_FRAMES = 5  # the mean of so many frames is taken off a frame's, so that scenes may darken
REACHED = 0.9  # of a change, when it counts as done


def static_gain(outputs: Sequence[Pixels], inputs: Sequence[Pixels]) -> float:
    """Deviation over time of the output over that of the input, both RMS over pixels."""
    return _temporal_deviation(outputs) / _temporal_deviation(inputs)


def warp_error(now: Pixels, past: Pixels, flow: Floats, visible: Mask) -> float:
    """Mean |now − past moved to now| where both see the same thing; nan where nowhere.

    Moved by a bicubic kernel, which blurs least: what is left of it counts as error.
    """
    if not visible.any():
        return float("nan")
    apart = np.abs(now.astype(np.float32) - move(past, flow)).mean(axis=-1)
    return float(apart[visible].mean())


def move(picture: Pixels, flow: Floats) -> Floats:
    """The picture sampled at p + flow(p): (H, W, 3) float32."""
    image = torch.from_numpy(picture).permute(2, 0, 1)[None].float()
    field = torch.from_numpy(np.ascontiguousarray(flow)).permute(2, 0, 1)[None]
    moved = warped(image, field, "bicubic").clamp(0, 255)
    return np.asarray(moved[0].permute(1, 2, 0).numpy())


class Ages:
    """How many frames each pixel has been in view: 0 where it has just been uncovered.

    `now` is (H, W) int32; pixels of the first frame are as old as can be.
    """

    OLD = 1 << 20

    def __init__(self, height: int, width: int) -> None:
        self.now = np.full((height, width), self.OLD, np.int32)

    def follow(self, flow: Floats, visible: Mask) -> None:
        """One frame on."""
        rows, columns = np.indices(self.now.shape)
        height, width = self.now.shape
        y = np.clip(np.rint(rows + flow[..., 1]).astype(int), 0, height - 1)
        x = np.clip(np.rint(columns + flow[..., 0]).astype(int), 0, width - 1)
        self.now = np.where(visible, np.minimum(self.now[y, x] + 1, self.OLD), 0).astype(np.int32)


def distance(first: Pixels, second: Pixels, where: Mask) -> tuple[float, int]:
    """Sum of |first − second| over the pixels of `where`, as a share of the range, and how many."""
    apart = np.abs(first.astype(np.float32) - second.astype(np.float32)).mean(axis=-1) / 255
    return float(apart[where].sum()), int(where.sum())


def laplacian_energy(picture: Pixels) -> float:
    """Mean square of the Laplacian of brightness: how much fine detail there is."""
    grey = picture.astype(np.float32).mean(axis=-1)
    middle = grey[1:-1, 1:-1]
    around = grey[:-2, 1:-1] + grey[2:, 1:-1] + grey[1:-1, :-2] + grey[1:-1, 2:]
    return float(np.square(around - 4 * middle).mean())


def luminance_flicker(means: Sequence[float]) -> float:
    """Deviation of the brightness of frames from its own running mean over 5 frames, in levels."""
    values = np.asarray(means, np.float64)
    half = HIGH_PASS_FRAMES // 2
    kernel = np.full(HIGH_PASS_FRAMES, 1 / HIGH_PASS_FRAMES)
    slow = np.convolve(values, kernel, mode="valid")
    return float((values[half : len(values) - half] - slow).std())


def response_frames(outputs: Sequence[Pixels], targets: Sequence[Pixels], before: Pixels) -> int:
    """How many frames it takes until 90 % of a change is made: 1 if the first one has it.

    outputs and targets begin with the first changed frame; `before` is what it would have been
    without the change. One more than there are frames where it is never reached.
    """
    whole = mean_difference(targets[0], before)
    for index, (output, target) in enumerate(zip(outputs, targets, strict=True)):
        if mean_difference(output, target) <= (1 - REACHED) * whole:
            return index + 1
    return len(outputs) + 1


def mean_difference(first: Pixels, second: Pixels) -> float:
    """Mean |first − second|, in levels."""
    return float(np.abs(first.astype(np.float32) - second.astype(np.float32)).mean())


def _temporal_deviation(pictures: Sequence[Pixels]) -> float:
    stack = np.stack(pictures).astype(np.float32)
    return float(np.sqrt(stack.var(axis=0).mean()))
