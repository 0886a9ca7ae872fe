"""Recordings and snapshots of frames as they are shown."""

import time
from contextlib import suppress
from fractions import Fraction
from pathlib import Path
from queue import Full, Queue
from threading import Lock, Thread

import av

from turbolens.filter.errors import MediaError
from turbolens.pipelines.base import Notify, SourceInfo
from turbolens.pipelines.letterbox import Fitter, own_copy

from .destination import Destination
from .images.files import save_image
from .writer import Encoding, VideoWriter

MILLISECOND = Fraction(1, 1000)
QUEUE_SIZE = 60  # frames that may wait for the encoder; further ones are dropped
FLUSH_SECONDS = 60.0  # time for the encoder to finish what waits
FAST = Encoding(preset="veryfast")


class Recorder:
    """A sink that encodes a video file on its own thread. Frames get the time of their arrival.

    The first frame decides the size; others are fitted into it. Frames that the encoder is too slow
    for are dropped. `close` completes the file. Raises `MediaError` for a file that cannot be
    written.
    """

    def __init__(
        self, path: str | Path, *, overwrite: bool = False, rate: Fraction = Fraction(30),
        notify: Notify = lambda _: None,
    ) -> None:  # fmt: skip
        destination = Destination(str(path), overwrite=overwrite)
        self.name = f"the recording {path}"
        self.path = destination.final
        info = SourceInfo(name=self.name, rate=rate)
        self._writer = VideoWriter(destination, info, FAST, notify=notify)
        self._queue: Queue[tuple[av.VideoFrame, int] | None] = Queue(QUEUE_SIZE)
        self._thread = Thread(target=self._encode_all, name="record", daemon=True)
        self._began: float | None = None
        self._error: BaseException | None = None
        self._closed = False

    def write(self, frame: av.VideoFrame) -> None:
        """Queue the frame with the present time. Raises the error of an earlier frame."""
        if self._error is not None:
            raise self._error
        now = time.monotonic()
        if self._began is None:
            self._began = now
            self._thread.start()
        with suppress(Full):
            self._queue.put_nowait((frame, round((now - self._began) * 1000)))

    def close(self) -> None:
        """Encode what is queued and complete the file. Without any frame there is no file."""
        if self._closed:
            return
        self._closed = True
        if self._began is None:
            self._writer.discard()
            return
        self._queue.put(None)
        self._thread.join(FLUSH_SECONDS)
        if self._error is not None:
            self._writer.discard()
            raise self._error
        self._writer.finish()

    def _encode_all(self) -> None:
        try:
            self._encode()
        except BaseException as error:  # noqa: BLE001 - edge of a thread: raised in the caller's
            self._error = error
            while not self._queue.empty():  # so that `close` does not wait for room
                self._queue.get()

    def _encode(self) -> None:
        fit: Fitter | None = None
        last = -1
        while (item := self._queue.get()) is not None:
            frame, milliseconds = item
            fit = fit or Fitter(frame.width // 2 * 2, frame.height // 2 * 2)
            last = max(last + 1, milliseconds)
            fitted = fit(frame)
            if fitted is frame:  # shared with other sinks, which need its own time
                fitted = own_copy(frame)
            fitted.pts, fitted.time_base = last, MILLISECOND
            self._writer.write(fitted)


class RecordingSink:
    """A sink that can start and stop recordings, and save the last frame as an image."""

    name = "the recording"

    def __init__(self, notify: Notify = lambda _: None) -> None:
        self._lock, self._notify = Lock(), notify
        self._recorder: Recorder | None = None
        self._last: av.VideoFrame | None = None

    @property
    def recording(self) -> Path | None:
        """The file of the current recording, `None` if there is none."""
        recorder = self._recorder
        return None if recorder is None else recorder.path

    def start_recording(self, recorder: Recorder) -> None:
        """Write all frames to this recorder from now on."""
        with self._lock:
            self._recorder = recorder

    def stop_recording(self) -> Path | None:
        """Complete the recording and return its file, `None` if there was no recording."""
        with self._lock:
            recorder, self._recorder = self._recorder, None
        if recorder is None:
            return None
        recorder.close()
        return recorder.path

    def snapshot(self, path: Path) -> None:
        """Save the last frame as an image. Raises `MediaError` if there is none, or it fails."""
        frame = self._last
        if frame is None:
            raise MediaError("nothing has been shown yet, so there is no picture to save")
        # A copy, because PyAV converts in a context that belongs to the frame, and other threads
        # use this frame too: two threads in one context deadlock.
        save_image(own_copy(frame), Destination(str(path), overwrite=True))

    def write(self, frame: av.VideoFrame) -> None:
        """Keep the frame for `snapshot`, and record it. An error ends the recording only."""
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
