"""Measure the latency of a live pipeline from capture to output.

`NumberedCamera` draws the number of each frame into the frame. `NumberReader`, the sink, reads the
number back from the filtered frame. The time of capture is known by the number.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise
from time import monotonic

import av
import numpy as np

from turbolens.pipelines.base import FilterCallable, PipelinedFilter
from turbolens.pipelines.live.devices import Devices
from turbolens.pipelines.live.running import run_devices
from turbolens.pipelines.scene.camera import SceneCamera
from turbolens.pipelines.statistics import Stats, quantile

from .barcode import BITS, draw_number, read_number

SETTLING = 2.0  # seconds after the first filtered frame that do not count


class NumberedCamera(SceneCamera):
    """The test scene with a number in each frame. `captured`: its time in seconds, by number."""

    def __init__(self, width: int, height: int, *, rate: Fraction) -> None:
        super().__init__(width, height, rate=rate)
        self.captured: dict[int, float] = {}

    def __iter__(self) -> Iterator[av.VideoFrame]:
        """Yield each frame at its time."""
        for frame in super().__iter__():
            number = (frame.pts or 0) % (1 << BITS)
            pixels = np.asarray(frame.to_ndarray(), np.uint8)
            draw_number(pixels[: frame.height], number)
            numbered = av.VideoFrame.from_ndarray(pixels, format=frame.format.name)
            numbered.pts, numbered.time_base = frame.pts, frame.time_base
            self.captured[number] = monotonic()
            yield numbered


@dataclass(frozen=True)
class Sighting:
    """A frame at the output: its time in seconds, and its number, `None` if unreadable."""

    at: float
    number: int | None


class NumberReader:
    """A sink with a frame rate, which reads the number in each frame."""

    def __init__(self, rate: Fraction) -> None:
        self.rate = rate
        self.seen: list[Sighting] = []

    def write(self, frame: av.VideoFrame) -> None:
        """Note the time, then read the number."""
        now = monotonic()
        luma = frame.reformat(format="gray").to_ndarray()
        self.seen.append(Sighting(now, read_number(np.asarray(luma, np.uint8))))

    def close(self) -> None:
        """Do nothing: nothing is open."""


@dataclass(frozen=True)
class LatencyReport:
    """The results. Times ending in `_ms` are in milliseconds, 50th and 95th percentile.

    fresh: from capture to output, of frames shown for the first time. age: the same for all frames,
    repeats included. jitter: difference between two frames' interval and the nominal one. gap: the
    longest time between two frames shown for the first time. shown,
    repeated: numbers of frames. unreadable: frames whose number was not read, or cannot be right.
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
    gap_max_ms: float | None
    stats: Stats


def measure_latency(
    frame_filter: FilterCallable | PipelinedFilter,
    *,
    width: int,
    height: int,
    rate: Fraction,
    seconds: float,
) -> LatencyReport:
    """Run the filter live, and measure for `seconds` after it has settled."""
    camera, sink = NumberedCamera(width, height, rate=rate), NumberReader(rate)
    first: list[float] = []

    def end_in_time(stats: Stats) -> None:
        if stats.filtered and not first:
            first.append(monotonic())
        if first and monotonic() - first[0] >= SETTLING + seconds:
            camera.close()

    stats = run_devices(Devices(camera, [sink]), frame_filter, on_stats=end_in_time)
    began = (first[0] if first else 0.0) + SETTLING
    return report(camera, [seen for seen in sink.seen if seen.at >= began], stats)


def report(camera: NumberedCamera, seen: list[Sighting], stats: Stats) -> LatencyReport:
    """The figures of these sightings."""
    aged = [(each, age) for each in seen if (age := _age(camera, each)) is not None]
    ages = [age for _, age in aged]
    numbers = [None, *(each.number for each, _ in aged)]
    new = [pair for pair, last in zip(aged, numbers, strict=False) if pair[0].number != last]
    fresh = [age for _, age in new]
    gaps = [after.at - before.at for (before, _), (after, _) in pairwise(new)]
    period = float(1 / camera.rate)
    jitter = [abs(after.at - before.at - period) for before, after in pairwise(seen)]
    return LatencyReport(
        width=camera.width, height=camera.height, rate=float(camera.rate),
        seconds=seen[-1].at - seen[0].at if seen else 0.0,
        shown=len(seen), repeated=len(ages) - len(fresh),
        unreadable=len(seen) - len(ages),
        fresh_p50_ms=_ms(fresh, 0.5), fresh_p95_ms=_ms(fresh, 0.95),
        age_p50_ms=_ms(ages, 0.5), age_p95_ms=_ms(ages, 0.95),
        jitter_p50_ms=_ms(jitter, 0.5), jitter_p95_ms=_ms(jitter, 0.95),
        gap_max_ms=_ms(gaps, 1.0), stats=stats,
    )  # fmt: skip


def _age(camera: NumberedCamera, sighting: Sighting) -> float | None:
    """Seconds since the frame was captured, `None` if its number is unknown or in the future."""
    captured = None if sighting.number is None else camera.captured.get(sighting.number)
    return None if captured is None or captured > sighting.at else sighting.at - captured


def _ms(values: list[float], share: float) -> float | None:
    seconds = quantile(values, share)
    return None if seconds is None else round(seconds * 1000, 2)
