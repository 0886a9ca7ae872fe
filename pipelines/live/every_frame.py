"""A source that is not live, run through the file pipeline: every frame is filtered, in order."""

from collections.abc import Callable, Sequence
from fractions import Fraction
from threading import Event

import av

from turbolens.pipelines.base import (
    FilterCallable,
    FrameOrPacket,
    Sink,
    Source,
    SourceInfo,
    rate_of,
)
from turbolens.pipelines.interrupts import DeferredInterrupts
from turbolens.pipelines.statistics import Stats
from turbolens.pipelines.video.pipeline import FilterPipeline

from .devices import Devices


def run_every_frame(
    devices: Devices,
    frame_filter: FilterCallable,
    *,
    on_stats: Callable[[Stats], None],
    stop: Event,
) -> Stats:
    """Filter all frames of the source, until it ends or `stop` is set. Closes the devices."""
    reader = _SourceReader(devices.source, stop)

    def report(frames: int, seconds: float) -> None:
        on_stats(_stats_of(frames, seconds))

    pipeline = FilterPipeline(reader, frame_filter, _SinksWriter(devices.sinks), on_frames=report)
    try:
        pipeline.run()
    finally:
        with DeferredInterrupts():
            devices.close(in_use=[devices.source] if reader.in_use else [])
    return _stats_of(pipeline.frames, pipeline.seconds)


class _SourceReader:
    """A source as the file pipeline reads it."""

    def __init__(self, source: Source, stop: Event) -> None:
        self._source, self._stop = source, stop
        self.info = SourceInfo(name=type(source).__name__, rate=rate_of(source) or Fraction(30))
        self.damaged = 0
        self.in_use = True

    def __iter__(self) -> "_SourceReader":
        self._frames = iter(self._source)
        return self

    def __next__(self) -> FrameOrPacket:
        if self._stop.is_set():
            raise StopIteration
        return next(self._frames)

    def close(self) -> None:
        """No thread reads any more. `Devices` closes the source."""
        self.in_use = False


class _SinksWriter:
    """Sinks as the file pipeline writes them. `Devices` closes them."""

    def __init__(self, sinks: Sequence[Sink]) -> None:
        self._sinks = sinks

    def write(self, item: FrameOrPacket) -> None:
        """Write the frame to every sink."""
        assert isinstance(item, av.VideoFrame)  # noqa: S101 - a source gives nothing else
        for sink in self._sinks:
            sink.write(item)

    def finish(self) -> None:
        """Nothing to do."""

    def discard(self) -> None:
        """Nothing to do: frames that were shown cannot be taken back."""


def _stats_of(frames: int, seconds: float) -> Stats:
    rate = frames / seconds if seconds > 0 else 0.0
    return Stats(
        seconds=seconds, captured=frames, filtered=frames, sent=frames,
        fps_in=rate, fps_filtered=rate, fps_out=rate,
    )  # fmt: skip
