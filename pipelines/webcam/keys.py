"""`Keys`: reads single key presses from the terminal, without waiting for Enter."""

import os
import select
import sys
import time
from collections.abc import Callable
from threading import Event, Thread
from types import TracebackType
from typing import Any

ESCAPE = "\x1b"  # first byte of an arrow or function key, which sends several bytes at once
POLL = 0.1  # seconds until the thread notices that it should end


class Keys:
    """Calls `on_key` with each key that is pressed during a `with` block, on a thread of its own.

    descriptor: the file descriptor of a terminal; `None` is standard input. Does nothing if that is
    not a terminal. Ctrl-C works as usual.
    """

    def __init__(self, on_key: Callable[[str], None], *, descriptor: int | None = None) -> None:
        self._on_key = on_key
        self._descriptor = descriptor
        self._ended = Event()
        self._thread: Thread | None = None
        self._before: list[Any] | None = None

    def __enter__(self) -> "Keys":
        if self._descriptor is None:
            self._descriptor = _terminal()
        if self._descriptor is not None:
            self._before = _enter_key_mode(self._descriptor)
            self._thread = Thread(target=self._listen, name="keys", daemon=True)
            self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._ended.set()
        if self._thread is not None:
            self._thread.join(timeout=1.0)
        if self._before is not None and self._descriptor is not None:
            _restore(self._descriptor, self._before)

    @property
    def listening(self) -> bool:
        """True if there is a terminal to read keys from."""
        return self._thread is not None

    def _listen(self) -> None:
        while not self._ended.is_set():
            typed = _typed(self._descriptor)
            for key in [typed] if typed.startswith(ESCAPE) else typed:
                self._on_key(key)


def _terminal() -> int | None:
    try:
        return sys.stdin.fileno() if sys.stdin.isatty() else None
    except (ValueError, OSError, AttributeError):  # closed, or replaced by another object
        return None


if sys.platform == "win32":
    import msvcrt

    def _enter_key_mode(_: int) -> list[Any] | None:
        return None

    def _restore(_: int, __: list[Any]) -> None:
        """Nothing to restore."""

    def _typed(_: int | None) -> str:
        time.sleep(POLL)
        return msvcrt.getwch() if msvcrt.kbhit() else ""

else:
    import termios
    import tty

    def _enter_key_mode(descriptor: int) -> list[Any] | None:
        before = termios.tcgetattr(descriptor)
        tty.setcbreak(descriptor, termios.TCSADRAIN)
        return before

    def _restore(descriptor: int, before: list[Any]) -> None:
        termios.tcsetattr(descriptor, termios.TCSADRAIN, before)

    def _typed(descriptor: int | None) -> str:
        """The keys typed within `POLL` seconds, "" if there are none."""
        if descriptor is None:
            return ""
        ready, _, _ = select.select([descriptor], [], [], POLL)
        if not ready:
            return ""
        pressed = os.read(descriptor, 32)
        if not pressed:
            time.sleep(POLL)  # the terminal was closed: do not read in a busy loop
        return pressed.decode("utf-8", "ignore")
