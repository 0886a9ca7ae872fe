"""Measure what `detail` adds to the result: edges, noise and time."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import median
from time import perf_counter

import av
import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from turbolens.filter import FilterSettings, FrameFilter, TurboModel
from turbolens.filter.coherence.steady_luma import SteadyLuma
from turbolens.filter.frames.conversion import FrameConverter, working_geometry
from turbolens.filter.frames.detail import DetailReader, LumaReader

Array = NDArray[np.uint8]

NOISE = 3.0  # levels of the camera's noise, standard deviation
SETTLING, MEASURED = 4, 6  # frames of the still, noisy camera


@dataclass(frozen=True)
class DetailResult:
    """The result with one amount of detail.

    edges: correlation of the result's edges with the frame's, 0…1. noise: standard deviation of the
    result over time, for a still and noisy camera, relative to the camera's own. conversion_ms:
    median time from the result at the working size to the frame, in milliseconds, with the
    reduction of the noise.
    """

    amount: float
    edges: float
    noise: float
    conversion_ms: float


def measure_detail(
    model: TurboModel, settings: FilterSettings, image: Array, amounts: Sequence[float]
) -> list[DetailResult]:
    """One result for each amount. image: RGB (H, W, 3), larger than the working image."""
    return [_measured(model, settings.replace(detail=each), image) for each in amounts]


def _measured(model: TurboModel, settings: FilterSettings, image: Array) -> DetailResult:
    frame_filter = FrameFilter(model, settings.replace(reuse_unchanged=False))
    generator = np.random.default_rng(0)
    frames = [_noisy(image, generator, pts) for pts in range(SETTLING + MEASURED)]
    inputs = [_luma(frame) for frame in frames]
    outputs = [_luma(frame_filter(frame)) for frame in frames]
    noise = np.std(outputs[SETTLING:], 0).mean() / np.std(inputs[SETTLING:], 0).mean()
    edges = np.corrcoef(_edges(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)), _edges(outputs[-1]))[0, 1]
    return DetailResult(
        settings.detail, float(edges), float(noise), _conversion_ms(model, settings, image)
    )


def _noisy(image: Array, generator: np.random.Generator, pts: int) -> av.VideoFrame:
    noise = generator.normal(0, NOISE, (*image.shape[:2], 1))
    pixels = np.rint(image + noise).clip(0, 255).astype(np.uint8)
    frame = av.VideoFrame.from_ndarray(pixels, "rgb24").reformat(format="yuv420p")
    frame.pts = pts
    return frame


def _luma(frame: av.VideoFrame) -> Array:
    return np.asarray(frame.reformat(format="gray").to_ndarray(), np.uint8)


def _edges(luma: NDArray[np.generic]) -> NDArray[np.floating]:
    levels = luma.astype(np.float32)
    across, down = cv2.Sobel(levels, cv2.CV_32F, 1, 0), cv2.Sobel(levels, cv2.CV_32F, 0, 1)
    return np.hypot(np.asarray(across), np.asarray(down)).ravel()


def _conversion_ms(model: TurboModel, settings: FilterSettings, image: Array) -> float:
    """Median time of `to_frame` with this detail, in milliseconds."""
    height, width = image.shape[:2]
    geometry = working_geometry(
        width, height, settings, native_size=model.native_size, multiple=model.multiple
    )
    converter, read_luma, steady = FrameConverter(), LumaReader(), SteadyLuma()
    read_detail = DetailReader()
    frame = av.VideoFrame.from_ndarray(image, "rgb24").reformat(format="yuv420p")
    result: torch.Tensor = converter.to_rgb(frame, geometry)

    def convert() -> object:
        if settings.detail == 0.0:
            return converter.to_frame(result, frame, geometry)
        found = read_detail(steady(read_luma(frame)), geometry.scaled_width, geometry.scaled_height)
        return converter.to_frame(
            result, frame, geometry, detail=settings.detail, frame_detail=found
        )

    return _median_ms(convert)


def _median_ms(call: Callable[[], object]) -> float:
    call()
    times = []
    for _ in range(25):
        start = perf_counter()
        call()
        times.append(1e3 * (perf_counter() - start))
    return median(times)
