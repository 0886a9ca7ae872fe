"""`run`: the newest frame wins, statistics, Ctrl-C, closing, flat memory."""

import os
import subprocess
import sys
import textwrap
from pathlib import Path
from threading import Event, Semaphore, current_thread, main_thread

import av
import pytest

from turbolens.pipelines.live.running import run
from turbolens.pipelines.statistics import Stats

from .live_parts import QUICK, WAIT, Camera, CountedFilter, Screen, lighter


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


def test_the_source_is_closed_and_the_last_statistics_come_if_a_sink_cannot_be_closed() -> None:
    class Stuck(Screen):
        def close(self) -> None:
            raise OSError(28, "No space left on device")

    camera, reported = Camera(5), list[Stats]()
    with pytest.raises(OSError, match="No space"):
        run(camera, lighter, Stuck(), on_stats=reported.append)
    assert camera.closed == 1
    assert reported[-1].captured == 5


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
