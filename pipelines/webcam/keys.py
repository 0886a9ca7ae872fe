"""Single keys from the terminal, without waiting for Enter, while something else runs."""

import os
import select
import sys
import time
from collections.abc import Callable
from threading import Event, Thread
from types import TracebackType
from typing import Any

ESCAPE = "\x1b"  # begins the bytes of an arrow or a function key, which together are one key
POLL = 0.1  # seconds: how soon the listening ends


class Keys:
    """Calls `on_key` with each key that is pressed, from a thread of its own, in a `with` block.

    Does nothing where standard input is no terminal. Ctrl-C stays what it is.
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
            self._before = _without_lines(self._descriptor)
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
        """Whether there is a terminal to listen to."""
        return self._thread is not None

    def _listen(self) -> None:
        while not self._ended.is_set():
            typed = _typed(self._descriptor)
            for key in [typed] if typed.startswith(ESCAPE) else typed:
                self._on_key(key)


def _terminal() -> int | None:
    try:
        return sys.stdin.fileno() if sys.stdin.isatty() else None
    except (ValueError, OSError, AttributeError):  # closed, or replaced by something else
        return None


if sys.platform == "win32":
    import msvcrt

    def _without_lines(_: int) -> list[Any] | None:
        return None

    def _restore(_: int, __: list[Any]) -> None:
        """Nothing was changed."""

    def _typed(_: int | None) -> str:
        time.sleep(POLL)
        return msvcrt.getwch() if msvcrt.kbhit() else ""

else:
    import termios
    import tty

    def _without_lines(descriptor: int) -> list[Any] | None:
        before = termios.tcgetattr(descriptor)
        tty.setcbreak(descriptor, termios.TCSADRAIN)
        return before

    def _restore(descriptor: int, before: list[Any]) -> None:
        termios.tcsetattr(descriptor, termios.TCSADRAIN, before)

    def _typed(descriptor: int | None) -> str:
        """What was typed, or nothing if nothing comes soon."""
        if descriptor is None:
            return ""
        ready, _, _ = select.select([descriptor], [], [], POLL)
        if not ready:
            return ""
        pressed = os.read(descriptor, 32)
        if not pressed:
            time.sleep(POLL)  # the terminal is gone
        return pressed.decode("utf-8", "ignore")
