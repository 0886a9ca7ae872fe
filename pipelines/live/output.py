"""The third thread of a live run: shows a frame in every period of the sinks' rate."""

from fractions import Fraction
from threading import Thread
from time import monotonic

import av

from turbolens.pipelines.statistics import CounterName

from .capture import LiveCapture
from .context import CapturedFrame, FilteredFrame, RunContext
from .filtering import POLL, FilterStage
from .pacing import StandIn, Window, choose_stand_in, without_suspend
from .reprojection import LiveReprojection
from .reprojection_budget import LATE, reprojection_seconds
from .sinks import LiveSinks
from .slate import slate

WAITING, LOADING = "waiting for the video", "loading"
SLATE_SIZE = 640, 360  # used as long as there is no camera frame
COUNTERS: dict[StandIn, CounterName] = {
    "reprojected": "reprojected", "repeated": "repeated", "slate": "stalled", "camera": "stalled",
}  # fmt: skip


class LiveOutput:
    """Shows filtered frames, and in place of late ones what `pacing.choose_stand_in` says.

    Without a rate, filtered frames are shown as they come, and nothing in place of late ones.
    """

    def __init__(
        self,
        sinks: LiveSinks,
        context: RunContext,
        *,
        capture: LiveCapture,
        filtering: FilterStage,
    ) -> None:
        self._sinks, self._context = sinks, context
        self._capture, self._filtering = capture, filtering
        self._options = context.options
        self._shown: FilteredFrame | None = None
        self._shown_at = 0.0
        self._reprojection = LiveReprojection(
            lambda: filtering.reprojector, float(1 / (context.options.rate or 1))
        )
        self._slate: av.VideoFrame | None = None
        self._slate_of = (0, 0, "")  # width, height and text
        self._stalled = False
        self.error: BaseException | None = None
        self.thread = Thread(target=self._run, name="output", daemon=True)

    def _run(self) -> None:
        try:
            if self._options.rate is None:
                self._show_all()
            else:
                self._show_paced(self._options.rate)
        except BaseException as error:  # noqa: BLE001 - the edge of a thread: raised in the caller's
            self.error = error

    def _show_all(self) -> None:
        filtered = self._context.filtered
        while not (filtered.ended or self._context.stop.is_set()):
            fresh = filtered.take(POLL)
            if fresh is not None:
                self._show_fresh(fresh)

    def _show_paced(self, rate: Fraction) -> None:
        filtered, stop = self._context.filtered, self._context.stop
        period = float(1 / rate)
        window = Window(monotonic() + period / 2, period)
        while not stop.is_set():
            began = monotonic()
            stop.wait(max(0.0, window.opens - monotonic()))
            latest = window.closes - self._reprojection.lead
            fresh = filtered.take(max(0.0, latest - monotonic()))
            if fresh is not None:
                self._show_fresh(fresh)
            elif filtered.ended:
                return
            else:
                self._shown_at = without_suspend(
                    self._shown_at, last=began, now=monotonic(), usual=period
                )
                self._show_stand_in()
            window = window.following(monotonic(), fresh=fresh is not None)

    def _show_fresh(self, fresh: FilteredFrame) -> None:
        began, stats = monotonic(), self._context.stats
        frame, captured_at = self._never_older(fresh)
        self._sinks.write(frame)
        now = monotonic()
        self._shown, self._shown_at = fresh, now
        stats.count("sent", now)
        stats.stage("pace", began - fresh.finished_at)
        stats.stage("send", now - began)
        stats.latency(now - captured_at)
        if self._stalled:
            self._stalled = False
            self._context.notify("filtered pictures are shown again")

    def _never_older(self, fresh: FilteredFrame) -> tuple[av.VideoFrame, float]:
        """The frame to show for a fresh result, and when it was captured.

        If a reprojected frame of a later time was shown, the result is reprojected too: the picture
        must not step back in time.
        """
        steps_back = self._reprojection.is_newer_than(fresh.captured_at)
        self._reprojection.clear()
        newest = self._capture.newest
        if steps_back and newest is not None and self._reprojection.update(newest):
            self._context.stats.count("reprojected")
            return self._reprojection.frame or fresh.frame, newest.at
        return fresh.frame, fresh.captured_at

    @property
    def _deadline(self) -> float:
        """Seconds without a fresh frame after which the output counts as stalled."""
        return max(self._options.deadline, LATE * self._filtering.usual_seconds)

    def _show_stand_in(self) -> None:
        now, newest = monotonic(), self._capture.newest
        usual = self._filtering.usual_seconds
        choice = choose_stand_in(
            fresh_age=None if self._shown is None else now - self._shown_at,
            camera_age=None if newest is None else now - newest.at,
            reproject_for=0.0 if self._filtering.failing else reprojection_seconds(usual),
            deadline=self._deadline, on_stall=self._options.on_stall,
        )  # fmt: skip
        if choice == "reprojected" and not self._reprojection.update(newest):
            choice = "repeated"
        self._note_stall(choice)
        self._sinks.write(self._frame_for(choice, newest))
        self._context.stats.count(COUNTERS[choice])
        self._context.stats.count("sent", monotonic())

    def _frame_for(self, choice: StandIn, newest: CapturedFrame | None) -> av.VideoFrame:
        if choice == "camera" and newest is not None:
            return newest.frame
        if choice in ("reprojected", "repeated") and self._shown is not None:
            return self._reprojection.frame or self._shown.frame
        return self._slate_like(newest)

    def _slate_like(self, newest: CapturedFrame | None) -> av.VideoFrame:
        """A slate of the camera's size. Until the first result it says what is waited for."""
        size = SLATE_SIZE if newest is None else (newest.frame.width, newest.frame.height)
        text = ""
        if self._shown is None and not self._filtering.failing:
            text = WAITING if newest is None else LOADING
        if self._slate is None or self._slate_of != (*size, text):
            self._slate, self._slate_of = slate(*size, text), (*size, text)
        return self._slate

    def _note_stall(self, choice: StandIn) -> None:
        """Notify once per stall. Not before the first fresh frame, which may take its time."""
        seconds = monotonic() - self._shown_at
        if self._shown is None or self._stalled or seconds <= self._deadline:
            return
        self._stalled = True
        words = {"camera": "the unfiltered camera", "slate": "the slate"}
        shown = words.get(choice, "the last picture")
        self._context.notify(f"no filtered picture for {seconds:.1f} s; showing {shown}")
