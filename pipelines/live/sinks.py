"""The sinks of a live pipeline: one that fails is opened again, and does not hold up the others."""

import logging
from collections.abc import Sequence
from time import monotonic

import av

from turbolens.pipelines.base import Notify, Reopenable, Sink
from turbolens.pipelines.statistics import StatsCollector

from .pacing import back_off

log = logging.getLogger(__name__)


class LiveSinks:
    """Writes each frame to every sink that works.

    One that fails and can be reopened is tried again with growing pauses; one that cannot is left
    out. Raises the error of one that fails at its first frame, and of the last that is left out.
    """

    def __init__(self, sinks: Sequence[Sink], *, tally: StatsCollector, notify: Notify) -> None:
        self._outlets = [_Outlet(sink, tally, notify) for sink in sinks]

    def write(self, frame: av.VideoFrame) -> None:
        """Show the frame wherever that is possible."""
        for outlet in self._outlets:
            outlet.write(frame)
        errors = [outlet.gone for outlet in self._outlets if outlet.gone]
        if errors and len(errors) == len(self._outlets):
            raise errors[-1]

    def close(self) -> None:
        """Close every sink. The first error is raised when all are closed."""
        errors = [error for outlet in self._outlets if (error := outlet.close())]
        if errors:
            raise errors[0]


class _Outlet:
    """One sink and its state."""

    def __init__(self, sink: Sink, tally: StatsCollector, notify: Notify) -> None:
        self.sink, self._tally, self._notify = sink, tally, notify
        self.gone: Exception | None = None
        self._worked = False
        self._attempt, self._next_attempt = 0, 0.0

    def write(self, frame: av.VideoFrame) -> None:
        if self.gone is not None or (self._attempt and monotonic() < self._next_attempt):
            return
        try:
            if self._attempt:
                self._reopen()
            self.sink.write(frame)
        except Exception as error:
            if not self._worked:
                raise
            self._failed(error)
            return
        if self._attempt:
            self._attempt = 0
            self._notify(f"{self._name} is back")
        self._worked = True

    def close(self) -> Exception | None:
        """Close the sink. What it raises is given back, so that the others are closed too."""
        try:
            self.sink.close()
        except Exception as error:  # noqa: BLE001 - a device of any maker
            return error
        return None

    @property
    def _name(self) -> str:
        return str(getattr(self.sink, "name", type(self.sink).__name__))

    def _reopen(self) -> None:
        assert isinstance(self.sink, Reopenable)  # noqa: S101 - else it would be gone
        self.sink.reopen()
        self._tally.count("reopened")

    def _failed(self, error: Exception) -> None:
        if not isinstance(self.sink, Reopenable):
            self.gone = error
            self._notify(f"{self._name} failed and is left out: {error}")
            return
        self._attempt += 1
        self._next_attempt = monotonic() + back_off(self._attempt)
        if self._attempt == 1:
            log.warning("%s failed", self._name, exc_info=error)
            self._notify(f"{self._name} failed ({error}); opening it again until it is back")
