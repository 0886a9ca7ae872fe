"""`StopRequest`: Ctrl-C and SIGTERM wait until a training step is complete."""

import signal
from threading import current_thread, main_thread
from types import FrameType, TracebackType
from typing import Any

SIGNALS = (signal.SIGINT, signal.SIGTERM)


class StopRequest:
    """In a `with` block the first Ctrl-C or SIGTERM waits for `check`; a second one acts at once.

    So the state of a run can be saved between two steps. On other threads than the main one, which
    get no signals, this class does nothing.
    """

    def __init__(self) -> None:
        self.requested = False
        self._handlers: dict[int, Any] = {}

    def __enter__(self) -> "StopRequest":
        if current_thread() is main_thread():
            for number in SIGNALS:
                if signal.getsignal(number) is not signal.SIG_IGN:  # as in a shell's background job
                    self._handlers[number] = signal.signal(number, self._note)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        for number, handler in self._handlers.items():
            signal.signal(number, handler)

    def check(self) -> None:
        """Raise KeyboardInterrupt if there was a signal."""
        if self.requested:
            raise KeyboardInterrupt

    def _note(self, number: int, _: FrameType | None) -> None:
        if self.requested:
            raise KeyboardInterrupt
        self.requested = True
