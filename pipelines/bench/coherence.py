"""The measures of coherence, row by row, on exact scenes, photographs and clips. Prints nothing."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import islice
from statistics import fmean, median
from time import perf_counter

import numpy as np
import torch

from turbolens.filter import FilterSettings, FrameFilter, TurboModel
from turbolens.filter.coherence.change import InputView
from turbolens.filter.coherence.temporal_blend import Coherence
from turbolens.filter.frames.conversion import image_from_rgb
from turbolens.filter.frames.luma import luma_of
from turbolens.pipelines.scene.frames import TestScene

from .coherence_measures import (
    Ages,
    distance,
    laplacian_energy,
    luminance_flicker,
    mean_difference,
    response_frames,
    static_gain,
    warp_error,
)
from .coherence_report import CoherenceReport, ReprojectionResult, RowResult
from .coherence_rows import ROWS, Pixels, Row, RowName, make_row
from .machine import wait_for

SETTLE = 10  # frames until a blended stream has reached its steady state
STATIC_NOISE = (2.0, 4.0)  # levels
GHOST_AGE = 2  # frames after something was uncovered
SCENE_NOISE = 2.0
SLOW = 3  # frames of the camera for one of the model, where results are reprojected
CHANGED_PROMPT = "pencil sketch"


@dataclass(frozen=True)
class Extent:
    """How much is measured: frames of the scene, of the still photograph, of the cut test and of
    the cost; cuts compared with fresh streams; the side of the square that the cost is measured on.
    """

    width: int = 512
    height: int = 288
    frames: int = 45
    still_frames: int = 60
    cut_frames: int = 1000
    cuts: int = 5
    timed_frames: int = 30
    timed_side: int = 512


Tell = Callable[[str], None]


def measure(
    model: TurboModel, settings: FilterSettings, extent: Extent, *,
    rows: Sequence[RowName] = ROWS, photograph: Pixels | None = None, tell: Tell = lambda _: None,
) -> CoherenceReport:  # fmt: skip
    """Measure the rows one after the other on the same pictures; `tell` hears which is begun."""
    still = photograph if photograph is not None else _scene(extent, noise=0.0)[0].picture
    results = [RowResult(name) for name in rows]
    scene = _SceneRun(extent)
    alone = _filtered(make_row("fixed", model, settings), scene.inputs)
    for result in results:
        tell(result.name)
        make = _maker(result.name, model, settings)
        _measure_still(result, make, still, extent)
        scene.measure(result, make(), alone)
        result.response = _response(make, still, settings)
        result.cuts_identical = _identical_cuts(make, extent)
    tell("reprojection")
    reprojection = scene.reprojected(model, settings)
    tell("cuts")
    true_cuts, found, false = count_cuts(model, settings, extent)
    tell("cost")
    cost, whole = coherence_cost(model, settings, extent)
    return CoherenceReport(
        rows=tuple(results), input_warp_error=scene.own_error, cuts=len(_cut_pairs(extent)),
        cut_frames=extent.cut_frames, true_cuts=true_cuts, found=found, false_cuts=false,
        cost_ms=cost, frame_ms=whole, reprojection=reprojection, inputs=scene.inputs,
    )  # fmt: skip


def _maker(name: RowName, model: TurboModel, settings: FilterSettings) -> Callable[[], Row]:
    return lambda: make_row(name, model, settings)


def _scene(extent: Extent, *, noise: float, cuts: bool = False, seed: int = 3) -> TestScene:
    return TestScene(extent.width, extent.height, noise=noise, cuts=cuts, seed=seed)


def _filtered(row: Row, inputs: Sequence[Pixels]) -> list[Pixels]:
    return [row(picture) for picture in inputs]


def _measure_still(
    result: RowResult, make: Callable[[], Row], still: Pixels, extent: Extent
) -> None:
    """A photograph that stands still under sensor noise."""
    for noise in STATIC_NOISE:
        generator = np.random.default_rng(1)
        inputs = [_with_noise(still, noise, generator) for _ in range(extent.still_frames)]
        row = make()
        row.update(reuse_unchanged=False)  # or ours would simply stand still
        outputs = _filtered(row, inputs)
        result.static_gain[noise] = static_gain(outputs[SETTLE:], inputs[SETTLE:])
        result.flicker = luminance_flicker([float(picture.mean()) for picture in outputs[SETTLE:]])


def _with_noise(picture: Pixels, deviation: float, generator: np.random.Generator) -> Pixels:
    noise = generator.standard_normal(picture.shape, np.float32) * np.float32(deviation)
    return np.clip(picture + noise + 0.5, 0, 255).astype(np.uint8)


class _SceneRun:
    """The moving scene with its truth, rendered once for all rows."""

    def __init__(self, extent: Extent) -> None:
        frames = list(islice(_scene(extent, noise=SCENE_NOISE), extent.frames))
        self.inputs = [frame.picture for frame in frames]
        self.flows = [frame.flow for frame in frames]
        self.visible = [frame.visible for frame in frames]
        self.own_error = self._warp_error(self.inputs)

    def measure(self, result: RowResult, row: Row, alone: Sequence[Pixels]) -> None:
        """Everything that is measured on it."""
        outputs = _filtered(row, self.inputs)
        result.strip = outputs
        result.warp_error = self._warp_error(outputs)
        result.ghosting = self._ghosting(outputs, alone)
        result.detail = fmean(
            laplacian_energy(ours) / laplacian_energy(other)
            for ours, other in zip(outputs[SETTLE:], alone[SETTLE:], strict=True)
        )

    def reprojected(self, model: TurboModel, settings: FilterSettings) -> ReprojectionResult:
        """A model that has time for every third frame."""
        every, third = FrameFilter(model, settings), FrameFilter(model, settings)
        truths, moved, repeated = [], [], []
        for index, picture in enumerate(self.inputs):
            truths.append(every(picture))
            shown = third(picture) if index % SLOW == 0 else third.reproject(picture)
            moved.append(picture if shown is None else shown)
            repeated.append(moved[index - index % SLOW])
        between = [index for index in range(SETTLE, len(truths)) if index % SLOW]
        return ReprojectionResult(
            error=fmean(mean_difference(moved[index], truths[index]) for index in between),
            repeated_error=fmean(
                mean_difference(repeated[index], truths[index]) for index in between
            ),
            warp_error=self._warp_error(moved),
            repeated_warp_error=self._warp_error(repeated),
            detail=fmean(
                laplacian_energy(moved[index]) / laplacian_energy(truths[index])
                for index in between
            ),
        )

    def _warp_error(self, pictures: Sequence[Pixels]) -> float:
        return fmean(
            warp_error(pictures[index], pictures[index - 1], self.flows[index], self.visible[index])
            for index in range(SETTLE, len(pictures))
        )

    def _ghosting(self, outputs: Sequence[Pixels], alone: Sequence[Pixels]) -> float:
        """Mean distance, as a share of the range, from the frame filtered alone, 2 frames after."""
        height, width = outputs[0].shape[:2]
        ages, total, count = Ages(height, width), 0.0, 0
        for index in range(1, len(outputs)):
            ages.follow(self.flows[index], self.visible[index])
            apart, pixels = distance(outputs[index], alone[index], ages.now == GHOST_AGE)
            total, count = total + apart, count + pixels
        return total / count if count else float("nan")


def _response(make: Callable[[], Row], still: Pixels, settings: FilterSettings) -> int:
    """Frames until a new prompt is there, on a picture that does not move."""
    row, fresh = make(), make()
    before = [row(still) for _ in range(SETTLE)][-1]
    row.update(prompt=CHANGED_PROMPT)
    fresh.update(prompt=CHANGED_PROMPT)
    targets = [fresh(still) for _ in range(6)]
    return response_frames([row(still) for _ in range(6)], [targets[0]] * 6, before)


def _cut_pairs(extent: Extent) -> list[tuple[list[Pixels], Pixels]]:
    """A few frames before each of the first cuts, and the first frame after it."""
    scene = _scene(extent, noise=SCENE_NOISE, cuts=True)
    cuts = [scene.shot_frames * number for number in range(1, extent.cuts + 1)]
    return [([scene[cut - 2].picture, scene[cut - 1].picture], scene[cut].picture) for cut in cuts]


def _identical_cuts(make: Callable[[], Row], extent: Extent) -> int:
    """At how many cuts the first frame is, bit for bit, the first frame of a fresh stream."""
    identical = 0
    for before, after in _cut_pairs(extent):
        row = make()
        for picture in before:
            row(picture)
        identical += bool(np.array_equal(row(after), make()(after)))
    return identical


@torch.inference_mode()
def count_cuts(model: TurboModel, settings: FilterSettings, extent: Extent) -> tuple[int, int, int]:
    """True cuts, how many of them were found, and false ones, in a scene with flashes and pans."""
    scene = TestScene(extent.width, extent.height, cuts=True, lighting=True, noise=SCENE_NOISE,
                      shake=2.0, seed=11)  # fmt: skip
    coherence, true, found, false = Coherence(), 0, 0, 0
    for frame in islice(scene, extent.cut_frames):
        picture = torch.from_numpy(frame.picture)
        latents = model.encode(image_from_rgb([picture], model.device, model.vae_dtype))
        view = InputView(luma_of(picture), model.device)
        _, change = coherence.before(view, latents, settings)
        seen = change is not None and change.is_cut
        true, found = true + frame.cut, found + (seen and frame.cut)
        false += seen and not frame.cut
    return true, found, false


def coherence_cost(
    model: TurboModel, settings: FilterSettings, extent: Extent
) -> tuple[float, float]:
    """Milliseconds of coherence work and of a whole frame: medians.

    What coherence costs is what the frame costs less without: with it and without take turns.
    """
    scene = TestScene(extent.timed_side, extent.timed_side, noise=SCENE_NOISE)
    pictures = [scene[index].picture for index in range(8)]
    held, free = FrameFilter(model, settings), FrameFilter(
        model, settings.replace(steadiness=0.0, blend_before=None, blend_after=None,
                                reuse_unchanged=False)
    )  # fmt: skip
    times: list[tuple[float, float]] = []
    for index in range(extent.timed_frames + SETTLE):
        picture = pictures[index % len(pictures)]
        times.append((_seconds(held, picture), _seconds(free, picture)))
    timed = times[SETTLE:]
    cost = median(whole - rest for whole, rest in timed)
    return 1000 * cost, 1000 * median(whole for whole, _ in timed)


def _seconds(frame_filter: FrameFilter, picture: Pixels) -> float:
    start = perf_counter()
    frame_filter(picture)
    wait_for(frame_filter.model.device)
    return perf_counter() - start
