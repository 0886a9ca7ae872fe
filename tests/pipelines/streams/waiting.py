"""Waiting for a condition, with a failure that says what did not happen."""

import time
from collections.abc import Callable
from pathlib import Path
from threading import Event
from typing import TypeVar

T = TypeVar("T")

TIME_LIMIT = 60.0
INTERVAL = 0.1


def wait_until(condition: Callable[[], T], what: str, *, seconds: float = TIME_LIMIT) -> T:
    """Poll until the condition is true, and return its value. Raises `TimeoutError`."""
    deadline = time.monotonic() + seconds
    while not (value := condition()):
        if time.monotonic() > deadline:
            raise TimeoutError(f"waited {seconds:.0f} seconds in vain for {what}")
        Event().wait(INTERVAL)
    return value


def wait_for_listener(port: int) -> None:
    """Wait until a program accepts TCP connections at this port."""
    wait_until(lambda: _is_listening(port), f"a listener at port {port}")


def _is_listening(port: int) -> bool:
    """Read from the kernel's table, because a connection would be taken for the stream."""
    wanted = f":{port:04X} 00000000:0000 0A"
    return any(wanted in line for line in Path("/proc/net/tcp").read_text().splitlines())
