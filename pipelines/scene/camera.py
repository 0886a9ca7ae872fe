"""The test scene and files as cameras: live sources that need no device."""

from collections.abc import Callable, Iterator
from fractions import Fraction
from itertools import chain, count
from threading import Event
from time import monotonic

import av

from turbolens.filter.errors import MediaError
from turbolens.pipelines.base import Reader

from .frames import TestScene

SECONDS = 1.5  # of the scene, shown forth and back: painting it takes a few seconds
MAX_WAIT = 1.0  # seconds for one frame; a file with a hole in it goes on after that


class Beat:
    """Waits until the time of each frame, as a camera would. What comes late is not made up for."""

    def __init__(self) -> None:
        self._began: float | None = None
        self._closed = Event()

    def wait(self, seconds: float) -> None:
        """Until so many seconds after the first call, which gives its time at once."""
        now = monotonic()
        if self._began is None:
            self._began = now - seconds
        early = self._began + seconds - now
        if early > MAX_WAIT or early < -MAX_WAIT:
            self._began = now - seconds
            early = min(MAX_WAIT, max(0.0, early))
        self._closed.wait(max(0.0, early))

    def end(self) -> None:
        """Wait no more."""
        self._closed.set()

    @property
    def ended(self) -> bool:
        """Whether it was ended."""
        return self._closed.is_set()


class SceneCamera:
    """The test scene as a camera that never ends; `frames` ends it."""

    live = True
    name = "test-scene"

    def __init__(
        self,
        width: int = 640,
        height: int = 360,
        *,
        rate: Fraction = Fraction(30),
        frames: int | None = None,
    ) -> None:
        self.width, self.height, self.rate = width, height, rate
        self._frames = frames
        self._beat = Beat()

    def __iter__(self) -> Iterator[av.VideoFrame]:
        """Frames at their times; `pts` counts them."""
        painted = self._paint()
        numbers = count() if self._frames is None else range(self._frames)
        for number in numbers:
            self._beat.wait(float(number / self.rate))
            if self._beat.ended:
                return
            position = number % (2 * len(painted))
            index = min(position, 2 * len(painted) - 1 - position)
            frame = painted[index].reformat(format="yuv420p")
            frame.pts, frame.time_base = number, 1 / self.rate
            yield frame

    def _paint(self) -> list[av.VideoFrame]:
        scene = TestScene(self.width, self.height, rate=self.rate, noise=2.0)
        wanted = max(1, round(SECONDS * self.rate))
        frames = min(wanted, self._frames or wanted)
        return [scene[index].frame for index in range(frames) if not self._beat.ended]

    def close(self) -> None:
        """End the wait for the next frame."""
        self._beat.end()


class FileCamera:
    """A file, or anything else that a reader reads, at the speed that its times tell; it loops.

    `open_reader` opens it anew for each round. Raises what that raises, at once for the first.
    """

    live = True

    def __init__(self, open_reader: Callable[[], Reader], *, loop: bool = True) -> None:
        self._open, self._loop = open_reader, loop
        self._reader: Reader | None = open_reader()
        self.name, self.rate = self._reader.info.name, self._reader.info.rate
        self._frames: Iterator[av.VideoFrame] = _frames(self._reader)
        first = next(self._frames, None)
        if first is None:
            self._reader.close()
            raise MediaError(f"{self.name} holds no frame that could be decoded")
        self.width, self.height = first.width, first.height
        self._frames = chain([first], self._frames)
        self._beat = Beat()

    def __iter__(self) -> Iterator[av.VideoFrame]:
        """Frames at their times, of one round after another; `pts` are those of the file."""
        offset = last = 0.0
        step = float(1 / self.rate)
        while not self._beat.ended:
            for frame in self._round():
                last = offset + (frame.time or 0.0)
                self._beat.wait(last)
                if self._beat.ended:
                    return
                yield frame
            if not self._loop:
                return
            offset = last + step

    def _round(self) -> Iterator[av.VideoFrame]:
        """The file from its beginning to its end."""
        if self._reader is None:
            self._reader = self._open()
            self._frames = _frames(self._reader)
        yield from self._frames
        self._reader.close()
        self._reader = None

    def close(self) -> None:
        """Close the file. May be called twice."""
        self._beat.end()
        reader, self._reader = self._reader, None
        if reader is not None:
            reader.close()


def _frames(reader: Reader) -> Iterator[av.VideoFrame]:
    return (item for item in reader if isinstance(item, av.VideoFrame))
