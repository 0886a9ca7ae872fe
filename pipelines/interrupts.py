"""Ctrl-C taken where it does no harm."""

import signal
from collections.abc import Callable
from threading import current_thread, main_thread
from types import FrameType, TracebackType
from typing import Any

SIGNALS = (signal.SIGINT, signal.SIGTERM)


class DeferredInterrupts:
    """While open, the first Ctrl-C (or SIGTERM) waits for `check`; the second strikes at once.

    A KeyboardInterrupt that is raised between the taking of a lock and the `with` that gives it
    back leaves the lock taken, and every thread that needs it waiting for ever. What is called in
    the end is the handler that was there before, whatever it does. Off the main thread, where no
    signal arrives, it does nothing.
    """

    def __init__(self) -> None:
        self._handlers: dict[int, Callable[[int, FrameType | None], Any]] = {}
        self._pending: tuple[int, FrameType | None] | None = None

    def __enter__(self) -> "DeferredInterrupts":
        if current_thread() is main_thread():
            for number in SIGNALS:
                handler = signal.getsignal(number)
                if callable(handler):
                    self._handlers[number] = handler
                    signal.signal(number, self._note)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        for number, handler in self._handlers.items():
            signal.signal(number, handler)
        if error is None:
            self.check()

    def _note(self, number: int, frame: FrameType | None) -> None:
        if self._pending is None:
            self._pending = (number, frame)
        else:
            self._pending = None
            self._handlers[number](number, frame)

    @property
    def pending(self) -> bool:
        """A signal has come and `check` has not been called since."""
        return self._pending is not None

    def check(self) -> None:
        """Do now what the signal asked for: usually raise KeyboardInterrupt."""
        if self._pending is not None:
            (number, frame), self._pending = self._pending, None
            self._handlers[number](number, frame)
