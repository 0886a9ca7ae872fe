"""Measure the speed of the filter: its stages, the model alone, end to end, and baselines.

All runs of a case take turns in one process, frame by frame, so that a change in the machine's
speed affects all of them.
"""

import platform
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import cycle, islice
from time import perf_counter

import av
import numpy as np
import torch

from turbolens.filter import FilterSettings, FrameFilter, TurboModel
from turbolens.filter.acceleration.openvino.processor import instruction_sets
from turbolens.filter.coherence.noise import FixedNoise
from turbolens.filter.diffusion.prompts import PromptEmbeds
from turbolens.filter.diffusion.schedule import Step
from turbolens.filter.framefilter import STAGES
from turbolens.filter.frames.conversion import FrameConverter, working_geometry
from turbolens.pipelines.scene.frames import TestScene

from .baseline import Baseline, MakeRun, Run, baseline
from .floor import Floor, floor_of, joint_floor, rate_tflops
from .machine import (
    device_name,
    peak_gpu_memory_mb,
    peak_memory_mb,
    reset_gpu_peak,
    wait_for,
)
from .stages import StageClock

WARM_UP = 3  # frames; the first ones allocate, and choose convolution algorithms
DIFFERENT_FRAMES = 8  # of the test scene, repeated
SPAN = 4  # frames of a stream that are timed together: their results do not come evenly


@dataclass(frozen=True)
class Case:
    """Frames of `width` × `height` pixels; `size` is the longer side of the working image."""

    name: str
    width: int
    height: int
    size: int


CASES = (
    Case("256", 256, 256, 256),
    Case("384", 384, 384, 384),
    Case("512", 512, 512, 512),
    Case("720p", 1280, 720, 512),
    Case("1080p", 1920, 1080, 512),
)


@dataclass(frozen=True)
class Timing:
    """The time per frame in milliseconds, over `frames` frames."""

    median_ms: float
    p95_ms: float
    p99_ms: float
    frames: int

    @classmethod
    def of(cls, seconds: Sequence[float]) -> "Timing":
        """Median, 95th and 99th percentile of these times."""
        median, p95, p99 = np.percentile(np.asarray(seconds) * 1000, (50, 95, 99))
        return cls(float(median), float(p95), float(p99), len(seconds))


@dataclass(frozen=True)
class CaseResult:
    """The times of one case.

    model: encoding, denoising and decoding of an image on the device. end_to_end: from a yuv420p
    frame to a yuv420p frame, one at a time. stages: the parts of that. baselines: end to end, by
    name. batches: per frame of a batch, end to end, by batch size. floor: the lower bound of the
    model's time. in_stream: between the results of a stream whose frames overlap, `None` where they
    do not.
    """

    case: Case
    working_width: int
    working_height: int
    model: Timing
    end_to_end: Timing
    stages: dict[str, Timing]
    baselines: dict[str, Timing] = field(default_factory=dict)
    batches: dict[int, Timing] = field(default_factory=dict)
    floor: Floor | None = None
    in_stream: Timing | None = None

    @property
    def fps(self) -> float:
        """Frames per second of a stream, end to end."""
        return 1000 / self._per_frame.median_ms

    @property
    def ratios(self) -> dict[str, float]:
        """The time of each baseline for a frame of a stream, as a multiple of the filter's."""
        return self._times_of(self._per_frame)

    @property
    def single_ratios(self) -> dict[str, float]:
        """The same for a frame alone."""
        return self._times_of(self.end_to_end)

    @property
    def _per_frame(self) -> Timing:
        return self.in_stream or self.end_to_end

    def _times_of(self, ours: Timing) -> dict[str, float]:
        return {name: each.median_ms / ours.median_ms for name, each in self.baselines.items()}

    @property
    def share_of_floor(self) -> float | None:
        """The lower bound of the model's time, as a share of the measured time, 0…1."""
        return None if self.floor is None else self.floor.ms / self.model.median_ms


