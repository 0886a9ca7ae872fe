"""Small real sources, filters and sinks for live runs, which can be made to wait and to fail."""

from collections.abc import Callable, Iterator
from fractions import Fraction
from threading import Condition, Event

import av
import numpy as np

from turbolens.filter import MediaError
from turbolens.pipelines.live.options import RunOptions

QUICK = RunOptions(deadline=0.05, stats_interval=0.01)
WAIT = 20.0  # seconds: far more than anything here takes, even on a busy machine


def numbered(index: int, size: tuple[int, int] = (32, 18)) -> av.VideoFrame:
    """A grey frame whose `pts` is its number."""
    frame = av.VideoFrame(*size, "gray")
    for plane in frame.planes:
        plane.update(bytes([index % 251]) * plane.buffer_size)
    frame.pts, frame.time_base = index, Fraction(1, 30)
    return frame


class Camera:
    """A live source of numbered frames, as fast as they are made.

    `script` is called with the number of each frame before it is given, to wait or to raise. A
    smaller value of `frames` ends the source earlier.
    """

    live = True

    def __init__(self, frames: int, script: Callable[[int], object] | None = None) -> None:
        self.frames, self._script = frames, script
        self.given = self.closed = self.reopened = 0
        self.size = (32, 18)

    def __iter__(self) -> Iterator[av.VideoFrame]:
        while self.given < self.frames:
            if self._script is not None:
                self._script(self.given)
            self.given += 1
            yield numbered(self.given - 1, self.size)

    def close(self) -> None:
        self.closed += 1


class Unreliable(Camera):
    """A camera that can be opened again."""

    def reopen(self) -> None:
        self.reopened += 1


class Screen:
    """A sink that keeps the `pts` of the frames it was given, `None` for a slate.

    It sets `stop` once `until` frames were shown.
    """

    def __init__(
        self, rate: int | None = None, until: int | None = None, stop: Event | None = None
    ) -> None:
        self.rate = rate
        self.shown: list[int | None] = []
        self.closed = 0
        self._until, self._stop = until, stop or Event()
        self._changed = Condition()

    def write(self, frame: av.VideoFrame) -> None:
        with self._changed:
            self.shown.append(frame.pts)
            if self._until is not None and len(self.shown) >= self._until:
                self._stop.set()
            self._changed.notify_all()

    def wait_for(self, more: int = 1) -> None:
        """Wait until this many more frames were shown, or `stop` is set."""
        self.wait_until(len(self.shown) + more)

    def wait_until(self, wanted: int) -> None:
        """Wait until this many frames were shown in all, or `stop` is set."""
        with self._changed:
            assert self._changed.wait_for(
                lambda: len(self.shown) >= wanted or self._stop.is_set(), WAIT
            )

    def close(self) -> None:
        self.closed += 1


class FragileScreen(Screen):
    """A screen whose writes fail when `fails` says so, and which can be opened again."""

    def __init__(self, fails: Callable[[int], bool], rate: int | None = None) -> None:
        super().__init__(rate)
        self._fails = fails
        self.tried = self.reopened = 0

    def write(self, frame: av.VideoFrame) -> None:
        self.tried += 1
        if self._fails(self.tried):
            raise MediaError("the screen went dark")
        super().write(frame)

    def reopen(self) -> None:
        self.reopened += 1


def lighter(frame: av.VideoFrame) -> av.VideoFrame:
    """A cheap real filter that inverts the frame."""
    changed = av.VideoFrame.from_ndarray(np.invert(frame.to_ndarray()), format=frame.format.name)
    changed.pts, changed.time_base = frame.pts, frame.time_base
    return changed


class CountedFilter:
    """A filter that counts its calls. As the script of a camera, `wait_for` keeps them in step."""

    def __init__(self, inner: Callable[[av.VideoFrame], av.VideoFrame] = lighter) -> None:
        self._inner, self._changed = inner, Condition()
        self.calls = 0

    def __call__(self, frame: av.VideoFrame) -> av.VideoFrame:
        with self._changed:
            self.calls += 1
            self._changed.notify_all()
        return self._inner(frame)

    def wait_for(self, calls: int) -> None:
        """Wait until the filter was called this many times in all."""
        with self._changed:
            assert self._changed.wait_for(lambda: self.calls >= calls, WAIT)
