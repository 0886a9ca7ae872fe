"""The first thread of a live run: takes frames from the source and reopens it after a failure."""

from threading import Thread
from time import monotonic

import av

from turbolens.pipelines.base import Reopenable, Source
from turbolens.pipelines.errors import reason

from .context import CapturedFrame, RunContext
from .pacing import back_off

FAILURES = (OSError, av.FFmpegError)


class LiveCapture:
    """Puts every frame of the source into the slot `captured`.

    A source that fails after its first frame is reopened until it works or the run ends, if it can
    be. The end of the source closes the slot, and so does any other error, which then is raised by
    the slot.
    """

    def __init__(self, source: Source, context: RunContext) -> None:
        self._source, self._context = source, context
        self._failures = 0  # in a row
        self.newest: CapturedFrame | None = None
        self.thread = Thread(target=self._run, name="capture", daemon=True)

    def _run(self) -> None:
        error: BaseException | None = None
        try:
            while not self._context.stop.is_set() and not self._read():
                pass
        except BaseException as raised:  # noqa: BLE001 - the edge of a thread: raised in the caller's
            error = raised
        self._context.captured.close(error)

    def _read(self) -> bool:
        """Take frames. True at the end, False after a failure that reopening may repair."""
        try:
            if self._failures:
                self._reopen()
            for frame in self._source:
                if self._context.stop.is_set():
                    return True
                self._take(frame)
        except FAILURES as error:
            if self.newest is None or not isinstance(self._source, Reopenable):
                raise
            self._wait_after(error)
            return False
        return True

    def _reopen(self) -> None:
        assert isinstance(self._source, Reopenable)  # noqa: S101 - `_read` raises for any other
        self._source.reopen()
        self._context.stats.count("reopened")

    def _take(self, frame: av.VideoFrame) -> None:
        if self._failures:
            self._failures = 0
            self._context.notify("the source is back")
        now = monotonic()
        self._context.stats.count("captured", now)
        self.newest = CapturedFrame(frame, now)
        self._context.captured.put(self.newest)

    def _wait_after(self, error: BaseException) -> None:
        self._failures += 1
        if self._failures == 1:
            self._context.notify(
                f"the source is lost ({reason(error)}); opening it again until it is back"
            )
        self._context.stop.wait(back_off(self._failures))
