"""Measure the delay of a live pipeline from its pictures: each carries the number of its frame.

A camera draws a counter into its frames; a screen at the end reads it back from what the filter
made of them, and looks up when that frame was captured. Nothing here prints.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise
from time import monotonic

import av
import numpy as np

from turbolens.pipelines.base import FilterCallable
from turbolens.pipelines.live.running import run
from turbolens.pipelines.scene.camera import SceneCamera
from turbolens.pipelines.statistics import Stats, quantile

from .barcode import BITS, draw_number, read_number

SETTLING = 2.0  # seconds after the first filtered picture that are left out


class CountedCamera(SceneCamera):
    """The test scene with its frames numbered in the picture. `captured` tells when each came."""

    def __init__(self, width: int, height: int, *, rate: Fraction) -> None:
        super().__init__(width, height, rate=rate)
        self.captured: dict[int, float] = {}

    def __iter__(self) -> Iterator[av.VideoFrame]:
        """Frames at their times."""
        for frame in super().__iter__():
            number = (frame.pts or 0) % (1 << BITS)
            pixels = np.asarray(frame.to_ndarray(), np.uint8)
            draw_number(pixels[: frame.height], number)
            counted = av.VideoFrame.from_ndarray(pixels, format=frame.format.name)
            counted.pts, counted.time_base = frame.pts, frame.time_base
            self.captured[number] = monotonic()
            yield counted


@dataclass(frozen=True)
class Sighting:
    """A picture that was shown: when (seconds), and the number in it, if it could be read."""

    at: float
    number: int | None


class ReadingScreen:
    """A sink at a rate that reads the number in each picture."""

    def __init__(self, rate: Fraction) -> None:
        self.rate = rate
        self.seen: list[Sighting] = []

    def write(self, frame: av.VideoFrame) -> None:
        """Note the time, then read."""
        now = monotonic()
        luma = frame.reformat(format="gray").to_ndarray()
        self.seen.append(Sighting(now, read_number(np.asarray(luma, np.uint8))))

    def close(self) -> None:
        """Nothing is open."""


@dataclass(frozen=True)
class LatencyReport:
    """What was measured, in milliseconds.

    fresh: from the capture of a frame to its picture, for pictures shown for the first time.
    age: the same for everything shown, also what was shown again. jitter: how far the time between
    two pictures is from the period. unreadable: pictures whose number could not be read or cannot
    be true. repeated: shown again.
    """

    width: int
    height: int
    rate: float
    seconds: float
    shown: int
    repeated: int
    unreadable: int
    fresh_p50_ms: float | None
    fresh_p95_ms: float | None
    age_p50_ms: float | None
    age_p95_ms: float | None
    jitter_p50_ms: float | None
    jitter_p95_ms: float | None
    stats: Stats


def measure_latency(
    frame_filter: FilterCallable, *, width: int, height: int, rate: Fraction, seconds: float
) -> LatencyReport:
    """Run the filter live for so many seconds after it has settled."""
    camera, screen = CountedCamera(width, height, rate=rate), ReadingScreen(rate)
    first: list[float] = []

    def end_in_time(stats: Stats) -> None:
        if stats.filtered and not first:
            first.append(monotonic())
        if first and monotonic() - first[0] >= SETTLING + seconds:
            camera.close()

    stats = run(camera, frame_filter, screen, on_stats=end_in_time)
    began = (first[0] if first else 0.0) + SETTLING
    return report(camera, [seen for seen in screen.seen if seen.at >= began], stats)


def report(camera: CountedCamera, seen: list[Sighting], stats: Stats) -> LatencyReport:
    """The figures of what was seen."""
    fresh, ages, unreadable, newest = [], [], 0, -1
    for sighting in seen:
        captured = None if sighting.number is None else camera.captured.get(sighting.number)
        if captured is None or captured > sighting.at:
            unreadable += 1
            continue
        ages.append(sighting.at - captured)
        if sighting.number != newest:
            fresh.append(ages[-1])
            newest = sighting.number if sighting.number is not None else newest
    period = float(1 / camera.rate)
    jitter = [abs(after.at - before.at - period) for before, after in pairwise(seen)]
    return LatencyReport(
        width=camera.width, height=camera.height, rate=float(camera.rate),
        seconds=seen[-1].at - seen[0].at if seen else 0.0,
        shown=len(seen), repeated=len(ages) - len(fresh), unreadable=unreadable,
        fresh_p50_ms=_ms(fresh, 0.5), fresh_p95_ms=_ms(fresh, 0.95),
        age_p50_ms=_ms(ages, 0.5), age_p95_ms=_ms(ages, 0.95),
        jitter_p50_ms=_ms(jitter, 0.5), jitter_p95_ms=_ms(jitter, 0.95),
        stats=stats,
    )  # fmt: skip


def _ms(values: list[float], share: float) -> float | None:
    seconds = quantile(values, share)
    return None if seconds is None else round(seconds * 1000, 2)
