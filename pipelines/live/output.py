"""The third thread of a live pipeline: at every beat of the sinks it shows the best it has."""

from fractions import Fraction
from threading import Event, Thread
from time import monotonic

import av

from turbolens.pipelines.base import Notify
from turbolens.pipelines.statistics import CounterName, StatsCollector

from .capture import Captured, LiveCapture
from .filtering import POLL, LiveFilter, Picture
from .latest import Latest
from .pacing import Choice, OnStall, Window, instead
from .reprojection import LATE, LiveReprojection, moving_seconds
from .sinks import LiveSinks
from .slate import slate

SLATE_SIZE = 640, 360  # where no camera has told another
COUNTED: dict[Choice, CounterName] = {
    "moved": "reprojected", "again": "repeated", "slate": "stalled", "camera": "stalled",
}  # fmt: skip


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
        filtering: LiveFilter,
        tally: StatsCollector,
        notify: Notify,
        stop: Event,
        rate: Fraction | None,
        deadline: float = 2.0,
        on_stall: OnStall = "slate",
    ) -> None:
        self._filtered, self._sinks = filtered, sinks
        self._capture, self._filtering = capture, filtering
        self._tally, self._notify, self._stop = tally, notify, stop
        self._rate, self._deadline, self._on_stall = rate, deadline, on_stall
        self._shown: Picture | None = None
        self._shown_at = 0.0
        self._reprojection = LiveReprojection(
            lambda: filtering.frame_filter, float(1 / (rate or 1))
        )  # fmt: skip
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
            latest = window.closes - self._reprojection.lead
            picture = self._filtered.take(max(0.0, latest - monotonic()))
            if picture is not None:
                self._send_fresh(picture)
            elif self._filtered.ended:
                return
            else:
                self._send_instead()
            window = window.following(monotonic(), fresh=picture is not None)

    def _send_fresh(self, picture: Picture) -> None:
        began, captured_at = monotonic(), picture.captured_at
        frame, turns_back = picture.frame, self._reprojection.shows_later_than(captured_at)
        self._reprojection.forget()
        newest = self._capture.newest
        if turns_back and newest is not None and self._reprojection.move(newest):
            frame, captured_at = self._reprojection.moved or frame, newest.at
            self._tally.count("reprojected")
        self._sinks.write(frame)
        now = monotonic()
        self._shown, self._shown_at = picture, now
        self._tally.count("sent", now)
        self._tally.stage("pace", began - picture.finished_at)
        self._tally.stage("send", now - began)
        self._tally.latency(now - captured_at)
        if self._stalled:
            self._stalled = False
            self._notify("filtered pictures are shown again")

    def _send_instead(self) -> None:
        now, newest = monotonic(), self._capture.newest
        usual = LATE * self._filtering.usual
        choice = instead(
            shown_age=None if self._shown is None else now - self._shown_at,
            camera_age=None if newest is None else now - newest.at,
            moving=0.0 if self._filtering.failing else moving_seconds(self._filtering.usual),
            deadline=max(self._deadline, usual), on_stall=self._on_stall,
        )  # fmt: skip
        if choice == "moved" and not self._reprojection.move(newest):
            choice = "again"
        self._note_stall(choice)
        self._sinks.write(self._picture_for(choice, newest))
        self._tally.count(COUNTED[choice])
        self._tally.count("sent", monotonic())

    def _picture_for(self, choice: Choice, newest: Captured | None) -> av.VideoFrame:
        if choice == "camera" and newest is not None:
            return newest.frame
        if choice in ("moved", "again") and self._shown is not None:
            return self._reprojection.moved or self._shown.frame
        return self._slate_like(newest)

    def _slate_like(self, newest: Captured | None) -> av.VideoFrame:
        shown = newest.frame if newest is not None else None
        size = (shown.width, shown.height) if shown is not None else SLATE_SIZE
        if self._slate is None or (self._slate.width, self._slate.height) != size:
            self._slate = slate(*size)
        return self._slate

    def _note_stall(self, choice: Choice) -> None:
        """Say it once when pictures stop; not before the first one, which may take its time."""
        seconds = monotonic() - self._shown_at
        late = seconds > max(self._deadline, LATE * self._filtering.usual)
        if late and self._shown is not None and not self._stalled:
            self._stalled = True
            words = {"camera": "the unfiltered camera", "slate": "the slate"}
            shown = words.get(choice, "the last picture")
            self._notify(f"no filtered picture for {seconds:.1f} s; showing {shown}")
