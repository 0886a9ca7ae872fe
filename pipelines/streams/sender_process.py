"""Writes to a server through a process of its own (`sender.py`), because a server may block."""

import json
import os
import subprocess
import sys
from contextlib import suppress
from queue import Full, Queue
from threading import Thread
from typing import IO, Any

import av
from av.container import OutputContainer

from turbolens.filter.errors import MediaError

from .endpoints import OPEN_SECONDS, STALL_SECONDS, Endpoint
from .sender import CONTAINER, READY, REQUEST_VARIABLE

CLOSE_SECONDS = 3.0  # for data that is still queued, and for the server to say goodbye
QUEUE_SIZE = 64  # writes that may wait for a slow server; about as many packets


class SenderProcess:
    """The process of one connection, and a file object for the packets to send.

    `container` is a PyAV output that writes to it. `wait_connected` waits until the server has
    accepted the stream. Raises `MediaError` if the server does not answer for `OPEN_SECONDS`, or
    accepts no data for `STALL_SECONDS`.
    """

    def __init__(self, endpoint: Endpoint, options: dict[str, str]) -> None:
        self._endpoint, self._connected = endpoint, False
        request = {
            "name": endpoint.name, "format": endpoint.format, "options": options,
            "open_seconds": OPEN_SECONDS,
        }  # fmt: skip
        self._process = subprocess.Popen(
            [sys.executable, "-m", "turbolens.pipelines.streams.sender"],
            env={**os.environ, REQUEST_VARIABLE: json.dumps(request)}, stderr=subprocess.DEVNULL,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, **_without_ctrl_c(),
        )  # fmt: skip
        self._queue: Queue[bytes | None] = Queue(QUEUE_SIZE)
        self._thread = Thread(target=self._write_queued, name="send", daemon=True)
        self._thread.start()

    def container(self) -> OutputContainer:
        """A PyAV output whose packets are sent."""
        return av.open(self, "w", format=CONTAINER, container_options={"flush_packets": "1"})

    def wait_connected(self) -> None:
        """Wait for the server, on the first call. Raises `MediaError` if it does not answer."""
        if self._connected:
            return
        self._connected = True
        line = self._read_line()
        if line != READY:
            raise self._error(line or f"no answer for {OPEN_SECONDS:.0f} seconds")

    def write(self, data: bytes) -> int:
        """Called by PyAV. Raises `MediaError` if the server has left or accepts no data."""
        with suppress(Full):
            self._queue.put(bytes(data), timeout=STALL_SECONDS)
            if self._thread.is_alive():
                return len(data)
        if self._thread.is_alive():
            raise self._error(f"it takes nothing for {STALL_SECONDS:.0f} seconds")
        line = self._read_line()
        raise self._error(line if line not in ("", READY) else "the connection was lost")

    def close(self) -> None:
        """Send what is queued, for a few seconds at most, and end the process."""
        with suppress(Full):
            self._queue.put(None, timeout=CLOSE_SECONDS)
            self._thread.join(CLOSE_SECONDS)
            with suppress(subprocess.TimeoutExpired):
                self._process.wait(CLOSE_SECONDS)
        self.kill()
        self._thread.join()
        self._stdout.close()

    def kill(self) -> None:
        """End the process at once, from any thread. Waiting calls then raise `MediaError`."""
        self._process.kill()
        self._process.wait()

    def _write_queued(self) -> None:
        assert self._process.stdin is not None  # noqa: S101 - opened as a pipe
        with suppress(OSError), self._process.stdin as pipe:
            while (data := self._queue.get()) is not None:
                pipe.write(data)
                pipe.flush()

    @property
    def _stdout(self) -> IO[bytes]:
        assert self._process.stdout is not None  # noqa: S101 - opened as a pipe
        return self._process.stdout

    def _read_line(self) -> str:
        """The next line of the process; empty if it has ended."""
        return self._stdout.readline().decode().strip()

    def _error(self, why: str) -> MediaError:
        return MediaError(f"cannot send to {self._endpoint.name}: {why}")


def _without_ctrl_c() -> dict[str, Any]:
    """Options of a process that Ctrl-C does not reach, so that this program can close it."""
    if sys.platform == "win32":
        return {"creationflags": subprocess.CREATE_NEW_PROCESS_GROUP}
    return {"start_new_session": True}
