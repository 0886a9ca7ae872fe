"""A source and a sink that are exchanged while a run goes on."""

from collections.abc import Iterator
from threading import Thread

import av
import pytest

from tests.pipelines.live.live_parts import (
    QUICK,
    WAIT,
    Camera,
    FragileScreen,
    Screen,
    Unreliable,
    lighter,
)
from turbolens.filter import MediaError
from turbolens.pipelines.base import Reopenable
from turbolens.pipelines.live.running import run
from turbolens.pipelines.live.switching import SwitchableSink, SwitchableSource

ENDLESS = 10**9


class Broken(Camera):
    """A camera that opens and then gives an error in place of a frame."""

    def __iter__(self) -> Iterator[av.VideoFrame]:
        raise MediaError("it is used by another program")


def pts_of(source: SwitchableSource, frames: int) -> list[int | None]:
    return [frame.pts for frame, _ in zip(source, range(frames), strict=False)]


def test_the_new_source_gives_the_next_frame_and_times_go_on() -> None:
    first, second = Camera(ENDLESS), Camera(3)
    source = SwitchableSource(first)
    frames = iter(source)
    assert [next(frames).pts, next(frames).pts] == [0, 1]
    source.switch(second)
    assert [frame.pts for frame in frames] == [2, 3, 4]
    assert (first.closed, source.source) == (1, second)
    source.close()
    assert second.closed == 1


@pytest.mark.parametrize("new", [Broken(1), Camera(0)])
def test_the_source_in_use_goes_on_if_the_new_one_gives_no_frame(new: Camera) -> None:
    first = Camera(5)
    source = SwitchableSource(first)
    frames = iter(source)
    next(frames)
    with pytest.raises(MediaError, match=r"used by another program|gives no frame"):
        source.switch(new)
    assert len(list(frames)) == 4
    assert (first.closed, new.closed) == (0, 1)


def test_a_source_that_is_lost_is_replaced_in_place_of_opening_it_again() -> None:
    new, screen = Camera(ENDLESS), Screen(rate=200)

    def script(number: int) -> None:
        if number == 3:
            source.switch(new)
            raise MediaError("unplugged")

    lost = Unreliable(ENDLESS, script)
    source = SwitchableSource(lost)
    thread = Thread(target=run, args=(source, lighter, screen), kwargs={"options": QUICK})
    thread.start()
    screen.wait_until(10)
    new.frames = 0
    thread.join(WAIT)
    assert (lost.reopened, lost.closed, source.source) == (0, 1, new)


def test_only_a_source_that_can_be_opened_again_says_so() -> None:
    source = SwitchableSource(Camera(ENDLESS))
    assert not isinstance(source, Reopenable)
    frames = iter(source)
    next(frames)
    source.switch(Unreliable(ENDLESS))
    next(frames)
    assert isinstance(source, Reopenable)
    source.reopen()
    assert source.source.reopened == 1


def test_what_comes_after_the_end_of_a_run_is_closed_at_once() -> None:
    source, sink = SwitchableSource(Camera(1)), SwitchableSink(Screen())
    source.close()
    sink.close()
    late_camera, late_screen = Camera(2), Screen()
    source.switch(late_camera)
    sink.switch(late_screen)
    assert (late_camera.closed, late_screen.closed) == (1, 1)


def test_frames_go_to_the_sink_in_use() -> None:
    screens = [Screen(), Screen()]
    sink = SwitchableSink(screens[0])
    frames = list(Camera(4))
    sink.write(frames[0])
    sink.switch(screens[1])
    sink.write(frames[1])
    sink.switch(None)
    sink.write(frames[2])
    assert [screen.shown for screen in screens] == [[0], [1]]
    assert [screen.closed for screen in screens] == [1, 1]
    sink.close()


def test_the_sink_in_use_is_opened_again() -> None:
    fragile = FragileScreen(lambda _: False)
    sink = SwitchableSink(fragile)
    sink.reopen()
    sink.switch(Screen())
    sink.reopen()  # which this one cannot do
    assert fragile.reopened == 1
