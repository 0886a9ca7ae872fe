"""The third thread of a live pipeline: at every beat of the sinks it shows the best it has."""

import logging
from collections.abc import Callable
from fractions import Fraction
from threading import Event, Thread
from time import monotonic

import av

from .base import Notify, PictureFilter, Reprojecting
from .latest import Latest
from .live_capture import Captured, LiveCapture
from .live_filter import POLL, Picture
from .live_sinks import LiveSinks
from .pacing import Choice, OnStall, Window, instead
from .slate import slate
from .statistics import Tally

SLATE_SIZE = 640, 360  # where no camera has told another
COUNTED = {"moved": "reprojected", "again": "repeated", "slate": "stalled", "camera": "stalled"}
log = logging.getLogger(__name__)


class LiveOutput:
    """Shows filtered pictures, and in place of late ones what `pacing.instead` chooses.

    Without a rate pictures are sent as they come, and nothing in their place.
    """

    def __init__(  # noqa: PLR0913
        self,
        filtered: Latest[Picture],
        sinks: LiveSinks,
        *,
        capture: LiveCapture,
        frame_filter: Callable[[], PictureFilter],
        tally: Tally,
        notify: Notify,
        stop: Event,
        rate: Fraction | None,
        deadline: float = 2.0,
        on_stall: OnStall = "slate",
    ) -> None:
        self._filtered, self._sinks = filtered, sinks
        self._capture, self._frame_filter = capture, frame_filter
        self._tally, self._notify, self._stop = tally, notify, stop
        self._rate, self._deadline, self._on_stall = rate, deadline, on_stall
        self._shown: Picture | None = None
        self._shown_at = 0.0
        self._moved: tuple[Captured, av.VideoFrame] | None = None
        self._slate: av.VideoFrame | None = None
        self._stalled = False
        self.error: BaseException | None = None
        self.thread = Thread(target=self._run, name="output", daemon=True)

    def _run(self) -> None:
        try:
            if self._rate is None:
                self._send_all()
            else:
                self._send_paced(float(1 / self._rate))
        except BaseException as error:  # noqa: BLE001 - the edge of a thread: raised in the caller's
            self.error = error

    def _send_all(self) -> None:
        while not (self._filtered.ended or self._stop.is_set()):
            picture = self._filtered.take(POLL)
            if picture is not None:
                self._send_fresh(picture)

    def _send_paced(self, period: float) -> None:
        window = Window(monotonic() + period / 2, period)
        while not self._stop.is_set():
            self._stop.wait(max(0.0, window.opens - monotonic()))
            picture = self._filtered.take(max(0.0, window.closes - monotonic()))
            if picture is not None:
                self._send_fresh(picture)
            elif self._filtered.ended:
                return
            else:
                self._send_instead()
            window = window.following(monotonic(), fresh=picture is not None)

    def _send_fresh(self, picture: Picture) -> None:
        began = monotonic()
        self._sinks.write(picture.frame)
        now = monotonic()
        self._shown, self._shown_at, self._moved = picture, now, None
        self._tally.count("sent", now)
        self._tally.stage("pace", began - picture.finished_at)
        self._tally.stage("send", now - began)
        self._tally.latency(now - picture.captured_at)
        if self._stalled:
            self._stalled = False
            self._notify("filtered pictures are shown again")

    def _send_instead(self) -> None:
        now, newest = monotonic(), self._capture.newest
        choice = instead(
            shown_age=None if self._shown is None else now - self._shown_at,
            camera_age=None if newest is None else now - newest.at,
            deadline=self._deadline, on_stall=self._on_stall,
        )  # fmt: skip
        if choice == "moved" and self._move(newest) is None:
            choice = "again"
        self._note_stall(choice)
        self._sinks.write(self._picture_for(choice, newest))
        self._tally.count(COUNTED[choice])
        self._tally.count("sent", monotonic())

    def _picture_for(self, choice: Choice, newest: Captured | None) -> av.VideoFrame:
        if choice == "camera" and newest is not None:
            return newest.frame
        if choice == "moved" and self._moved is not None:
            return self._moved[1]
        if choice == "again" and self._shown is not None:
            return self._moved[1] if self._moved is not None else self._shown.frame
        return self._slate_like(newest)

    def _move(self, newest: Captured | None) -> av.VideoFrame | None:
        """The last picture moved to the newest frame, or none where the filter cannot do that."""
        frame_filter = self._frame_filter()
        if newest is None or self._shown is None or not isinstance(frame_filter, Reprojecting):
            return None
        if self._moved is not None and self._moved[0] is newest:
            return None  # the camera gave nothing since: the same once more
        try:
            frame = frame_filter.reproject(newest.frame)
        except Exception as error:
            log.debug("a picture could not be moved along", exc_info=error)
            return None
        self._moved = None if frame is None else (newest, frame)
        return frame

    def _slate_like(self, newest: Captured | None) -> av.VideoFrame:
        shown = newest.frame if newest is not None else None
        size = (shown.width, shown.height) if shown is not None else SLATE_SIZE
        if self._slate is None or (self._slate.width, self._slate.height) != size:
            self._slate = slate(*size)
        return self._slate

    def _note_stall(self, choice: Choice) -> None:
        """Say it once when pictures stop; not before the first one, which may take its time."""
        late = self._shown is not None and monotonic() - self._shown_at > self._deadline
        if late and not self._stalled:
            self._stalled = True
            words = {"camera": "the unfiltered camera", "slate": "the slate"}
            shown = words.get(choice, "the last picture")
            self._notify(f"no filtered picture for {self._deadline:g} s; showing {shown}")
