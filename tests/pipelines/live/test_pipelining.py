"""A live run whose filter takes frames before the results of earlier ones are there."""

from collections.abc import Callable
from threading import Condition, Event
from time import monotonic

import av
import pytest

from tests.pipelines.live.live_parts import QUICK, WAIT, Camera, Screen
from turbolens.filter import UnavailableError
from turbolens.pipelines.base import PipelinedFilter
from turbolens.pipelines.live.devices import Devices
from turbolens.pipelines.live.running import run_devices

AHEAD = 3  # frames that are in the filter at a time


class Delayed:
    """Gives each result when three more frames were submitted."""

    def __init__(self) -> None:
        self._waiting: list[tuple[av.VideoFrame, float]] = []
        self._submitted, self._changed = 0, Condition()
        self.error: Exception | None = None

    def start(self, deliver: Callable[[av.VideoFrame, float], None]) -> None:
        self._deliver = deliver

    def submit(self, frame: av.VideoFrame, captured_at: float) -> None:
        if self.error is not None:
            raise self.error
        self._waiting.append((frame, captured_at))
        if len(self._waiting) > AHEAD:
            self._deliver(*self._waiting.pop(0))
        with self._changed:
            self._submitted += 1
            self._changed.notify_all()

    def wait_for(self, submitted: int) -> None:
        """Wait until this many frames were submitted in all."""
        with self._changed:
            assert self._changed.wait_for(lambda: self._submitted >= submitted, WAIT)


def test_results_are_shown_in_order_with_their_latency() -> None:
    screen, delayed, began = Screen(), Delayed(), monotonic()

    def in_step(number: int) -> None:
        delayed.wait_for(number)
        screen.wait_until(number - AHEAD)

    stats = run_devices(Devices(Camera(20, in_step), [screen]), delayed, options=QUICK)
    assert screen.shown[: 20 - AHEAD - 1] == list(range(20 - AHEAD - 1))
    assert stats.latency_p50_ms is not None
    assert 0 < stats.latency_p50_ms <= (monotonic() - began) * 1000


def test_an_error_of_the_filter_ends_the_run() -> None:
    broken = Delayed()
    broken.error = UnavailableError("nobody is there")
    with pytest.raises(UnavailableError, match="nobody is there"):
        run_devices(Devices(Camera(5), [Screen()]), broken, options=QUICK)


def test_without_results_the_slate_is_shown() -> None:
    class Silent(Delayed):
        def submit(self, frame: av.VideoFrame, captured_at: float) -> None:
            """Never any result."""

    stop = Event()
    screen = Screen(rate=100, until=5, stop=stop)
    camera = Camera(10**9, lambda _: stop.wait(0.001))
    stats = run_devices(Devices(camera, [screen]), Silent(), options=QUICK, stop=stop)
    assert set(screen.shown) == {None}
    assert stats.stalled >= 5
    assert isinstance(Silent(), PipelinedFilter)
