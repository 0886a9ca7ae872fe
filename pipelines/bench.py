"""Measure what the filter costs: stages, model only, end to end, and the stock pipeline beside it.

Everything of one case runs interleaved in one process, frame by frame, so that a machine that gets
slower or faster meanwhile does so for all. Nothing here prints.
"""

import platform
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import cycle, islice
from time import perf_counter
from typing import Any

import av
import numpy as np
import torch

from turbolens.filter import FilterSettings, FrameFilter, TurboModel
from turbolens.filter.framefilter import STAGES
from turbolens.filter.frames import FrameConverter, image_from_pictures, working_geometry
from turbolens.filter.noise import FixedNoise

from .bench_baseline import Run, stock_pipeline, stock_run
from .machine import (
    device_name,
    forget_gpu_peak,
    peak_gpu_memory_mb,
    peak_memory_mb,
    wait_for,
)
from .test_scene import TestScene

WARM_UP = 3  # frames; the first ones allocate, and choose convolution algorithms
DIFFERENT_FRAMES = 8  # of the test scene, over and over


@dataclass(frozen=True)
class Case:
    """Frames of `width` × `height` pixels, filtered as a picture with `size` as its longer side."""

    name: str
    width: int
    height: int
    size: int


CASES = (
    Case("256", 256, 256, 256),
    Case("384", 384, 384, 384),
    Case("512", 512, 512, 512),
    Case("720p", 1280, 720, 512),
)


@dataclass(frozen=True)
class Timing:
    """How long something took, in milliseconds, over `frames` frames."""

    median_ms: float
    p95_ms: float
    frames: int

    @classmethod
    def of(cls, seconds: Sequence[float]) -> "Timing":
        """Median and 95th percentile of these times."""
        median, p95 = np.percentile(np.asarray(seconds) * 1000, (50, 95))
        return cls(float(median), float(p95), len(seconds))


@dataclass(frozen=True)
class CaseResult:
    """What one case cost.

    model: encode, denoise and decode of an image that lies on the device. end_to_end: a yuv420p
    frame in, a yuv420p frame out. stages: the same, part by part. baseline: the stock pipeline, end
    to end, or none.
    """

    case: Case
    working_width: int
    working_height: int
    model: Timing
    end_to_end: Timing
    stages: dict[str, Timing]
    baseline: Timing | None

    @property
    def fps(self) -> float:
        """Frames a second, end to end, one at a time."""
        return 1000 / self.end_to_end.median_ms

    @property
    def ratio(self) -> float | None:
        """How many times as long the baseline takes, end to end."""
        if self.baseline is None:
            return None
        return self.baseline.median_ms / self.end_to_end.median_ms


@dataclass(frozen=True)
class BenchReport:
    """All cases on one machine.

    Memory in MB: the process's peak, and the GPU's, before a baseline was loaded; none where the
    system does not tell.
    """

    model: str
    device: str
    dtype: str
    threads: int
    system: str
    torch_version: str
    results: tuple[CaseResult, ...]
    peak_memory_mb: float | None
    peak_gpu_memory_mb: float | None


def measure(
    model: TurboModel,
    settings: FilterSettings,
    *,
    cases: Sequence[Case] = CASES,
    frames: int = 30,
    baseline: bool = False,
    on_case: Callable[[Case], None] | None = None,
) -> BenchReport:
    """Measure the cases one after the other; `on_case` is told which one begins."""
    benches = [CaseBench(model, case, settings) for case in cases]
    forget_gpu_peak(model.device)
    for bench in benches:
        bench.run(bench.own_runs(), 1)
    memory, gpu_memory = peak_memory_mb(), peak_gpu_memory_mb(model.device)
    pipeline = stock_pipeline(model) if baseline else None
    results = []
    for bench in benches:
        if on_case is not None:
            on_case(bench.case)
        results.append(bench.result(frames, pipeline))
    return BenchReport(
        model=model.name, device=device_name(model.device),
        dtype=str(model.dtype).removeprefix("torch."), threads=torch.get_num_threads(),
        system=f"{platform.system()} {platform.machine()}", torch_version=torch.__version__,
        results=tuple(results), peak_memory_mb=memory, peak_gpu_memory_mb=gpu_memory,
    )  # fmt: skip