@dataclass(frozen=True)
class BenchReport:
    """The results of all cases on one machine.

    peak_memory_mb, peak_gpu_memory_mb: of the process and of the GPU, before a baseline was loaded;
    `None` if unknown. accelerations: what ran each part of the model. instructions: of the
    processor.
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
    accelerations: dict[str, str] = field(default_factory=dict)
    instructions: tuple[str, ...] = ()


@dataclass(frozen=True)
class Extent:
    """How much to measure: frames per case, names of baselines, and batch sizes."""

    frames: int = 30
    baselines: tuple[Baseline, ...] = ()
    batches: tuple[int, ...] = ()


def measure(
    model: TurboModel,
    settings: FilterSettings,
    *,
    cases: Sequence[Case] = CASES,
    extent: Extent = Extent(),
    on_case: Callable[[Case], None] | None = None,
) -> BenchReport:
    """Measure the cases one after the other. `on_case` is called when one begins."""
    benches = [CaseBench(model, case, settings) for case in cases]
    reset_gpu_peak(model.device)
    for bench in benches:
        bench.run(bench.own_runs(), 1)
    memory, gpu_memory = peak_memory_mb(), peak_gpu_memory_mb(model.device)
    makers: dict[str, MakeRun] = {
        name: baseline(name, model, settings) for name in extent.baselines
    }
    results = []
    for bench in benches:
        if on_case is not None:
            on_case(bench.case)
        results.append(bench.result(extent, makers))
    return BenchReport(
        model=model.name, device=device_name(model.device),
        dtype=str(model.dtype).removeprefix("torch."), threads=torch.get_num_threads(),
        system=f"{platform.system()} {platform.machine()}", torch_version=torch.__version__,
        results=tuple(results), peak_memory_mb=memory, peak_gpu_memory_mb=gpu_memory,
        accelerations=model.accelerations, instructions=instruction_sets(),
    )  # fmt: skip


class CaseBench:
    """One case: its frames, and the functions to time on them."""

    def __init__(self, model: TurboModel, case: Case, settings: FilterSettings) -> None:
        self.model, self.case = model, case
        self.settings = settings.replace(size=case.size, side="longer")
        self.geometry = working_geometry(
            case.width, case.height, self.settings,
            native_size=model.native_size, multiple=model.multiple,
        )  # fmt: skip
        self.frames = scene_frames(case.width, case.height)
        self.clock = StageClock(model.device)

    def own_runs(self) -> dict[str, Run]:
        """The model alone, the filter, and the filter with a clock in it."""
        staged = FrameFilter(self.model, self.settings, on_stage=self.clock)

        def stages(frame: av.VideoFrame) -> object:
            self.clock.start()
            styled = staged(frame)
            self.clock.read()
            return styled

        whole = FrameFilter(self.model, self.settings)
        return {"model": self._model_only(), "end_to_end": whole, "stages": stages}

    def result(self, extent: Extent, baselines: Mapping[str, MakeRun]) -> CaseResult:
        """Time everything over `extent.frames` frames."""
        runs = self.own_runs()
        size = self.geometry.width, self.geometry.height
        runs |= {name: make(size) for name, make in baselines.items()}
        self.run(runs, WARM_UP)
        self.clock.clear()
        seconds = self.run(runs, extent.frames)
        return CaseResult(
            case=self.case,
            working_width=self.geometry.width,
            working_height=self.geometry.height,
            model=Timing.of(seconds["model"]),
            end_to_end=Timing.of(seconds["end_to_end"]),
            stages={name: Timing.of(self.clock.seconds[name]) for name in STAGES},
            baselines={name: Timing.of(seconds[name]) for name in baselines},
            batches={count: self._batch(count, extent.frames) for count in extent.batches},
            floor=self._floor(),
            in_stream=self._in_stream(extent.frames),
        )

    def _in_stream(self, frames: int) -> Timing | None:
        """The time between the results of a stream."""
        frame_filter = FrameFilter(self.model, self.settings)
        if not frame_filter.overlaps:
            return None
        stream = islice(cycle(self.frames), 2 * WARM_UP + frames)
        ends = [perf_counter() for _ in frame_filter.frames(stream)]
        ends = ends[WARM_UP : WARM_UP + frames + 1]  # while frames come before and after
        span = min(SPAN, frames)
        return Timing.of(
            [(end - begin) / span for begin, end in zip(ends, ends[span:], strict=False)]
        )

    def _batch(self, count: int, frames: int) -> Timing:
        """The time per frame in batches of `count`."""
        frame_filter = FrameFilter(self.model, self.settings)
        batch = list(islice(cycle(self.frames), count))
        seconds = []
        for number in range(WARM_UP + max(1, frames // count)):
            start = perf_counter()
            frame_filter.batch(batch)
            wait_for(self.model.device)
            if number >= WARM_UP:
                seconds.append((perf_counter() - start) / count)
        return Timing.of(seconds)

    def _floor(self) -> Floor:
        """The floor of the networks, each in the number format that it runs in."""
        model, inputs = self.model, self._network_inputs()
        latents = model.encode_rgb([inputs.rgb])
        used = model.accelerations
        with model.plainly():
            return joint_floor(
                floor_of(run, rate_tflops(model.device, model.dtype, used.get(name, "none")))
                for name, run in (
                    ("encoder", lambda: model.encode_rgb([inputs.rgb])),
                    ("predictor", lambda: inputs.denoise(model, latents)),
                    ("decoder", lambda: model.decode(latents)),
                )
            )

    def run(self, runs: dict[str, Run], frames: int) -> dict[str, list[float]]:
        """Seconds of each run on each frame. The runs take turns."""
        seconds: dict[str, list[float]] = {name: [] for name in runs}
        for frame in islice(cycle(self.frames), frames):
            for name, run in runs.items():
                start = perf_counter()
                run(frame)
                wait_for(self.model.device)
                seconds[name].append(perf_counter() - start)
        return seconds

    def _model_only(self) -> Run:
        """A run of the networks on an image on the device."""
        model, inputs = self.model, self._network_inputs()

        def run(_: av.VideoFrame) -> object:
            latents = model.encode_rgb([inputs.rgb])
            return model.decode(inputs.denoise(model, latents))

        return run

    def _network_inputs(self) -> "_NetworkInputs":
        model, settings = self.model, self.settings
        rgb = FrameConverter().to_rgb(self.frames[0], self.geometry).to(model.device)
        steps = model.schedule.direct_steps(settings.strength, settings.steps)
        shape = tuple(model.encode_rgb([rgb]).shape[1:])
        noise = FixedNoise()(settings.seed, shape, len(steps), model.device)
        return _NetworkInputs(rgb, tuple(steps), noise, model.prompts(settings.weighted_prompts))


@dataclass(frozen=True)
class _NetworkInputs:
    """The inputs of the networks for one frame."""

    rgb: torch.Tensor
    steps: tuple[Step, ...]
    noise: tuple[torch.Tensor, ...]
    embeds: PromptEmbeds

    def denoise(self, model: TurboModel, latents: torch.Tensor) -> torch.Tensor:
        return model.denoise(latents, steps=self.steps, noise=self.noise, embeds=self.embeds)


def scene_frames(width: int, height: int) -> list[av.VideoFrame]:
    """A few frames of the test scene, in yuv420p like decoded video."""
    scene = TestScene(width, height, frames=DIFFERENT_FRAMES)
    return [scene[index].frame.reformat(format="yuv420p") for index in range(DIFFERENT_FRAMES)]
