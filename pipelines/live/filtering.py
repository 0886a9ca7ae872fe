"""The second thread of a live pipeline: the filter on the newest frame, mended when it fails."""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from threading import Event, Thread
from time import monotonic
from typing import TypeAlias

import av

from turbolens.filter.errors import ModelError, SettingsError
from turbolens.pipelines.base import Notify, PictureFilter
from turbolens.pipelines.statistics import StatsCollector

from .capture import Captured
from .latest import Latest
from .pacing import back_off, is_due

Reload: TypeAlias = Callable[[], PictureFilter]

USUAL = 0.1  # weight of the last call in the estimate of its usual time
POLL = 0.1  # seconds: how soon a thread notices that it is to end
RELOAD_AFTER = 3  # failures in a row, and again after as many more
GIVE_UP_AFTER = 6  # failures in a row, where no frame was ever filtered: it is not a mishap
log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Picture:
    """A filtered frame, when its frame was captured and when it was finished (seconds)."""

    frame: av.VideoFrame
    captured_at: float
    finished_at: float


class LiveFilter:
    """Filters the newest captured frame, over and over.

    One failure costs a frame. After several in a row, and where a call does not come back for
    `hang_after` seconds (its thread is then left to itself), `reload` gives a new filter. A filter
    that has never worked ends the run with its error. `usual` is how many seconds a call takes.
    """

    def __init__(
        self,
        frame_filter: PictureFilter,
        captured: Latest[Captured],
        filtered: Latest[Picture],
        *,
        tally: StatsCollector,
        stop: Event,
        notify: Notify,
        reload: Reload | None = None,
        hang_after: float = 20.0,
    ) -> None:
        self.frame_filter = frame_filter
        self._captured, self._filtered = captured, filtered
        self._tally, self._stop, self._notify = tally, stop, notify
        self._reload, self._hang_after = reload, hang_after
        self._generation = 0
        self._busy_since: float | None = None
        self._failures, self._worked = 0, False
        self.usual = 0.0
        self.thread = self._new_thread(renew=False)

    @property
    def failing(self) -> bool:
        """Whether the last frame could not be filtered."""
        return self._failures > 0

    def _new_thread(self, *, renew: bool) -> Thread:
        self._generation += 1
        return Thread(
            target=self._run, args=(self._generation, renew), name="filter", daemon=True
        )  # fmt: skip

    def watch(self) -> None:
        """Called now and then by another thread: put a new filter in place of one that hangs."""
        hangs = self._worked and is_due(self._busy_since, monotonic(), self._hang_after)
        if not hangs or self._reload is None:
            return
        self._busy_since = None
        self._notify(f"the filter has not answered for {self._hang_after:.0f} s; loading it anew")
        self.thread = self._new_thread(renew=True)
        self.thread.start()

    def _run(self, generation: int, renew: bool) -> None:
        error: BaseException | None = None
        try:
            if renew:
                self._renew()
            self._loop(generation)
        except BaseException as raised:  # noqa: BLE001 - the edge of a thread: raised in the caller's
            error = raised
        if generation == self._generation:
            self._filtered.close(error)

    def _loop(self, generation: int) -> None:
        while generation == self._generation and not (self._captured.ended or self._stop.is_set()):
            captured = self._captured.take(POLL)
            if captured is not None:
                self._filter(captured, generation)

    def _filter(self, captured: Captured, generation: int) -> None:
        began = self._busy_since = monotonic()
        try:
            frame = self.frame_filter(captured.frame)
        except Exception as error:  # noqa: BLE001 - one frame of a call in progress is lost, not the call
            if generation == self._generation:
                self._busy_since = None
                self._failed(error)
            return
        if generation != self._generation:
            return  # it came back after all, but a new filter is at work
        now = monotonic()
        self._busy_since = None
        if self._worked:  # the first call may have loaded a model
            weight = USUAL if self.usual else 1.0
            self.usual += weight * (now - began - self.usual)
        self._succeeded()
        self._tally.count("filtered", now)
        self._tally.stage("wait", began - captured.at)
        self._tally.stage("filter", now - began)
        self._filtered.put(Picture(frame, captured.at, now))

    def _succeeded(self) -> None:
        if self._failures:
            self._notify("the filter works again")
        self._failures, self._worked = 0, True

    def _failed(self, error: Exception) -> None:
        self._failures += 1
        self._tally.count("failures")
        mistake = isinstance(error, SettingsError | ModelError)
        if not self._worked and (mistake or self._failures >= GIVE_UP_AFTER):
            raise error
        if self._failures == 1:
            log.warning("the filter failed", exc_info=error)
            self._notify(f"the filter failed ({type(error).__name__}: {error}); it is tried again")
        if self._reload and self._worked and self._failures % RELOAD_AFTER == 0:
            self._renew()
        else:
            self._stop.wait(back_off(self._failures, first=0.02, longest=1.0))

    def _renew(self) -> None:
        """Load the filter anew, however often that takes, until the run ends."""
        assert self._reload is not None  # noqa: S101 - asked before
        attempt = 0
        while not self._stop.is_set():
            attempt += 1
            try:
                self.frame_filter = self._reload()
            except Exception as error:
                log.warning("loading the filter anew failed", exc_info=error)
                self._stop.wait(back_off(attempt, first=1.0, longest=30.0))
                continue
            self._tally.count("reloads")
            self._notify("the filter was loaded anew")
            return
