"""What is shown, kept: a recording of every frame sent, and single pictures."""

import time
from fractions import Fraction
from pathlib import Path
from queue import Full, Queue
from threading import Lock, Thread

import av

from turbolens.filter.errors import MediaError
from turbolens.pipelines.base import Notify, SourceInfo
from turbolens.pipelines.letterbox import Fitter, own_copy

from .destination import Destination
from .writer import Encoding, VideoWriter

MILLISECOND = Fraction(1, 1000)
WAITING = 60  # frames that may wait for the encoder; more are left out, so that nothing is held up
FINISHING = 60.0  # seconds that the encoder gets for what waits
FAST = Encoding(preset="veryfast")


class Recorder:
    """A sink that writes a video file on a thread of its own, at the times when frames come.

    The first frame decides the size; others are fitted into it. Closing completes the file. Raises
    `MediaError` for a file that cannot be written; frames that the encoder is too slow for are left
    out and counted in `left_out`.
    """

    def __init__(
        self, path: str | Path, *, overwrite: bool = False, rate: Fraction = Fraction(30),
        notify: Notify = lambda _: None,
    ) -> None:  # fmt: skip
        target = Destination(str(path), overwrite=overwrite)
        self.name = f"the recording {path}"
        self.path = target.final
        self.left_out = 0
        info = SourceInfo(name=self.name, rate=rate)
        self._writer = VideoWriter(target, info, FAST, notify=notify)
        self._waiting: Queue[tuple[av.VideoFrame, int] | None] = Queue(WAITING)
        self._thread = Thread(target=self._write_all, name="record", daemon=True)
        self._began: float | None = None
        self._error: BaseException | None = None
        self._closed = False

    def write(self, frame: av.VideoFrame) -> None:
        """Keep this frame with the present time. Raises what the writing of an earlier one did."""
        if self._error is not None:
            raise self._error
        now = time.monotonic()
        if self._began is None:
            self._began = now
            self._thread.start()
        try:
            self._waiting.put_nowait((frame, round((now - self._began) * 1000)))
        except Full:
            self.left_out += 1

    def close(self) -> None:
        """Write what waits and complete the file. Without any frame there is no file."""
        if self._closed:
            return
        self._closed = True
        if self._began is None:
            self._writer.discard()
            return
        self._waiting.put(None)
        self._thread.join(FINISHING)
        if self._error is not None:
            self._writer.discard()
            raise self._error
        self._writer.finish()

    def _write_all(self) -> None:
        try:
            self._encode()
        except BaseException as error:  # noqa: BLE001 - the edge of a thread: raised in the caller's
            self._error = error
            while not self._waiting.empty():  # so that `close` finds room
                self._waiting.get()

    def _encode(self) -> None:
        fit: Fitter | None = None
        last = -1
        while (item := self._waiting.get()) is not None:
            frame, milliseconds = item
            fit = fit or Fitter(frame.width // 2 * 2, frame.height // 2 * 2)
            last = max(last + 1, milliseconds)
            fitted = fit(frame)
            if fitted is frame:  # others show it too, with its own time
                fitted = own_copy(frame)
            fitted.pts, fitted.time_base = last, MILLISECOND
            self._writer.write(fitted)


class RecordingSink:
    """A sink that remembers the last frame, and holds a recording that begins and ends any time."""

    name = "the recording"

    def __init__(self, notify: Notify = lambda _: None) -> None:
        self._lock, self._notify = Lock(), notify
        self._recorder: Recorder | None = None
        self._last: av.VideoFrame | None = None

    @property
    def recording(self) -> Path | None:
        """The file that is being recorded."""
        recorder = self._recorder
        return None if recorder is None else recorder.path

    def record(self, recorder: Recorder) -> None:
        """Send all frames there from now on."""
        with self._lock:
            self._recorder = recorder

    def stop_recording(self) -> Path | None:
        """Complete the recording and tell its file; none if there was none."""
        with self._lock:
            recorder, self._recorder = self._recorder, None
        if recorder is None:
            return None
        recorder.close()
        return recorder.path

    def snapshot(self, path: Path) -> None:
        """Save the last frame as a picture. Raises `MediaError` if there is none, or it fails."""
        frame = self._last
        if frame is None:
            raise MediaError("nothing has been shown yet, so there is no picture to save")
        try:
            # PyAV converts in a context of the frame's own, and others have this frame too: two
            # threads in one context wait for each other for ever.
            own_copy(frame).save(str(path))
        except (av.FFmpegError, OSError, ValueError) as error:
            raise MediaError(f"cannot write {path}: {error}") from error

    def write(self, frame: av.VideoFrame) -> None:
        """Remember the frame, and record it if that is asked for. A recording that fails ends."""
        self._last = frame
        with self._lock:
            try:
                if self._recorder is not None:
                    self._recorder.write(frame)
            except MediaError as error:
                self._recorder = None
                self._notify(f"the recording has ended: {error}")

    def close(self) -> None:
        """Complete the recording. May be called twice."""
        self.stop_recording()
