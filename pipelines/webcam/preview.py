"""`Preview`: a window that shows the result, made by FFmpeg's player `ffplay`."""

import os
import shutil
import subprocess
import sys
from contextlib import suppress
from threading import Thread

import av

from turbolens.filter.errors import MediaError
from turbolens.pipelines.letterbox import Fitter, packed_bytes
from turbolens.pipelines.live.latest_slot import LatestSlot

from .browser import has_display

CLOSE_TIMEOUT = 3.0  # seconds that the window gets to close
FAILED = 1  # exit code of ffplay without a window, or whose display has gone


def check_display() -> None:
    """Raise `MediaError` if there is no display for a window, as over SSH."""
    if "SDL_VIDEODRIVER" not in os.environ and not has_display():
        raise MediaError(
            "--preview needs a display for its window, and there is none: DISPLAY and"
            " WAYLAND_DISPLAY are not set; leave out --preview, or use --record FILE"
        )


class Preview:
    """A sink that shows frames in a window. Closing the window ends only the preview.

    The newest frame wins, so that a slow window delays nothing. Raises `MediaError` if ffplay is
    not installed.
    """

    name = "the preview"

    def __init__(self, *, title: str = "Turbolens") -> None:
        program = shutil.which("ffplay")
        if program is None:
            raise MediaError(
                "--preview needs the program ffplay, which comes with ffmpeg"
                " (sudo apt install ffmpeg · brew install ffmpeg · winget install ffmpeg)"
            )
        self._program, self._title = program, title
        self._slot: LatestSlot[av.VideoFrame] = LatestSlot()
        self._reason = "the window was closed"
        self._process: subprocess.Popen[bytes] | None = None
        self._thread = Thread()

    def write(self, frame: av.VideoFrame) -> None:
        """Show the frame. Raises `MediaError` once the window was closed."""
        if self._process is None:
            size = max(2, frame.width // 2 * 2), max(2, frame.height // 2 * 2)
            self._process = self._started(*size)
            self._fit = Fitter(*size)
            self._thread = Thread(
                target=self._show, args=(self._process,), name="preview", daemon=True
            )
            self._thread.start()
        if self._slot.ended:
            raise MediaError(self._reason)
        self._slot.put(frame)

    def _started(self, width: int, height: int) -> subprocess.Popen[bytes]:
        command = [
            self._program, "-loglevel", "fatal", "-fflags", "nobuffer", "-flags", "low_delay",
            "-f", "rawvideo", "-pixel_format", "yuv420p", "-video_size", f"{width}x{height}",
            "-framerate", "60", "-window_title", self._title, "-i", "-",
        ]  # fmt: skip
        # Without a list, SDL takes a driver without a window if the display does not answer.
        environment = {"SDL_VIDEODRIVER": "wayland,x11"} if sys.platform.startswith("linux") else {}
        return subprocess.Popen(  # noqa: S603
            command,
            stdin=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env={**environment, **os.environ},
        )  # fmt: skip

    def _show(self, process: subprocess.Popen[bytes]) -> None:
        assert process.stdin is not None  # noqa: S101
        assert process.stderr is not None  # noqa: S101
        with suppress(OSError, ValueError):  # the window was closed
            while (frame := self._slot.take()) is not None:
                process.stdin.write(packed_bytes(self._fit(frame)).tobytes())
                process.stdin.flush()
        with suppress(subprocess.TimeoutExpired):
            if process.wait(CLOSE_TIMEOUT) == FAILED:
                self._reason = _failure(process.stderr.read())
        self._slot.close()
        self._slot.take(0.0)  # a frame that came meanwhile would keep the slot from ending

    def close(self) -> None:
        """Close the window. May be called twice."""
        self._slot.close()
        process, self._process = self._process, None
        if process is None:
            return
        process.terminate()
        try:
            process.wait(CLOSE_TIMEOUT)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        self._thread.join(CLOSE_TIMEOUT)
        for pipe in (process.stdin, process.stderr):
            if pipe is not None:
                with suppress(OSError):  # flushes frames that the window no longer takes
                    pipe.close()


def _failure(output: bytes) -> str:
    """The error for a player that has failed. output: what it wrote to stderr."""
    lines = [line.strip() for line in output.decode("utf-8", "replace").strip().splitlines()]
    for line in lines:
        if "SDL" in line:
            return f"ffplay could not open a window ({line}); is there a display?"
    reason = lines[0] if lines else "no reason given"
    return f"ffplay has ended ({reason}); is the display still there?"
