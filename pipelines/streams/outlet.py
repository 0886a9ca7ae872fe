"""What is written to a server goes through a program of its own, which may hang."""

import json
import os
import subprocess
import sys
from contextlib import suppress
from queue import Full, Queue
from threading import Thread
from typing import Any

import av
from av.container import OutputContainer

from turbolens.filter.errors import MediaError

from .endpoints import OPEN_SECONDS, STALL_SECONDS, Place
from .sender import CONTAINER, READY, WANTED

CLOSING_SECONDS = 3.0  # for what is still on its way, and the server's goodbye
WAITING = 64  # writes that may wait for a slow server: about as many packets


class Outlet:
    """The sending program (`stream_sender`) of one connection, and a file to write packets to.

    `container` is an output of PyAV whose packets go there; `connected` waits until the server has
    taken the stream. A server that says nothing for `OPEN_SECONDS`, or takes nothing for
    `STALL_SECONDS`, is an error. Raises `MediaError`.
    """

    def __init__(self, place: Place, options: dict[str, str]) -> None:
        self._place, self._asked = place, False
        wanted = {
            "name": place.name, "format": place.format, "options": options,
            "open_seconds": OPEN_SECONDS,
        }  # fmt: skip
        self._process = subprocess.Popen(
            [sys.executable, "-m", "turbolens.pipelines.streams.sender"],
            env={**os.environ, WANTED: json.dumps(wanted)}, stderr=subprocess.DEVNULL,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, **_deaf_to_ctrl_c(),
        )  # fmt: skip
        self._queue: Queue[bytes | None] = Queue(WAITING)
        self._thread = Thread(target=self._pump, name="outlet", daemon=True)
        self._thread.start()

    def container(self) -> OutputContainer:
        """To be written to."""
        return av.open(
            self, "w", format=CONTAINER, container_options={"flush_packets": "1"}
        )  # fmt: skip

    def connected(self) -> None:
        """Wait, the first time, for the server. Raises `MediaError` where it does not answer."""
        if self._asked:
            return
        self._asked = True
        assert self._process.stdout is not None  # noqa: S101 - asked for
        said = self._process.stdout.readline().decode().strip()
        if said != READY:
            raise MediaError(self._cannot(said or f"no answer for {OPEN_SECONDS:.0f} seconds"))

    def write(self, data: bytes) -> int:
        """Called by PyAV. Raises `MediaError` for a server that has left or takes nothing."""
        with suppress(Full):
            self._queue.put(bytes(data), timeout=STALL_SECONDS)
            if self._thread.is_alive():
                return len(data)
        if self._thread.is_alive():
            raise MediaError(self._cannot(f"it takes nothing for {STALL_SECONDS:.0f} seconds"))
        raise MediaError(self._cannot(self._last_words()))

    def close(self) -> None:
        """Let what was written arrive, as far as the server takes it soon."""
        with suppress(Full):
            self._queue.put(None, timeout=CLOSING_SECONDS)
            self._thread.join(CLOSING_SECONDS)
            with suppress(subprocess.TimeoutExpired):
                self._process.wait(CLOSING_SECONDS)
        self.kill()
        self._thread.join()
        assert self._process.stdout is not None  # noqa: S101 - asked for
        self._process.stdout.close()

    def kill(self) -> None:
        """End the program at once, from any thread; who waits for it gets an error."""
        self._process.kill()
        self._process.wait()

    def _pump(self) -> None:
        assert self._process.stdin is not None  # noqa: S101 - asked for
        with suppress(OSError), self._process.stdin as pipe:
            while (data := self._queue.get()) is not None:
                pipe.write(data)
                pipe.flush()

    def _last_words(self) -> str:
        assert self._process.stdout is not None  # noqa: S101 - asked for
        said = self._process.stdout.readline().decode().strip()
        return said if said not in ("", READY) else "the connection was lost"

    def _cannot(self, why: str) -> str:
        return f"cannot send to {self._place.name}: {why}"


def _deaf_to_ctrl_c() -> dict[str, Any]:
    """Ctrl-C ends this program, which then ends the other in good order."""
    if sys.platform == "win32":
        return {"creationflags": subprocess.CREATE_NEW_PROCESS_GROUP}
    return {"start_new_session": True}
