"""`NodeProcess`: starts the process that owns the node (`node.py`), and sends it frames."""

import subprocess
import sys
from contextlib import suppress
from fractions import Fraction
from queue import Empty, Queue
from select import select
from threading import Thread
from typing import IO

from turbolens.filter.errors import MediaError

from .node import LOST, NODE

NODE_MODULE = "turbolens.pipelines.camera.pipewire.node"
OPEN_SECONDS, CLOSE_SECONDS = 10.0, 3.0
PIPE_BYTES = 1 << 20  # the most that Linux allows by default; fewer wake-ups for each frame


class NodeProcess:
    """One node. Raises `MediaError` if it is not there after `OPEN_SECONDS`.

    The newest frame wins: one that was not sent yet is replaced. `node` is its number.
    """

    def __init__(self, width: int, height: int, rate: Fraction) -> None:
        self._process = subprocess.Popen(  # noqa: S603
            [sys.executable, "-m", NODE_MODULE, str(width), str(height), str(rate)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
            start_new_session=True,  # Ctrl-C does not reach it; this program closes it
        )  # fmt: skip
        self._next: Queue[memoryview | None] = Queue(1)
        try:
            self.node = self._wait_for_node()
        except BaseException:
            self._process.kill()
            self._end()
            raise
        self._thread = Thread(target=self._write_frames, name="PipeWire", daemon=True)
        self._thread.start()

    def send(self, pixels: memoryview) -> None:
        """Send the bytes of a frame. Never waits. Raises `MediaError` once the node is gone."""
        if self._process.poll() is not None or not self._thread.is_alive():
            raise MediaError(self._read_line() or LOST)
        self._put(pixels)

    def close(self) -> None:
        """End the process. May be called once."""
        self._put(None)
        self._thread.join(CLOSE_SECONDS)
        self._end()

    def _put(self, item: memoryview | None) -> None:
        with suppress(Empty):
            self._next.get_nowait()
        self._next.put(item)

    def _write_frames(self) -> None:
        stdin = self._process.stdin
        assert stdin is not None  # noqa: S101 - opened as a pipe
        _enlarge(stdin)
        with suppress(OSError), stdin:
            while (pixels := self._next.get()) is not None:
                stdin.write(pixels)
                stdin.flush()

    def _wait_for_node(self) -> int:
        ready, _, _ = select([self._stdout], [], [], OPEN_SECONDS)
        line = self._read_line() if ready else f"it does not answer for {OPEN_SECONDS:.0f} s"
        word, _, number = line.partition(" ")
        if word != NODE:
            raise MediaError(f"cannot open a PipeWire camera: {line or 'its process ended'}")
        return int(number)

    @property
    def _stdout(self) -> IO[bytes]:
        assert self._process.stdout is not None  # noqa: S101 - opened as a pipe
        return self._process.stdout

    def _read_line(self) -> str:
        """The next line of the process; empty if it has ended."""
        return self._stdout.readline().decode("utf-8", "replace").strip()

    def _end(self) -> None:
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(CLOSE_SECONDS)
        self._process.kill()
        self._process.wait()
        for pipe in (self._process.stdin, self._stdout):
            if pipe is not None:
                with suppress(OSError):  # flushes a frame that nobody reads
                    pipe.close()


def _enlarge(pipe: IO[bytes]) -> None:
    """Make the buffer of a pipe as large as the system allows."""
    import fcntl  # noqa: PLC0415 - not on Windows

    with suppress(OSError):
        fcntl.fcntl(pipe, fcntl.F_SETPIPE_SZ, PIPE_BYTES)
