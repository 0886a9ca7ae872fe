"""Measure several sessions that share a model, whose frames are filtered as one batch."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import cycle
from time import perf_counter

import av

from turbolens.filter import FilterSettings, FrameFilter, TurboModel
from turbolens.pipelines.scene.frames import TestScene
from turbolens.pipelines.webrtc import FrameBatcher

from .machine import device_name
from .speed import Timing

WARM_UP = 2  # rounds; the first ones allocate, and choose convolution algorithms
DIFFERENT_FRAMES = 8  # of each scene, repeated


@dataclass(frozen=True)
class SessionsResult:
    """The time of one frame of each session together, and of one session alone in between."""

    sessions: int
    together: Timing
    alone: Timing

    @property
    def times_one(self) -> float:
        """The time together, as a multiple of one session's."""
        return self.together.median_ms / self.alone.median_ms

    @property
    def fps(self) -> float:
        """Frames per second of each session, without transport and codecs."""
        return 1000 / self.together.median_ms


@dataclass(frozen=True)
class SessionsReport:
    """The results, and what they were measured on."""

    model: str
    device: str
    dtype: str
    size: int
    results: tuple[SessionsResult, ...]


def measure_sessions(
    model: TurboModel, settings: FilterSettings, *, counts: Sequence[int], size: int, rounds: int
) -> SessionsReport:
    """Measure square frames of `size` pixels. Each session has its own scene, look and state.

    Rounds of one session alone take turns with rounds of all, so that a change in the machine's
    speed affects both. Transport and codecs are not included.
    """
    results = tuple(
        asyncio.run(_measure(model, settings, count, size=size, rounds=rounds)) for count in counts
    )
    return SessionsReport(
        model=model.name, device=device_name(model.device),
        dtype=str(model.dtype).removeprefix("torch."), size=size, results=results,
    )  # fmt: skip


class _Stream:
    """A session without a peer."""

    def __init__(self, model: TurboModel, settings: FilterSettings, number: int, size: int) -> None:
        looks = model.looks or settings.weighted_prompts[0][:1]
        self.filter = FrameFilter(model, settings, prompt=looks[number % len(looks)])
        scene = TestScene(size, size, seed=number, frames=DIFFERENT_FRAMES)
        self.frames = cycle([each.frame.reformat(format="yuv420p") for each in scene])

    def submit(self, batcher: FrameBatcher) -> "asyncio.Future[av.VideoFrame]":
        return batcher.submit(self.filter, next(self.frames))


async def _measure(
    model: TurboModel, settings: FilterSettings, count: int, *, size: int, rounds: int
) -> SessionsResult:
    streams = [_Stream(model, settings, number, size) for number in range(count)]
    single = _Stream(model, settings, count, size)
    together, alone = FrameBatcher(max_batch=count), FrameBatcher()
    try:
        times = [
            (await _round(streams, together), await _round([single], alone))
            for _ in range(WARM_UP + rounds)
        ]
    finally:
        together.close()
        alone.close()
    all_times, single_times = zip(*times[WARM_UP:], strict=True)
    return SessionsResult(count, Timing.of(all_times), Timing.of(single_times))


async def _round(streams: Sequence[_Stream], batcher: FrameBatcher) -> float:
    """Filter the next frame of every stream. Returns the seconds until all are done."""
    began = perf_counter()
    await asyncio.gather(*(stream.submit(batcher) for stream in streams))
    return perf_counter() - began
