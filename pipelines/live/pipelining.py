"""The second thread of a live run whose filter takes frames before earlier results are there."""

from threading import Thread
from time import monotonic

import av

from turbolens.pipelines.base import PipelinedFilter
from turbolens.pipelines.statistics import Smoothed

from .context import FilteredFrame, RunContext
from .filtering import POLL


class LivePipelinedFilter:
    """Submits the newest captured frame, again and again. Results come on a thread of the filter.

    A filter of this kind recovers by itself: while it gives no results, the output shows a
    stand-in. An error of `submit` ends the run.
    """

    failing = False

    def __init__(self, frame_filter: PipelinedFilter, context: RunContext) -> None:
        self._filter, self._context = frame_filter, context
        self._interval = Smoothed()
        self._last = 0.0
        self.thread = Thread(target=self._run, name="filter", daemon=True)

    @property
    def reprojector(self) -> object:
        """The filter."""
        return self._filter

    @property
    def usual_seconds(self) -> float:
        """The time between two results, smoothed; 0 if unknown. Outages count as the deadline."""
        return float(self._interval)

    def replace_if_hung(self) -> None:
        """Do nothing: `submit` does not wait."""

    def _run(self) -> None:
        error: BaseException | None = None
        try:
            self._filter.start(self._deliver)
            self._submit_all()
        except BaseException as raised:  # noqa: BLE001 - the edge of a thread: raised in the caller's
            error = raised
        self._context.filtered.close(error)

    def _submit_all(self) -> None:
        captured, stop = self._context.captured, self._context.stop
        while not (captured.ended or stop.is_set()):
            newest = captured.take(POLL)
            if newest is not None:
                self._filter.submit(newest.frame, newest.at)

    def _deliver(self, frame: av.VideoFrame, captured_at: float) -> None:
        now, stats = monotonic(), self._context.stats
        if self._last:
            self._interval.add(min(now - self._last, self._context.options.deadline))
        self._last = now
        stats.count("filtered", now)
        stats.stage("filter", now - captured_at)
        self._context.filtered.put(FilteredFrame(frame, captured_at, now))
