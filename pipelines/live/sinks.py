"""The sinks of a live run: one that fails is reopened, while the others go on."""

import logging
from collections.abc import Sequence
from time import monotonic

import av

from turbolens.filter.errors import TurbolensError
from turbolens.pipelines.base import Reopenable, Sink

from .context import RunContext
from .pacing import back_off

log = logging.getLogger(__name__)


class LiveSinks:
    """Writes each frame to every sink that works.

    A sink that fails is retried with growing pauses if it can be reopened, and dropped if it
    cannot. `write` raises the error of a sink that fails at its first frame, and the error of the
    last one when all were dropped.
    """

    def __init__(self, sinks: Sequence[Sink], context: RunContext) -> None:
        self._sinks = [_LiveSink(sink, context) for sink in sinks]

    def write(self, frame: av.VideoFrame) -> None:
        """Write the frame to all sinks that work."""
        for sink in self._sinks:
            sink.write(frame)
        errors = [sink.error for sink in self._sinks if sink.error]
        if errors and len(errors) == len(self._sinks):
            raise errors[-1]


class _LiveSink:
    """One sink. `error` is set once it failed for good."""

    def __init__(self, sink: Sink, context: RunContext) -> None:
        self._sink, self._context = sink, context
        self.error: Exception | None = None
        self._has_written = False
        self._failures, self._retry_at = 0, 0.0

    def write(self, frame: av.VideoFrame) -> None:
        if self.error is not None or (self._failures and monotonic() < self._retry_at):
            return
        try:
            if self._failures:
                self._reopen()
            self._sink.write(frame)
        except Exception as error:
            if not (self._has_written and getattr(self._sink, "has_sent", True)):
                raise
            self._failed(error)
            return
        if self._failures:
            self._failures = 0
            self._context.notify(f"{self._name} is back")
        self._has_written = True

    @property
    def _name(self) -> str:
        return str(getattr(self._sink, "name", type(self._sink).__name__))

    def _reopen(self) -> None:
        assert isinstance(self._sink, Reopenable)  # noqa: S101 - any other has an `error`
        self._sink.reopen()
        self._context.stats.count("reopened")

    def _failed(self, error: Exception) -> None:
        if not isinstance(self._sink, Reopenable):
            self.error = error
            self._context.notify(f"{self._name} failed and is left out: {error}")
            return
        self._failures += 1
        self._retry_at = monotonic() + back_off(self._failures)
        if self._failures == 1:
            if not isinstance(error, TurbolensError):
                log.warning("%s failed", self._name, exc_info=error)
            self._context.notify(
                f"{self._name} failed ({error}); opening it again until it is back"
            )
