"""Motion between frames by DIS optical flow, and how far the past is still valid."""

from typing import TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray

from turbolens.filter.coherence.motion import SCALE

from .warping import (
    Plane,
    Warp,
    WarpCache,
    cv2,
    is_supported,
    negative_exp,
    plane_of,
    remapped,
    sampled_at,
    tensor_of,
    upscaled,
)

Levels: TypeAlias = NDArray[np.uint8]

_CONTRAST = 64.0  # levels of one standard deviation in the images that are searched
_MIN_DEVIATION = 2.5  # levels; flatter frames are not normalised further
_STILL_PX = 0.15  # of the frame; shorter motion is mostly noise
_SOFT = 5  # pixels of the blur of both images before the search: both have noise
_ROUND_TRIP = (0.2, 4.0)  # tolerance of forward and backward: share of the squared length, px²
_COARSE = 4  # the mismatch is measured at this share of the search's size
_PATCH = 8  # pixels of a patch, for the mismatch
_VARIANCE_FLOOR = 0.05  # assumed for flat patches, so that noise is no mismatch
_EDGE_SHARE = 0.2  # of the range of luma around a pixel that it may differ: a shift of 0.1 px


class OpenCvMotion:
    """Estimates motion as `MotionEstimator` does, by DIS (Kroeger et al. 2016). Thread-safe.

    The search is from the last frame. A variational method then refines the forward flow towards
    the averaged luma of the past, which has less noise, so that an error of one frame is corrected
    by the next. The search rounds its images to 8 bits, the refinement does not: a difference
    between two averages fades, instead of being rounded up for ever. Backward flow is not refined,
    because it only tells occlusions. warps: takes the warp of each flow, for `OpenCvBlend`.
    """

    def __init__(self, warps: WarpCache | None = None) -> None:
        self._warps = WarpCache() if warps is None else warps
        self._free: list[_Searches] = []  # those that no thread uses

    def __call__(
        self,
        luma: torch.Tensor,
        past: torch.Tensor,
        reference: torch.Tensor,
        tau: torch.Tensor,
    ) -> tuple[torch.Tensor, ...] | None:
        """Flow, agreement, mismatch, past_weight and warped_luma, as `MotionEstimator`.

        `None` for sizes that OpenCV cannot process. luma, past, reference: (1, 1, H, W) float32 on
        the CPU, 0…255. tau: the residual tolerance.
        """
        height, width = luma.shape[-2:]
        if not is_supported(height, width):
            return None
        now, then = plane_of(luma), plane_of(reference)
        small, gain = _searchable(now)
        searched = _levels(small)
        flow, agreement, mismatch = self._motion(
            searched, _levels(_searchable(plane_of(past))[0]), small, _searchable(then)[0]
        )
        warp, moves = Warp(flow, height, width), torch.from_numpy(flow)[None]
        self._warps.put(moves, warp)
        warped = warp.sharpen(warp(then))
        weight = _similarity(now - warped, _tolerance(searched, gain, float(tau)))
        np.multiply(weight, upscaled(agreement, height, width), out=weight)
        share = torch.full((1, 1, 1, 1), mismatch)
        return moves, tensor_of(agreement), share, tensor_of(weight), tensor_of(warped)

    def _motion(
        self, now: Levels, last: Levels, small: Plane, average: Plane
    ) -> tuple[Plane, Plane, float]:
        """Flow (2, h, w) in pixels of the frame, agreement (h, w), and the mismatch.

        now, last: the images to search. small, average: the new one and the past in floats.
        """
        searches = self._free.pop() if self._free else _Searches()
        forward = searches.forward(now, last, small, average)
        backward, luma = searches.backward(now, last), last.astype(np.float32)
        self._free.append(searches)
        sampled = sampled_at(*(each.copy() for each in forward))
        moved = cv2.split(remapped(cv2.merge([backward, luma, luma]), *sampled))
        agreement = _agreement(forward, moved[:2])
        return _without_noise(forward), agreement, _mismatch(now.astype(np.float32), moved[2])


class _Searches:
    """Searches for forward and for backward motion. They are used by one thread at a time."""

    def __init__(self) -> None:
        forward = cv2.DISOpticalFlow_create(cv2.DISOPTICAL_FLOW_PRESET_FAST)
        forward.setFinestScale(1)  # half of the size of the images
        forward.setPatchStride(5)
        forward.setGradientDescentIterations(8)
        forward.setVariationalRefinementIterations(2)
        refinement = cv2.VariationalRefinement_create()
        refinement.setFixedPointIterations(3)
        refinement.setDelta(10.0)
        self._forward, self._refinement = forward, refinement
        self._backward = cv2.DISOpticalFlow_create(cv2.DISOPTICAL_FLOW_PRESET_ULTRAFAST)

    def forward(
        self, now: Levels, last: Levels, small: Plane, average: Plane
    ) -> tuple[Plane, Plane]:
        """x and y of the flow from the last frame, refined towards the averaged past."""
        height, width = now.shape
        half = width // 2, height // 2
        soft = [cv2.GaussianBlur(each, (_SOFT, _SOFT), 0) for each in (now, last)]
        flow = self._forward.calc(*soft, None)
        along = cv2.split(cv2.resize(flow, half, interpolation=cv2.INTER_AREA) * np.float32(0.5))
        x, y = self._refinement.calcUV(_resized(small, half), _resized(average, half), *along)
        return 2.0 * upscaled(x, height, width), 2.0 * upscaled(y, height, width)

    def backward(self, now: Levels, last: Levels) -> NDArray[np.float32]:
        """(h, w, 2), back from the new frame to the last one."""
        flow: NDArray[np.float32] = self._backward.calc(last, now, None)
        return flow


