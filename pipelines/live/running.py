"""`run`: a source through a frame filter into sinks, live or frame by frame."""

from collections.abc import Callable
from dataclasses import replace
from threading import Event, Thread
from time import monotonic
from typing import TypeAlias

from turbolens.pipelines.base import (
    FilterCallable,
    Notify,
    PipelinedFilter,
    Sink,
    Source,
    ignore,
    is_live,
    rate_of,
)
from turbolens.pipelines.interrupts import DeferredInterrupts
from turbolens.pipelines.statistics import Stats

from .capture import LiveCapture
from .context import RunContext
from .devices import Devices
from .every_frame import run_every_frame
from .filtering import POLL, FilterStage, LiveFilter, Reload
from .options import RunOptions
from .output import LiveOutput
from .pipelining import LivePipelinedFilter
from .sinks import LiveSinks

OnStats: TypeAlias = Callable[[Stats], None]

GRACE = 2.0  # seconds that a thread gets to end; it may hang in a device that gives nothing more


def run(
    source: Source,
    frame_filter: FilterCallable,
    *sinks: Sink,
    options: RunOptions | None = None,
    on_stats: OnStats | None = None,
    on_notice: Notify | None = None,
    reload: Reload | None = None,
    stop: Event | None = None,
) -> Stats:
    """Filter until the source ends, `stop` is set, or Ctrl-C, which raises KeyboardInterrupt.

    Of a live source the newest frame is filtered, and the others are counted as dropped. The sinks
    get frames at their rate, even while the source or the filter gives none. Devices that fail are
    reopened. Of any other source every frame is filtered, in order. Source and sinks are closed at
    the end in any case.

    `on_stats` is called every half second on the calling thread. `on_notice` is called with a line
    for the user, on any thread. `reload` returns a new filter in place of one that keeps failing.

    Raises what the source, the sinks or the filter raise, if retrying does not help.
    """
    return run_devices(
        Devices(source, sinks), frame_filter,
        options=options, on_stats=on_stats, on_notice=on_notice, reload=reload, stop=stop,
    )  # fmt: skip


def run_devices(
    devices: Devices,
    frame_filter: FilterCallable | PipelinedFilter,
    *,
    options: RunOptions | None = None,
    on_stats: OnStats | None = None,
    on_notice: Notify | None = None,
    reload: Reload | None = None,
    stop: Event | None = None,
) -> Stats:
    """`run` with devices that were opened before. Closes them in any case.

    A `PipelinedFilter` needs a live source.
    """
    on_stats, stop = on_stats or ignore, stop or Event()
    with devices:
        if not (is_live(devices.source) or isinstance(frame_filter, PipelinedFilter)):
            return run_every_frame(devices, frame_filter, on_stats=on_stats, stop=stop)
        options = options or RunOptions()
        rate = options.rate or next(filter(None, map(rate_of, devices.sinks)), None)
        context = RunContext(replace(options, rate=rate), on_notice or ignore, stop)
        return LiveRun(devices, frame_filter, context, reload=reload).run(on_stats)


class LiveRun:
    """Capture, filter and output on a thread each. The calling thread watches over them."""

    def __init__(
        self,
        devices: Devices,
        frame_filter: FilterCallable | PipelinedFilter,
        context: RunContext,
        *,
        reload: Reload | None = None,
    ) -> None:
        self._devices, self._context = devices, context
        self._capture = LiveCapture(devices.source, context)
        self._filter: FilterStage = (
            LivePipelinedFilter(frame_filter, context)
            if isinstance(frame_filter, PipelinedFilter)
            else LiveFilter(frame_filter, context, reload=reload)
        )
        self._output = LiveOutput(
            LiveSinks(devices.sinks, context), context,
            capture=self._capture, filtering=self._filter,
        )  # fmt: skip

    def run(self, on_stats: OnStats) -> Stats:
        """Run until the source ends, or until the run is stopped. Closes the devices."""
        with DeferredInterrupts() as interrupts:
            try:
                for thread in (self._capture.thread, self._filter.thread, self._output.thread):
                    thread.start()
                self._watch(interrupts, on_stats)
            finally:
                try:
                    self._end()
                finally:
                    on_stats(self.stats())
        if self._output.error is not None:
            raise self._output.error
        return self.stats()

    def stats(self) -> Stats:
        """The statistics up to now."""
        dropped = self._context.captured.dropped + self._context.filtered.dropped
        self._context.stats.set("dropped", dropped)
        return self._context.stats.stats(monotonic())

    def _watch(self, interrupts: DeferredInterrupts, on_stats: OnStats) -> None:
        reported_at = monotonic()
        while self._output.thread.is_alive() and not self._context.stop.is_set():
            interrupts.check()
            self._filter.replace_if_hung()
            if monotonic() - reported_at >= self._context.options.stats_interval:
                reported_at = monotonic()
                on_stats(self.stats())
            self._output.thread.join(POLL)

    def _end(self) -> None:
        """Stop the threads, and close every device that no thread hangs in."""
        self._context.stop.set()
        self._context.captured.close()
        in_use: list[Source | Sink] = []
        if not _ends(self._output.thread):
            in_use += self._devices.sinks
        _ends(self._filter.thread)
        if not _ends(self._capture.thread):
            in_use.append(self._devices.source)
        self._devices.close(in_use=in_use)


def _ends(thread: Thread) -> bool:
    """Wait for the thread for at most `GRACE` seconds. True if it has ended."""
    if thread.is_alive():
        thread.join(GRACE)
    return not thread.is_alive()
