"""`run`: the newest frame wins, the output never freezes, devices come back, memory is flat."""

import os
import subprocess
import sys
import textwrap
from itertools import dropwhile
from pathlib import Path
from threading import Event, Semaphore, current_thread, main_thread
from time import monotonic

import av
import pytest

from turbolens.filter import FrameError, MediaError
from turbolens.pipelines.live.options import RunOptions
from turbolens.pipelines.live.running import run
from turbolens.pipelines.statistics import Stats

from .live_parts import (
    WAIT,
    Camera,
    CountedFilter,
    FragileScreen,
    Screen,
    Unreliable,
    lighter,
    numbered,
)

QUICK = RunOptions(deadline=0.05, stats_interval=0.01)


class Recorded(Camera):
    """Not live: every frame counts."""

    live = False


def test_every_frame_of_a_source_that_is_not_live_is_filtered_in_order() -> None:
    source, screens = Recorded(200), (Screen(), Screen(rate=5))
    stats = run(source, lighter, *screens)
    assert screens[0].shown == screens[1].shown == list(range(200))
    assert (stats.captured, stats.filtered, stats.sent, stats.dropped) == (200, 200, 200, 0)
    assert (source.closed, screens[0].closed, screens[1].closed) == (1, 1, 1)


def test_of_a_live_source_each_frame_is_shown_or_counted_as_dropped() -> None:
    source, screen = Camera(3000), Screen()
    stats = run(source, lighter, screen)
    assert screen.shown == sorted(set(screen.shown), key=lambda pts: pts or 0)
    assert screen.shown[-1] == 2999
    assert len(screen.shown) + stats.dropped == stats.captured == 3000
    assert (source.closed, screen.closed) == (1, 1)


@pytest.mark.slow
def test_a_slow_filter_never_falls_behind() -> None:
    """Counted, not timed: at each call there is no newer frame than the one in the filter."""
    allowed, given, behind = Semaphore(1), Semaphore(0), list[int]()

    def slow(frame: av.VideoFrame) -> av.VideoFrame:
        behind.append(source.given - 1 - (frame.pts or 0))
        for _ in range(min(10, 400 - source.given)):  # while it is busy, ten more frames come
            allowed.release()
            assert given.acquire(timeout=WAIT)
        return frame

    def one_by_one(index: int) -> None:
        if index:
            given.release()  # the one before
        assert allowed.acquire(timeout=WAIT)

    source = Camera(400, one_by_one)
    stats = run(source, slow, Screen())
    assert stats.dropped > stats.filtered
    assert max(behind) <= 1  # one may come while it is handed over
    assert behind[-1] == 0


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


@pytest.mark.slow
def test_one_failure_of_the_filter_costs_one_frame() -> None:
    refused: list[int] = []

    def fails_once(frame: av.VideoFrame) -> av.VideoFrame:
        if not refused and frame.pts:
            screen.wait_until(1)  # a filter that has worked before
            refused.append(frame.pts or 0)
            raise FrameError("a strange frame")
        return frame

    notices, screen, counted = list[str](), Screen(), CountedFilter(fails_once)
    camera = Camera(40, counted.wait_for)
    stats = run(camera, counted, screen, on_notice=notices.append)
    assert stats.failures == 1
    assert refused[0] not in screen.shown
    assert screen.shown[-1] == 39
    assert [("failed" in notice, "again" in notice) for notice in notices] == [
        (True, True), (False, True),
    ]  # fmt: skip


def test_after_repeated_failures_the_filter_is_loaded_anew_with_one_notice() -> None:
    stop, notices = Event(), list[str]()
    screen = Screen(until=50, stop=stop)

    def breaks(frame: av.VideoFrame) -> av.VideoFrame:
        if screen.shown:
            raise RuntimeError("out of memory")
        return frame

    stats = run(Camera(10**7), breaks, screen, reload=lambda: lighter, stop=stop,
                on_notice=notices.append)  # fmt: skip
    assert (stats.failures, stats.reloads) == (3, 1)
    assert len(screen.shown) >= 50
    assert sum("loaded anew" in notice for notice in notices) == 1


