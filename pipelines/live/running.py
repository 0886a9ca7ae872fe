"""`run`: a source through a frame filter into sinks, live or frame by frame."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from threading import Event, Thread
from time import monotonic

import av

from turbolens.pipelines.base import (
    Item,
    Notify,
    PictureFilter,
    Reader,
    Sink,
    Source,
    SourceInfo,
    is_live,
    rate_of,
)
from turbolens.pipelines.interrupts import DeferredInterrupts
from turbolens.pipelines.statistics import Stats, StatsCollector
from turbolens.pipelines.video.job import FilterJob, Progress, VideoOptions

from .capture import Captured, LiveCapture
from .filtering import POLL, LiveFilter, Picture, Reload
from .latest import Latest
from .output import LiveOutput
from .pacing import OnStall
from .sinks import LiveSinks

OnStats = Callable[[Stats], None]
GRACE = 2.0  # seconds that a thread gets to end; it may hang in a device that gives nothing more


@dataclass(frozen=True)
class RunOptions:
    """How a live pipeline behaves when something is late. Times in seconds.

    on_stall: what is shown after `deadline` without a filtered picture (later for a filter that
    always takes so long): a slate, the last picture, or the unfiltered source, which shows what the
    filter may have been hiding. hang_after: a call
    of the filter that takes so long hangs, and `reload` replaces it. rate: frames a second to show;
    none: the first of the sinks that has a rate says it, and without any each picture is shown as
    it comes.
    """

    on_stall: OnStall = "slate"
    deadline: float = 2.0
    hang_after: float = 20.0
    rate: Fraction | None = None
    stats_interval: float = 0.5


def run(
    source: Source,
    frame_filter: PictureFilter,
    *sinks: Sink,
    options: RunOptions | None = None,
    on_stats: OnStats | None = None,
    on_notice: Notify | None = None,
    reload: Reload | None = None,
    stop: Event | None = None,
) -> Stats:
    """Filter until the source ends, `stop` is set, or Ctrl-C, which raises KeyboardInterrupt.

    Of a live source the newest frame is filtered, the others are counted as dropped; sinks get
    frames at their rate whatever happens to the source or the filter, and devices that fail are
    opened again. Of any other source every frame is filtered, in order. Source and sinks are closed
    at the end in any case. `on_stats` is called every half second on the calling thread,
    `on_notice`, with a line for people, on any. `reload` gives a new filter in place of one that
    keeps failing.

    Raises what the source, the sinks or the filter raise where that cannot be mended.
    """
    stop = stop or Event()
    notify = on_notice or _ignore
    if not is_live(source):
        return _run_every_frame(source, frame_filter, sinks, on_stats, stop)
    live = LiveRun(source, frame_filter, sinks, options or RunOptions(), notify, reload, stop)
    return live.run(on_stats or _ignore)


class LiveRun:
    """Capture, filter and output on their own threads; the calling thread looks after them."""

    def __init__(
        self,
        source: Source,
        frame_filter: PictureFilter,
        sinks: Sequence[Sink],
        options: RunOptions,
        notify: Notify,
        reload: Reload | None,
        stop: Event,
    ) -> None:
        self._source, self._stop, self._options = source, stop, options
        self._captured: Latest[Captured] = Latest()
        self._filtered: Latest[Picture] = Latest()
        self._tally = tally = StatsCollector(monotonic())
        self._sinks = LiveSinks(sinks, tally=tally, notify=notify)
        self._capture = LiveCapture(source, self._captured, tally=tally, stop=stop, notify=notify)
        self._filter = LiveFilter(
            frame_filter, self._captured, self._filtered, tally=tally, stop=stop, notify=notify,
            reload=reload, hang_after=options.hang_after,
        )  # fmt: skip
        rate = options.rate or next((rate for rate in map(rate_of, sinks) if rate), None)
        self._output = LiveOutput(
            self._filtered, self._sinks, capture=self._capture, filtering=self._filter,
            tally=tally, notify=notify, stop=stop,
            rate=rate, deadline=options.deadline, on_stall=options.on_stall,
        )  # fmt: skip

    def run(self, on_stats: OnStats) -> Stats:
        """Until the source ends or somebody stops it."""
        with DeferredInterrupts() as interrupts:
            try:
                for thread in (self._capture.thread, self._filter.thread, self._output.thread):
                    thread.start()
                self._look_after(interrupts, on_stats)
            finally:
                try:
                    self._end()
                finally:
                    on_stats(self.stats())
        if self._output.error is not None:
            raise self._output.error
        return self.stats()

    def stats(self) -> Stats:
        """Up to now."""
        self._tally.set("dropped", self._captured.dropped + self._filtered.dropped)
        return self._tally.stats(monotonic())

    def _look_after(self, interrupts: DeferredInterrupts, on_stats: OnStats) -> None:
        told_at = monotonic()
        while self._output.thread.is_alive() and not self._stop.is_set():
            interrupts.check()
            self._filter.watch()
            if monotonic() - told_at >= self._options.stats_interval:
                told_at = monotonic()
                on_stats(self.stats())
            self._output.thread.join(POLL)

    def _end(self) -> None:
        """Stop the threads, each as far as it lets itself be stopped, and close what is open."""
        self._stop.set()
        self._captured.close()
        try:
            if _joined(self._output.thread):
                self._sinks.close()
        finally:
            _joined(self._filter.thread)
            if _joined(self._capture.thread):
                self._source.close()


def _joined(thread: Thread) -> bool:
    """Whether the thread has ended, given some time for it."""
    if thread.is_alive():
        thread.join(GRACE)
    return not thread.is_alive()


class _SourceReader:
    """A source as the file pipeline reads it."""

    def __init__(self, source: Source, stop: Event) -> None:
        self._source, self._stop = source, stop
        self.info = SourceInfo(name=type(source).__name__, rate=rate_of(source) or Fraction(30))
        self.damaged = 0

    def __iter__(self) -> "_SourceReader":
        self._frames = iter(self._source)
        return self

    def __next__(self) -> Item:
        if self._stop.is_set():
            raise StopIteration
        return next(self._frames)

    def close(self) -> None:
        """Close the source."""
        self._source.close()


class _SinksWriter:
    """Sinks as the file pipeline writes them."""

    def __init__(self, sinks: Sequence[Sink]) -> None:
        self._sinks = sinks

    def write(self, item: Item) -> None:
        """The frame to every sink."""
        assert isinstance(item, av.VideoFrame)  # noqa: S101 - a source gives nothing else
        for sink in self._sinks:
            sink.write(item)

    def finish(self) -> None:
        """Close all sinks."""
        for sink in self._sinks:
            sink.close()

    def discard(self) -> None:
        """Close all sinks: what was shown was shown."""
        self.finish()


def _run_every_frame(
    source: Source, frame_filter: PictureFilter, sinks: Sequence[Sink], on_stats: OnStats | None,
    stop: Event,
) -> Stats:  # fmt: skip
    def tell(progress: Progress) -> None:
        if on_stats is not None:
            on_stats(_stats_of(progress.frames, progress.seconds))

    reader: Reader = _SourceReader(source, stop)
    job = FilterJob(reader, _SinksWriter(sinks), frame_filter, VideoOptions(), tell)
    job.run()
    return _stats_of(job.frames, job.seconds)


def _stats_of(frames: int, seconds: float) -> Stats:
    rate = frames / seconds if seconds > 0 else 0.0
    return Stats(
        seconds=seconds, captured=frames, filtered=frames, sent=frames,
        fps_in=rate, fps_filtered=rate, fps_out=rate,
    )  # fmt: skip


def _ignore(_: object) -> None:
    """Nobody listens."""