def _resized(plane: Plane, size: tuple[int, int]) -> Plane:
    """Smaller. size: width and height."""
    result: Plane = cv2.resize(plane, size, interpolation=cv2.INTER_AREA)
    return result


def _searchable(luma: Plane) -> tuple[Plane, float]:
    """Half the size in levels of equal contrast, so that changes of light are no motion.

    Also returns the factor from levels of luma to these levels.
    """
    height, width = luma.shape
    half = _resized(luma, (width // 2, height // 2))
    mean, deviation = cv2.meanStdDev(half)
    gain = _CONTRAST / (float(deviation[0, 0]) + _MIN_DEVIATION)
    half *= np.float32(gain)
    half += np.float32(128.0 - gain * float(mean[0, 0]))
    return half, gain


def _levels(plane: Plane) -> Levels:
    """Rounded to 0…255, as the search needs it."""
    levels: Levels = cv2.convertScaleAbs(np.maximum(plane, 0.0))
    return levels


def _without_noise(flow: tuple[Plane, ...]) -> Plane:
    """Flow f·|f|²/(|f|² + σ²) in pixels of the frame, so that sensor noise moves nothing."""
    squared = flow[0] * flow[0] + flow[1] * flow[1]
    squared /= squared + np.float32((_STILL_PX / SCALE) ** 2)
    squared *= np.float32(SCALE)
    steady = np.empty((2, *squared.shape), np.float32)
    for target, plane in zip(steady, flow, strict=True):
        np.multiply(plane, squared, out=target)
    return steady


def _agreement(forward: tuple[Plane, ...], back: tuple[Plane, ...]) -> Plane:
    """As in `coherence/motion.py`. back: the backward flow, warped."""
    difference, lengths = np.zeros_like(back[0]), np.zeros_like(back[0])
    for there, again in zip(forward, back, strict=True):
        cv2.accumulateSquare(there + again, difference)
        cv2.accumulateSquare(there, lengths)
        cv2.accumulateSquare(again, lengths)
    share, floor = _ROUND_TRIP
    difference /= -(np.float32(share) * lengths + np.float32(floor))
    return negative_exp(difference)


def _mismatch(now: Plane, moved: Plane) -> float:
    """The share of the structure that is not found in the past frame, on a coarse grid."""
    height, width = now.shape
    size = max(_PATCH, width // _COARSE), max(_PATCH, height // _COARSE)
    small = cv2.resize(now, size, interpolation=cv2.INTER_AREA)
    cost = _patch_variance(small - cv2.resize(moved, size, interpolation=cv2.INTER_AREA))
    known = _patch_variance(small) + np.float32(_VARIANCE_FLOOR)
    return float(np.minimum(cost, known).sum() / known.sum())


def _patch_variance(plane: Plane) -> Plane:
    """The variance in patches, as a share of the contrast of the frame."""
    height, width = plane.shape
    size = width // _PATCH, height // _PATCH
    mean = cv2.resize(plane, size, interpolation=cv2.INTER_AREA)
    square = cv2.resize(plane * plane, size, interpolation=cv2.INTER_AREA)
    variance: Plane = np.maximum(square - mean * mean, 0.0) / np.float32(_CONTRAST**2)
    return variance


def _tolerance(levels: Levels, gain: float, tau: float) -> Plane:
    """−1/(τ² + (share · range)²) on the grid of the search, from the range of 3×3 pixels.

    Errors of the flow change edges the most, and edges are where flicker is seen.
    """
    block = np.ones((3, 3), np.uint8)
    spread = cv2.subtract(cv2.dilate(levels, block), cv2.erode(levels, block))
    edge = np.arange(256, dtype=np.float64) * (_EDGE_SHARE / gain)
    table = (-1.0 / (tau * tau + edge * edge)).clip(min=-1e30).astype(np.float32)
    tolerance: Plane = cv2.LUT(spread, table)
    return tolerance


def _similarity(difference: Plane, tolerance: Plane) -> Plane:
    """exp(d² · tolerance), in the memory of the difference."""
    np.multiply(difference, difference, out=difference)
    np.multiply(difference, upscaled(tolerance, *difference.shape), out=difference)
    return negative_exp(difference)