def test_a_filter_that_hangs_is_replaced_by_a_new_one() -> None:
    stop, forever, notices = Event(), Event(), list[str]()
    screen = Screen(until=20, stop=stop)

    def hangs(frame: av.VideoFrame) -> av.VideoFrame:
        if screen.shown:
            forever.wait(WAIT)
        return frame

    options = RunOptions(hang_after=0.2)
    stats = run(Camera(10**7), hangs, screen, reload=lambda: lighter, stop=stop, options=options,
                on_notice=notices.append)  # fmt: skip
    forever.set()
    assert stats.reloads == 1
    assert any("has not answered" in notice for notice in notices)


def test_a_filter_that_never_worked_ends_the_run_with_its_error() -> None:
    def broken(frame: av.VideoFrame) -> av.VideoFrame:
        raise FrameError("frames must be larger")

    source, screen = Camera(10**7), Screen(rate=50)
    with pytest.raises(FrameError, match="must be larger"):
        run(source, broken, screen)
    assert (source.closed, screen.closed) == (1, 1)


def test_a_camera_that_is_unplugged_twice_is_opened_again() -> None:
    pulled = {20, 40}
    notices: list[str] = []

    def pull(index: int) -> None:
        if index in pulled:
            pulled.discard(index)
            raise OSError(19, "No such device")

    camera, screen = Unreliable(60, pull), Screen()
    stats = run(camera, lighter, screen, on_notice=notices.append)
    assert (camera.reopened, stats.reopened) == (2, 2)
    assert screen.shown[-1] == 59
    assert [notice.partition(" (")[0] for notice in notices] == [
        "the source is lost", "the source is back", "the source is lost", "the source is back",
    ]  # fmt: skip


def test_while_the_camera_is_away_the_virtual_camera_shows_the_slate() -> None:
    screen = Screen(rate=100)

    class Busy(Unreliable):
        def reopen(self) -> None:
            super().reopen()
            if None not in screen.shown[3:]:  # busy until the slate has been seen
                raise MediaError(16, "Device or resource busy")

    def pull(index: int) -> None:
        screen.wait_for(2)
        if index == 10 and not camera.reopened:
            raise MediaError("the camera was unplugged")

    camera = Busy(20, pull)
    stats = run(camera, lighter, screen, options=QUICK)
    assert stats.stalled > 0
    assert screen.shown[-1] == 19


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


def test_a_camera_may_come_back_with_another_size() -> None:
    def pull(index: int) -> None:
        if index == 5 and not camera.reopened:
            camera.size = (64, 36)
            raise MediaError("the camera changed its format")

    camera, sizes = Unreliable(10, pull), list[int]()

    def look(frame: av.VideoFrame) -> av.VideoFrame:
        sizes.append(frame.width)
        return frame

    run(camera, look, Screen())
    assert sizes[-1] == 64


def test_a_camera_that_gives_no_first_frame_is_an_error() -> None:
    def pull(index: int) -> None:
        raise MediaError("the camera is busy")

    screen = Screen(rate=30)
    with pytest.raises(MediaError, match="busy"):
        run(Unreliable(10, pull), lighter, screen)
    assert screen.closed == 1


def test_a_source_that_cannot_be_opened_again_ends_the_run_with_its_error() -> None:
    def pull(index: int) -> None:
        if index == 5:
            raise MediaError("the cable broke")

    with pytest.raises(MediaError, match="cable"):
        run(Camera(10, pull), lighter, Screen())


@pytest.mark.slow
def test_a_sink_that_fails_is_reopened_while_the_other_continues() -> None:
    fragile, steady, counted = FragileScreen(lambda n: n in (3, 4)), Screen(), CountedFilter()

    def end_when_it_is_back(index: int) -> None:
        counted.wait_for(index)
        if len(fragile.shown) > 2:
            camera.frames = index + 1

    camera = Camera(10**7, end_when_it_is_back)
    stats = run(camera, counted, fragile, steady)
    assert (fragile.reopened, stats.reopened) == (2, 2)
    assert fragile.shown[-1] == steady.shown[-1] == camera.frames - 1
    assert len(steady.shown) > len(fragile.shown) > 2


