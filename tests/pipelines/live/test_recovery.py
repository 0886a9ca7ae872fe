"""`run` after failures: filters are reloaded, cameras and sinks opened again."""

from threading import Event
from typing import Any

import av
import pytest

from turbolens.filter import FrameError, MediaError
from turbolens.pipelines.live.options import RunOptions
from turbolens.pipelines.live.running import run

from .live_parts import (
    QUICK,
    WAIT,
    Camera,
    CountedFilter,
    FragileScreen,
    Screen,
    Unreliable,
    lighter,
)


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


def test_after_repeated_failures_the_filter_is_loaded_again_with_one_notice() -> None:
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
    assert sum("loaded again" in notice for notice in notices) == 1


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


def test_a_filter_that_returns_no_frame_ends_the_run() -> None:
    forgetful: Any = lambda frame: None  # noqa: E731
    with pytest.raises(FrameError, match=r"filter must return an av\.VideoFrame, got NoneType"):
        run(Camera(10**7), forgetful, Screen(rate=50))


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


def test_a_sink_that_fails_at_its_first_frame_ends_the_run_with_its_error() -> None:
    steady, fragile = Screen(), FragileScreen(lambda _: True)
    with pytest.raises(MediaError, match="dark"):
        run(Camera(10**7), lighter, steady, fragile)
    assert (steady.closed, fragile.closed, fragile.reopened) == (1, 1, 0)