class CaseBench:
    """One case: its frames, and what is to be timed on them."""

    def __init__(self, model: TurboModel, case: Case, settings: FilterSettings) -> None:
        self.model, self.case = model, case
        self.settings = settings.replace(size=case.size, side="longer")
        self.geometry = working_geometry(
            case.width, case.height, self.settings,
            native_size=model.native_size, multiple=model.multiple,
        )  # fmt: skip
        self.frames = scene_frames(case.width, case.height)
        self.clock = StageClock()

    def own_runs(self) -> dict[str, Run]:
        """Ours: the model alone, the filter, and the filter with a clock in it."""
        staged = FrameFilter(self.model, self.settings, on_stage=self.clock)

        def stages(frame: av.VideoFrame) -> object:
            self.clock.start()
            return staged(frame)

        whole = FrameFilter(self.model, self.settings)
        return {"model": self._model_only(), "end_to_end": whole, "stages": stages}

    def result(self, frames: int, pipeline: Any | None) -> CaseResult:
        """Time everything over this many frames."""
        runs = self.own_runs()
        if pipeline is not None:
            size = self.geometry.width, self.geometry.height
            runs["baseline"] = stock_run(pipeline, self.settings, size)
        self.run(runs, WARM_UP)
        self.clock.clear()
        seconds = self.run(runs, frames)
        return CaseResult(
            case=self.case,
            working_width=self.geometry.width,
            working_height=self.geometry.height,
            model=Timing.of(seconds["model"]),
            end_to_end=Timing.of(seconds["end_to_end"]),
            stages={name: Timing.of(self.clock.seconds[name]) for name in STAGES},
            baseline=Timing.of(seconds["baseline"]) if "baseline" in seconds else None,
        )

    def run(self, runs: dict[str, Run], frames: int) -> dict[str, list[float]]:
        """Seconds of each run on each frame, the runs taking turns."""
        seconds: dict[str, list[float]] = {name: [] for name in runs}
        for frame in islice(cycle(self.frames), frames):
            for name, run in runs.items():
                start = perf_counter()
                run(frame)
                wait_for(self.model.device)
                seconds[name].append(perf_counter() - start)
        return seconds

    def _model_only(self) -> Run:
        model, settings = self.model, self.settings
        picture = FrameConverter().to_image(self.frames[0], self.geometry)
        image = image_from_pictures([picture], model.device, model.vae_dtype)
        steps = model.schedule.direct_steps(settings.strength, settings.steps)
        latents = model.encode(image)
        shape = tuple(latents.shape[1:])
        noise = FixedNoise()(settings.seed, shape, len(steps), model.device)
        embeds = model.prompts(settings.weighted_prompts)

        def run(_: av.VideoFrame) -> object:
            latents = model.encode(image)
            clean = model.denoise(latents, steps=steps, noise=noise, embeds=embeds)
            return model.decode(clean)

        return run


class StageClock:
    """Called with the name of each stage when it ends; `seconds` has the times by name."""

    def __init__(self) -> None:
        self.seconds: dict[str, list[float]] = {}
        self._since = 0.0

    def start(self) -> None:
        """A frame begins."""
        self._since = perf_counter()

    def clear(self) -> None:
        """Forget what was measured."""
        self.seconds.clear()

    def __call__(self, stage: str) -> None:
        now = perf_counter()
        self.seconds.setdefault(stage, []).append(now - self._since)
        self._since = now


def scene_frames(width: int, height: int) -> list[av.VideoFrame]:
    """A few frames of the test scene, in yuv420p as a decoder gives them."""
    scene = TestScene(width, height, frames=DIFFERENT_FRAMES)
    return [scene[index].frame.reformat(format="yuv420p") for index in range(DIFFERENT_FRAMES)]