def test_a_sink_that_cannot_be_opened_again_is_left_out() -> None:
    class Full(Screen):
        def write(self, frame: av.VideoFrame) -> None:
            if len(self.shown) == 3:
                raise OSError(28, "No space left on device")
            super().write(frame)

    steady, full = Screen(), Full()
    run(Camera(30, steady.wait_until), lighter, steady, full)
    assert steady.shown[-1] == 29
    assert len(full.shown) == 3
    with pytest.raises(OSError, match="No space"):
        run(Camera(10**7), lighter, Full())


def test_the_source_is_closed_and_the_last_statistics_come_if_a_sink_cannot_be_closed() -> None:
    class Stuck(Screen):
        def close(self) -> None:
            raise OSError(28, "No space left on device")

    camera, reported = Camera(5), list[Stats]()
    with pytest.raises(OSError, match="No space"):
        run(camera, lighter, Stuck(), on_stats=reported.append)
    assert camera.closed == 1
    assert reported[-1].captured == 5


def test_a_sink_that_fails_at_its_first_frame_ends_the_run_with_its_error() -> None:
    steady, fragile = Screen(), FragileScreen(lambda _: True)
    with pytest.raises(MediaError, match="dark"):
        run(Camera(10**7), lighter, steady, fragile)
    assert (steady.closed, fragile.closed, fragile.reopened) == (1, 1, 0)


def test_statistics_come_while_it_runs_on_the_calling_thread() -> None:
    seen: list[tuple[bool, Stats]] = []
    enough, counted = Event(), CountedFilter()

    def note(stats: Stats) -> None:
        seen.append((current_thread() is main_thread(), stats))
        if len(seen) > 1:
            enough.set()

    def until_enough(index: int) -> None:
        counted.wait_for(index)
        if index == 29:
            assert enough.wait(WAIT)

    run(Camera(30, until_enough), counted, Screen(), on_stats=note, options=QUICK)
    assert len(seen) > 1
    assert all(on_main for on_main, _ in seen)
    last = seen[-1][1]
    assert last.sent == last.captured - last.dropped
    assert set(last.stages) == {"wait", "filter", "pace", "send"}
    assert last.latency_p95_ms is not None


def test_ctrl_c_ends_it_and_closes_everything() -> None:
    """In another process, because a signal is for a whole process."""
    body = """
        import os, signal
        from tests.pipelines.live.live_parts import Camera, Screen, lighter
        from turbolens.pipelines.live.running import run
        signal.signal(signal.SIGINT, signal.default_int_handler)  # ignored below a shell's `&`
        camera = Camera(10**7, lambda n: os.kill(os.getpid(), signal.SIGINT) if n == 50 else None)
        screen = Screen()
        try:
            run(camera, lighter, screen)
        except KeyboardInterrupt:
            print("ended", camera.closed, screen.closed)
    """
    command = [sys.executable, "-c", textwrap.dedent(body)]
    root = Path(__file__).parents[3]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=root)  # noqa: S603
    assert done.stdout == "ended 1 1\n", done.stderr
    assert done.returncode == 0


def test_a_source_that_hangs_does_not_keep_it_from_ending(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("turbolens.pipelines.live.running.GRACE", 0.1)
    stop, forever = Event(), Event()

    def hang(index: int) -> None:
        if index == 5:
            stop.set()
            forever.wait(WAIT)

    screen = Screen(rate=50)
    run(Camera(10, hang), lighter, screen, stop=stop)
    forever.set()
    assert screen.closed == 1


def resident_mb() -> float:
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1e6


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="needs Linux' /proc")
@pytest.mark.parametrize("live", [True, False])
def test_memory_does_not_grow_in_10000_frames(live: bool) -> None:
    levels: dict[int, float] = {}

    def measure(index: int) -> None:
        if index in (1000, 9999):
            levels[index] = resident_mb()

    camera = Camera(10_000, measure)
    camera.live = live
    camera.size = (160, 90)
    stats = run(camera, lighter, Screen())
    assert stats.captured == 10_000
    assert levels[9999] - levels[1000] < 8
