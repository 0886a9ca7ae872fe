"""The second thread of a live run: filters the newest frame, and reloads a filter that fails."""

import logging
from collections.abc import Callable
from threading import Thread
from time import monotonic
from typing import Protocol, TypeAlias

import av

from turbolens.filter.errors import ModelError, SettingsError, TurbolensError
from turbolens.pipelines.base import FilterCallable, checked_result
from turbolens.pipelines.statistics import Smoothed

from .context import CapturedFrame, FilteredFrame, RunContext
from .pacing import back_off, is_due, without_suspend

Reload: TypeAlias = Callable[[], FilterCallable]

POLL = 0.1  # seconds until a waiting thread notices that it should end
RELOAD_AFTER = 3  # failures in a row, and again after every 3 more
GIVE_UP_AFTER = 6  # failures in a row of a filter that has never worked
log = logging.getLogger(__name__)


class FilterStage(Protocol):
    """The second thread of a live run, as the other two see it."""

    thread: Thread

    @property
    def reprojector(self) -> object:
        """What may have a method `reproject`."""

    @property
    def usual_seconds(self) -> float:
        """How long a result usually takes, smoothed; 0 if unknown."""

    @property
    def failing(self) -> bool:
        """True if the last frame could not be filtered."""

    def replace_if_hung(self) -> None:
        """If the filter hangs, start again with another one. Called by another thread."""


class LiveFilter:
    """Filters the newest captured frame, again and again.

    A failure costs one frame. After several in a row, `reload` returns a new filter. It also does
    if a call hangs for `hang_after` seconds: the thread of that call is abandoned. A filter that
    has never worked ends the run with its error.
    """

    def __init__(
        self, frame_filter: FilterCallable, context: RunContext, *, reload: Reload | None = None
    ) -> None:
        self.frame_filter = frame_filter
        self._context, self._reload = context, reload
        self._generation = 0
        self._busy_since: float | None = None
        self._watched_at = monotonic()
        self._failures, self._has_worked = 0, False
        self._duration = Smoothed()
        self.thread = self._new_thread(reload_first=False)

    @property
    def reprojector(self) -> object:
        """The filter in use."""
        return self.frame_filter

    @property
    def usual_seconds(self) -> float:
        """How long a call of the filter takes, smoothed; 0 if unknown."""
        return float(self._duration)

    @property
    def failing(self) -> bool:
        """True if the last frame could not be filtered."""
        return self._failures > 0

    def _new_thread(self, *, reload_first: bool) -> Thread:
        self._generation += 1
        return Thread(
            target=self._run, args=(self._generation, reload_first), name="filter", daemon=True
        )

    def replace_if_hung(self) -> None:
        """If the filter hangs, start a new thread with a reloaded one. Called by another thread."""
        hang_after, now = self._context.options.hang_after, monotonic()
        busy_since = self._busy_since  # which the other thread may clear
        if busy_since is not None:
            self._busy_since = without_suspend(
                busy_since, last=self._watched_at, now=now, usual=POLL
            )
        self._watched_at = now
        hangs = self._has_worked and is_due(self._busy_since, now, hang_after)
        if not hangs or self._reload is None:
            return
        self._busy_since = None
        self._context.notify(
            f"the filter has not answered for {hang_after:.0f} s; loading it again"
        )
        self.thread = self._new_thread(reload_first=True)
        self.thread.start()

    def _run(self, generation: int, reload_first: bool) -> None:
        error: BaseException | None = None
        try:
            if reload_first:
                self._load_again()
            self._loop(generation)
        except BaseException as raised:  # noqa: BLE001 - the edge of a thread: raised in the caller's
            error = raised
        if generation == self._generation:
            self._context.filtered.close(error)

    def _loop(self, generation: int) -> None:
        captured, stop = self._context.captured, self._context.stop
        while generation == self._generation and not (captured.ended or stop.is_set()):
            newest = captured.take(POLL)
            if newest is not None:
                self._filter(newest, generation)

    def _filter(self, captured: CapturedFrame, generation: int) -> None:
        began = self._busy_since = monotonic()
        try:
            frame = checked_result(self.frame_filter(captured.frame))
        except Exception as error:  # noqa: BLE001 - any filter: one frame is lost, not the run
            if generation == self._generation:
                self._busy_since = None
                self._failed(error)
            return
        if generation == self._generation:  # else it hung, and a new filter is in use
            self._busy_since = None
            self._succeeded(captured, frame, began)

    def _succeeded(self, captured: CapturedFrame, frame: av.VideoFrame, began: float) -> None:
        now, stats = monotonic(), self._context.stats
        if self._has_worked:  # the first call may have loaded a model
            self._duration.add(now - began)
        if self._failures:
            self._context.notify("the filter works again")
        self._failures, self._has_worked = 0, True
        stats.count("filtered", now)
        stats.stage("wait", began - captured.at)
        stats.stage("filter", now - began)
        self._context.filtered.put(FilteredFrame(frame, captured.at, now))

    def _failed(self, error: Exception) -> None:
        self._failures += 1
        self._context.stats.count("failures")
        permanent = isinstance(error, SettingsError | ModelError)
        if not self._has_worked and (permanent or self._failures >= GIVE_UP_AFTER):
            raise error
        if self._failures == 1:
            if not isinstance(error, TurbolensError):
                log.warning("the filter failed", exc_info=error)
            self._context.notify(
                f"the filter failed ({type(error).__name__}: {error}); trying it again"
            )
        if self._reload and self._has_worked and self._failures % RELOAD_AFTER == 0:
            self._load_again()
        else:
            self._context.stop.wait(back_off(self._failures, first=0.02, longest=1.0))

    def _load_again(self) -> None:
        """Reload the filter. Tries again until it succeeds or the run ends."""
        assert self._reload is not None  # noqa: S101 - both callers ask before
        attempt = 0
        while not self._context.stop.is_set():
            attempt += 1
            try:
                self.frame_filter = self._reload()
            except Exception as error:
                log.warning("loading the filter again failed", exc_info=error)
                self._context.stop.wait(back_off(attempt, first=1.0, longest=30.0))
                continue
            self._context.stats.count("reloads")
            self._context.notify("the filter was loaded again")
            return
