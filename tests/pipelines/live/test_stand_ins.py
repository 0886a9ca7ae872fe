"""`run` while the filter or the camera is late: repeats, reprojection, the slate."""

from itertools import dropwhile
from threading import Event
from time import monotonic

import av
import pytest

from turbolens.filter import FrameError
from turbolens.pipelines.live.options import RunOptions
from turbolens.pipelines.live.running import run

from .live_parts import QUICK, WAIT, Camera, Screen, lighter, numbered


def test_a_paced_sink_gets_the_slate_until_the_first_picture_is_there() -> None:
    ready = Event()

    def warming_up(frame: av.VideoFrame) -> av.VideoFrame:
        assert ready.wait(WAIT)
        return frame

    class Watched(Screen):
        def write(self, frame: av.VideoFrame) -> None:
            super().write(frame)
            if len(self.shown) == 5:
                ready.set()

    screen = Watched(rate=100)
    stats = run(Camera(3), warming_up, screen)
    assert screen.shown[:5] == [None] * 5
    assert screen.shown[-1] == 2
    assert stats.stalled >= 5


def test_a_filter_that_is_slower_than_the_sink_is_compensated_by_repeats() -> None:
    screen = Screen(rate=100)

    def slow(frame: av.VideoFrame) -> av.VideoFrame:
        screen.wait_for(4)
        return frame

    def pace(index: int) -> None:
        if index:
            screen.wait_for(6)

    stats = run(Camera(5, pace), slow, screen)
    assert stats.repeated >= 3 * (stats.filtered - 1) > 0
    assert stats.sent == len(screen.shown)


class ReprojectingFilter:
    """A filter that hangs at its second frame, and reprojects its first result meanwhile."""

    def __init__(self) -> None:
        self.enough = Event()
        self.calls = 0
        self.reprojected: list[int] = []

    def __call__(self, frame: av.VideoFrame) -> av.VideoFrame:
        self.calls += 1
        if self.calls > 1:
            assert self.enough.wait(WAIT)
        return frame

    def reproject(self, frame: av.VideoFrame) -> av.VideoFrame:
        self.reprojected.append(frame.pts or 0)
        if len(self.reprojected) == 5:
            self.enough.set()
        return numbered(1000 + (frame.pts or 0))


@pytest.mark.slow
def test_while_the_filter_is_busy_its_last_result_is_reprojected() -> None:
    reprojecting, screen = ReprojectingFilter(), Screen(rate=100)
    camera = Camera(40, lambda _: screen.wait_for(2))
    stats = run(camera, reprojecting, screen, options=RunOptions(deadline=WAIT))
    assert stats.reprojected >= 5
    assert len(set(reprojecting.reprojected)) == len(
        reprojecting.reprojected
    )  # each camera frame once
    assert {1000 + pts for pts in reprojecting.reprojected} <= set(screen.shown)


@pytest.mark.slow
def test_the_output_never_steps_back_in_time() -> None:
    """A result that is older than the last frame shown is reprojected before it is shown."""
    screen = Screen(rate=100)

    class Numbering(ReprojectingFilter):
        def __call__(self, frame: av.VideoFrame) -> av.VideoFrame:
            screen.wait_for(5)
            return frame

        def reproject(self, frame: av.VideoFrame) -> av.VideoFrame:
            self.reprojected.append(frame.pts or 0)
            return frame

    numbering = Numbering()
    stats = run(Camera(80, lambda _: screen.wait_for()), numbering, screen,
                options=RunOptions(deadline=WAIT))  # fmt: skip
    times = [pts for pts in screen.shown if pts is not None]
    assert times == sorted(times)
    assert len(set(times)) > stats.filtered > 5
    assert stats.reprojected > stats.filtered


def test_a_reprojection_that_would_slow_down_the_output_is_tried_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("turbolens.pipelines.live.reprojection_budget.RETRY_AFTER", 1000.0)
    now, stop, reprojected = [monotonic()], Event(), list[int]()
    monkeypatch.setattr("turbolens.pipelines.live.reprojection.monotonic", lambda: now[0])

    class Ending(Screen):
        def write(self, frame: av.VideoFrame) -> None:
            if reprojected and len(self.shown) > 40:
                stop.set()
            super().write(frame)

    class Costly:
        def __call__(self, frame: av.VideoFrame) -> av.VideoFrame:
            screen.wait_for(4)
            return frame

        def reproject(self, frame: av.VideoFrame) -> av.VideoFrame:
            reprojected.append(frame.pts or 0)
            now[0] += 0.1
            return frame

    screen = Ending(rate=100, stop=stop)
    camera = Camera(10**7, lambda _: screen.wait_for())
    stats = run(camera, Costly(), screen, stop=stop, options=RunOptions(deadline=WAIT))
    assert len(reprojected) == stats.reprojected == 1
    assert stats.repeated > 1


@pytest.mark.slow
def test_after_a_failure_of_the_filter_nothing_is_reprojected() -> None:
    """Reprojection shows parts of the unfiltered frame, which must not happen after a failure."""
    screen = Screen(rate=100)

    class Failing(ReprojectingFilter):
        def __call__(self, frame: av.VideoFrame) -> av.VideoFrame:
            if screen.shown.count(0):
                raise FrameError("it broke")
            return numbered(0)

    failing = Failing()
    run(Camera(40, lambda _: screen.wait_for(2)), failing, screen)
    assert len(failing.reprojected) <= 2  # before the failure
    assert set(screen.shown) <= {None, 0, *(1000 + pts for pts in failing.reprojected)}


@pytest.mark.parametrize("on_stall", ["slate", "last", "passthrough"])
def test_when_the_filter_hangs_on_stall_says_what_is_shown(on_stall: str) -> None:
    stop, hung, first = Event(), Event(), list[int | None]()

    def hangs(frame: av.VideoFrame) -> av.VideoFrame:
        if first:
            hung.set()
            stop.wait(WAIT)
        first.append(frame.pts)
        return lighter(frame)

    screen = Screen(rate=100, until=60, stop=stop)
    camera = Camera(10**6, lambda _: screen.wait_for())
    options = RunOptions(deadline=0.05, on_stall=on_stall)  # type: ignore[arg-type]
    notices: list[str] = []
    run(camera, hangs, screen, options=options, on_notice=notices.append, stop=stop)
    assert hung.is_set()
    if on_stall == "passthrough":
        assert len(set(screen.shown) - {None, first[0]}) > 1
    elif on_stall == "last":
        assert screen.shown[59] == first[0]
    else:  # and never the camera itself
        assert screen.shown[59] is None
        assert set(screen.shown) == {first[0], None}
    assert sum("no filtered picture" in notice for notice in notices) == 1


def test_while_a_camera_gives_nothing_and_no_error_the_slate_is_shown() -> None:
    screen = Screen(rate=100)

    def stalled() -> bool:
        """True if the slate was shown after a picture."""
        shown = list(dropwhile(lambda pts: pts is None, screen.shown))
        return None in shown

    def stall(index: int) -> None:
        while index == 5 and not stalled():
            screen.wait_for(1)

    notices: list[str] = []
    run(Camera(10, stall), lighter, screen, options=QUICK, on_notice=notices.append)
    assert screen.shown[-1] == 9
    assert [notice.partition(" pictures")[0] for notice in notices[-1:]] == ["filtered"]
