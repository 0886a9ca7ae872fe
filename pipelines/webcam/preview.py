"""`Preview`: a window that shows the result, made by FFmpeg's player `ffplay`."""

import shutil
import subprocess
from contextlib import suppress
from threading import Thread

import av

from turbolens.filter.errors import MediaError
from turbolens.pipelines.letterbox import Fitter, packed_bytes
from turbolens.pipelines.live.latest_slot import LatestSlot

CLOSE_TIMEOUT = 3.0  # seconds that the window gets to close


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
        self._process: subprocess.Popen[bytes] | None = None
        self._thread = Thread(target=self._show, name="preview", daemon=True)

    def write(self, frame: av.VideoFrame) -> None:
        """Show the frame. Raises `MediaError` once the window was closed."""
        if self._process is None:
            size = max(2, frame.width // 2 * 2), max(2, frame.height // 2 * 2)
            self._process = self._started(*size)
            self._fit = Fitter(*size)
            self._thread.start()
        if self._slot.ended:
            raise MediaError("the window was closed")
        self._slot.put(frame)

    def _started(self, width: int, height: int) -> subprocess.Popen[bytes]:
        command = [
            self._program, "-loglevel", "quiet", "-fflags", "nobuffer", "-flags", "low_delay",
            "-f", "rawvideo", "-pixel_format", "yuv420p", "-video_size", f"{width}x{height}",
            "-framerate", "60", "-window_title", self._title, "-i", "-",
        ]  # fmt: skip
        return subprocess.Popen(command, stdin=subprocess.PIPE)  # noqa: S603

    def _show(self) -> None:
        assert self._process is not None  # noqa: S101 - started before this thread
        assert self._process.stdin is not None  # noqa: S101
        with suppress(OSError, ValueError):  # the window was closed
            while (frame := self._slot.take()) is not None:
                self._process.stdin.write(packed_bytes(self._fit(frame)).tobytes())
                self._process.stdin.flush()
        self._slot.close()

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
        if process.stdin is not None:
            with suppress(OSError):  # flushes frames that the window no longer takes
                process.stdin.close()
