"""The first thread of a live pipeline: it takes frames from the source, again after a failure."""

from dataclasses import dataclass
from threading import Event, Thread
from time import monotonic

import av

from turbolens.pipelines.base import Notify, Reopenable, Source
from turbolens.pipelines.errors import reason
from turbolens.pipelines.statistics import StatsCollector

from .latest import Latest
from .pacing import back_off

FAILURES = (OSError, av.FFmpegError)


@dataclass(frozen=True)
class Captured:
    """A frame of the source, and when it came (seconds of the monotonic clock)."""

    frame: av.VideoFrame
    at: float


class LiveCapture:
    """Puts every frame of a source into a slot.

    A source that fails after its first frame is reopened, if it can be, until the run ends. The end
    of the source, and any other error, close the slot.
    """

    def __init__(
        self, source: Source, captured: Latest[Captured], *, tally: StatsCollector, stop: Event,
        notify: Notify,
    ) -> None:  # fmt: skip
        self._source, self._captured = source, captured
        self._tally, self._stop, self._notify = tally, stop, notify
        self._attempt = 0
        self.newest: Captured | None = None
        self.thread = Thread(target=self._run, name="capture", daemon=True)

    def _run(self) -> None:
        error: BaseException | None = None
        try:
            while not self._stop.is_set() and not self._read():
                pass
        except BaseException as raised:  # noqa: BLE001 - the edge of a thread: raised in the caller's
            error = raised
        self._captured.close(error)

    def _read(self) -> bool:
        """Take frames until the end (true) or a failure that reopening may mend (false)."""
        try:
            if self._attempt:
                self._reopen()
            for frame in self._source:
                if self._stop.is_set():
                    return True
                self._take(frame)
        except FAILURES as error:
            if self.newest is None or not isinstance(self._source, Reopenable):
                raise
            self._lost(error)
            return False
        return True

    def _reopen(self) -> None:
        assert isinstance(self._source, Reopenable)  # noqa: S101 - checked before it was lost
        self._source.reopen()
        self._tally.count("reopened")

    def _take(self, frame: av.VideoFrame) -> None:
        if self._attempt:
            self._attempt = 0
            self._notify("the source is back")
        now = monotonic()
        self._tally.count("captured", now)
        self.newest = Captured(frame, now)
        self._captured.put(self.newest)

    def _lost(self, error: BaseException) -> None:
        self._attempt += 1
        if self._attempt == 1:
            self._notify(f"the source is lost ({reason(error)}); opening it again until it is back")
        self._stop.wait(back_off(self._attempt))
