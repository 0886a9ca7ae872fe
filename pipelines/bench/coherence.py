"""Measure the coherence of several methods on the test scene and a still image."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice, starmap
from statistics import fmean, median
from time import perf_counter

import numpy as np
import torch

from turbolens.filter import FilterSettings, FrameFilter, TurboModel
from turbolens.filter.coherence.change import InputView
from turbolens.filter.coherence.temporal_blend import Coherence
from turbolens.filter.frames.conversion import image_from_rgb
from turbolens.filter.frames.luma import luma_of
from turbolens.pipelines.base import Notify
from turbolens.pipelines.scene.frames import TestScene

from .coherence_measures import (
    Ages,
    laplacian_energy,
    luminance_flicker,
    mean_difference,
    response_frames,
    static_gain,
    sum_difference,
    warp_error,
)
from .coherence_methods import METHODS, Method, MethodName, Rgb, make_method
from .coherence_report import CoherenceReport, MethodResult, ReprojectionResult
from .machine import wait_for

SETTLE = 10  # frames until a blended stream is in its steady state
STATIC_NOISE = (2.0, 4.0)  # standard deviations, levels
GHOST_AGE = 2  # frames after something was uncovered
SCENE_NOISE = 2.0  # standard deviation, levels
RESPONSE_FRAMES = 6  # watched after a change of prompt
FILTERED_EVERY = 3  # frames, in the test of reprojection
CHANGED_PROMPT = "pencil sketch"


@dataclass(frozen=True)
class Extent:
    """How much to measure.

    width, height: of the frames. frames: of the moving scene. still_frames: of the still image.
    cut_frames: in which cuts are counted. cuts: compared with a fresh stream. timed_frames,
    timed_side: number and side of the square frames that the cost is measured on.
    """

    width: int = 512
    height: int = 288
    frames: int = 45
    still_frames: int = 60
    cut_frames: int = 1000
    cuts: int = 5
    timed_frames: int = 30
    timed_side: int = 512


def measure(
    model: TurboModel, settings: FilterSettings, extent: Extent, *,
    methods: Sequence[MethodName] = METHODS, photograph: Rgb | None = None,
    notify: Notify = lambda _: None,
) -> CoherenceReport:  # fmt: skip
    """Measure the methods one after the other on the same frames.

    notify: called with the name of each part when it begins.
    """
    still = photograph if photograph is not None else _scene(extent, noise=0.0)[0].picture
    results = [MethodResult(name) for name in methods]
    scene = _SceneRun(extent)
    reference = _filtered(make_method("fixed", model, settings), scene.inputs)
    for result in results:
        notify(result.name)
        make = _maker(result.name, model, settings)
        _measure_still(result, make, still, extent)
        scene.measure(result, make(), reference)
        result.response = _response(make, still)
        result.cuts_identical = _identical_cuts(make, extent)
    notify("reprojection")
    reprojection = scene.reprojected(model, settings)
    notify("cuts")
    true_cuts, found, false_cuts = count_cuts(model, settings, extent)
    notify("cost")
    cost_ms, frame_ms = coherence_cost(model, settings, extent)
    return CoherenceReport(
        rows=tuple(results), input_warp_error=scene.input_warp_error, cuts=len(_cut_pairs(extent)),
        cut_frames=extent.cut_frames, true_cuts=true_cuts, found=found, false_cuts=false_cuts,
        cost_ms=cost_ms, frame_ms=frame_ms, reprojection=reprojection, inputs=scene.inputs,
    )  # fmt: skip


def _maker(name: MethodName, model: TurboModel, settings: FilterSettings) -> Callable[[], Method]:
    return lambda: make_method(name, model, settings)


def _scene(extent: Extent, *, noise: float, cuts: bool = False, seed: int = 3) -> TestScene:
    return TestScene(extent.width, extent.height, noise=noise, cuts=cuts, seed=seed)


def _filtered(method: Method, inputs: Sequence[Rgb]) -> list[Rgb]:
    return [method(frame) for frame in inputs]


def _measure_still(
    result: MethodResult, make: Callable[[], Method], still: Rgb, extent: Extent
) -> None:
    """Measure noise gain and flicker on a still image with sensor noise."""
    for noise in STATIC_NOISE:
        generator = np.random.default_rng(1)
        inputs = [_with_noise(still, noise, generator) for _ in range(extent.still_frames)]
        method = make()
        method.update(reuse_unchanged=False)  # or ours would repeat its first result
        outputs = _filtered(method, inputs)
        result.static_gain[noise] = static_gain(outputs[SETTLE:], inputs[SETTLE:])
        result.flicker = luminance_flicker([float(frame.mean()) for frame in outputs[SETTLE:]])


def _with_noise(frame: Rgb, deviation: float, generator: np.random.Generator) -> Rgb:
    noise = generator.standard_normal(frame.shape, np.float32) * np.float32(deviation)
    return np.clip(frame + noise + 0.5, 0, 255).astype(np.uint8)


class _SceneRun:
    """The moving scene with its exact motion, rendered once for all methods."""

    def __init__(self, extent: Extent) -> None:
        frames = list(islice(_scene(extent, noise=SCENE_NOISE), extent.frames))
        self.inputs = [frame.picture for frame in frames]
        self.flows = [frame.flow for frame in frames]
        self.visible = [frame.visible for frame in frames]
        self.input_warp_error = self._warp_error(self.inputs)

    def measure(self, result: MethodResult, method: Method, reference: Sequence[Rgb]) -> None:
        """Measure warp error, ghosting and detail. reference: the frames filtered one by one."""
        outputs = _filtered(method, self.inputs)
        result.strip = outputs
        result.warp_error = self._warp_error(outputs)
        result.ghosting = self._ghosting(outputs, reference)
        result.detail = fmean(
            laplacian_energy(ours) / laplacian_energy(other)
            for ours, other in zip(outputs[SETTLE:], reference[SETTLE:], strict=True)
        )

    def reprojected(self, model: TurboModel, settings: FilterSettings) -> ReprojectionResult:
        """Filter every third frame, and compare reprojecting the others with repeating results."""
        every, third = FrameFilter(model, settings), FrameFilter(model, settings)
        truths, reprojected, repeated = [], [], []
        for index, frame in enumerate(self.inputs):
            truths.append(every(frame))
            is_filtered = index % FILTERED_EVERY == 0
            shown = third(frame) if is_filtered else third.reproject(frame)
            reprojected.append(frame if shown is None else shown)
            repeated.append(reprojected[index - index % FILTERED_EVERY])
        return ReprojectionResult(
            error=fmean(starmap(mean_difference, _between(reprojected, truths))),
            repeated_error=fmean(starmap(mean_difference, _between(repeated, truths))),
            warp_error=self._warp_error(reprojected),
            repeated_warp_error=self._warp_error(repeated),
            detail=fmean(
                laplacian_energy(ours) / laplacian_energy(truth)
                for ours, truth in _between(reprojected, truths)
            ),
        )

    def _warp_error(self, frames: Sequence[Rgb]) -> float:
        return fmean(
            warp_error(frames[index], frames[index - 1], self.flows[index], self.visible[index])
            for index in range(SETTLE, len(frames))
        )

    def _ghosting(self, outputs: Sequence[Rgb], reference: Sequence[Rgb]) -> float:
        """Mean difference from the reference in pixels uncovered 2 frames ago, 0…1."""
        height, width = outputs[0].shape[:2]
        ages, total, count = Ages(height, width), 0.0, 0
        for index in range(1, len(outputs)):
            ages.follow(self.flows[index], self.visible[index])
            difference, pixels = sum_difference(
                outputs[index], reference[index], ages.now == GHOST_AGE
            )
            total, count = total + difference, count + pixels
        return total / count if count else float("nan")


def _between(shown: Sequence[Rgb], truths: Sequence[Rgb]) -> Iterator[tuple[Rgb, Rgb]]:
    """Result and truth of each frame that was not filtered, once the stream has settled."""
    for index in range(SETTLE, len(truths)):
        if index % FILTERED_EVERY:
            yield shown[index], truths[index]


def _response(make: Callable[[], Method], still: Rgb) -> int:
    """Frames until a new prompt shows, on a still image."""
    method, fresh = make(), make()
    before = [method(still) for _ in range(SETTLE)][-1]
    method.update(prompt=CHANGED_PROMPT)
    fresh.update(prompt=CHANGED_PROMPT)
    target = fresh(still)
    outputs = [method(still) for _ in range(RESPONSE_FRAMES)]
    return response_frames(outputs, [target] * RESPONSE_FRAMES, before)


def _cut_pairs(extent: Extent) -> list[tuple[list[Rgb], Rgb]]:
    """The two frames before each of the first cuts, and the first frame after it."""
    scene = _scene(extent, noise=SCENE_NOISE, cuts=True)
    cuts = [scene.shot_frames * number for number in range(1, extent.cuts + 1)]
    return [([scene[cut - 2].picture, scene[cut - 1].picture], scene[cut].picture) for cut in cuts]


def _identical_cuts(make: Callable[[], Method], extent: Extent) -> int:
    """The number of cuts after which the result equals that of a fresh stream, bit for bit."""
    identical = 0
    for before, after in _cut_pairs(extent):
        method = make()
        for frame in before:
            method(frame)
        identical += bool(np.array_equal(method(after), make()(after)))
    return identical


@torch.inference_mode()
def count_cuts(model: TurboModel, settings: FilterSettings, extent: Extent) -> tuple[int, int, int]:
    """Count true cuts, those detected, and false detections, in a scene with flashes and pans."""
    scene = TestScene(extent.width, extent.height, cuts=True, lighting=True, noise=SCENE_NOISE,
                      shake=2.0, seed=11)  # fmt: skip
    coherence, true, found, false = Coherence(), 0, 0, 0
    for frame in islice(scene, extent.cut_frames):
        rgb = torch.from_numpy(frame.picture)
        latents = model.encode(image_from_rgb([rgb], model.device, model.vae_dtype))
        view = InputView(luma_of(rgb), model.device)
        _, change = coherence.before(view, latents, settings)
        detected = change is not None and change.is_cut
        true, found = true + frame.cut, found + (detected and frame.cut)
        false += detected and not frame.cut
    return true, found, false


def coherence_cost(
    model: TurboModel, settings: FilterSettings, extent: Extent
) -> tuple[float, float]:
    """Median time of the coherence work and of a whole frame, in milliseconds.

    The coherence work is the difference between a frame with it and one without. Both take turns.
    """
    scene = TestScene(extent.timed_side, extent.timed_side, noise=SCENE_NOISE)
    frames = [scene[index].picture for index in range(8)]
    plain = settings.replace(
        steadiness=0.0, blend_before=None, blend_after=None, reuse_unchanged=False
    )
    with_coherence, without = FrameFilter(model, settings), FrameFilter(model, plain)
    times: list[tuple[float, float]] = []
    for index in range(extent.timed_frames + SETTLE):
        frame = frames[index % len(frames)]
        times.append((_seconds(with_coherence, frame), _seconds(without, frame)))
    timed = times[SETTLE:]
    cost = median(whole - plain_time for whole, plain_time in timed)
    return 1000 * cost, 1000 * median(whole for whole, _ in timed)


def _seconds(frame_filter: FrameFilter, frame: Rgb) -> float:
    start = perf_counter()
    frame_filter(frame)
    wait_for(frame_filter.model.device)
    return perf_counter() - start
