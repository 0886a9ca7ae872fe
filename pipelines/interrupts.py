"""`DeferredInterrupts`: handles Ctrl-C at safe points only."""

import signal
from collections.abc import Callable
from threading import current_thread, main_thread
from types import FrameType, TracebackType
from typing import Any

SIGNALS = (signal.SIGINT, signal.SIGTERM)


class DeferredInterrupts:
    """In a `with` block, the first Ctrl-C or SIGTERM waits for `check`; a second one acts at once.

    Without this, a KeyboardInterrupt could be raised after a lock was acquired and before the
    `with` statement that releases it was entered. Every thread that needs the lock would then wait
    forever. `check` calls the handler that was installed before. On other threads than the main
    one, which get no signals, this class does nothing.
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

    def check(self) -> None:
        """Handle a pending signal now. Usually raises KeyboardInterrupt."""
        if self._pending is not None:
            (number, frame), self._pending = self._pending, None
            self._handlers[number](number, frame)
