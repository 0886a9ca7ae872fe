"""`SceneCamera` and `FileCamera`: live sources that need no device."""

from collections.abc import Callable, Iterator
from fractions import Fraction
from itertools import chain, count
from threading import Event
from time import monotonic

import av

from turbolens.filter.errors import MediaError
from turbolens.pipelines.base import Reader

from .frames import TestScene

SECONDS = 1.5  # of the scene, played forwards and backwards; painting more takes long
MAX_WAIT = 1.0  # seconds between two frames; a longer gap in a file is cut short


class FrameTimer:
    """Waits until each frame is due, as a camera does. After a delay it does not catch up."""

    def __init__(self) -> None:
        self._began: float | None = None
        self._closed = Event()

    def wait(self, seconds: float) -> None:
        """Wait until `seconds`, the time of a frame. The first call returns at once."""
        now = monotonic()
        if self._began is None:
            self._began = now - seconds
        early = self._began + seconds - now
        if early > MAX_WAIT or early < -MAX_WAIT:
            self._began = now - seconds
            early = min(MAX_WAIT, max(0.0, early))
        self._closed.wait(max(0.0, early))

    def close(self) -> None:
        """Return from `wait` at once from now on."""
        self._closed.set()

    @property
    def closed(self) -> bool:
        """True once it was closed."""
        return self._closed.is_set()


class SceneCamera:
    """The test scene as a camera. width and height in pixels, rate in frames per second.

    It never ends, unless `frames` limits the number of frames.
    """

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
        self._timer = FrameTimer()

    def __iter__(self) -> Iterator[av.VideoFrame]:
        """The frames, each when it is due. `pts` is the number of the frame."""
        painted = self._painted()
        numbers = count() if self._frames is None else range(self._frames)
        for number in numbers:
            self._timer.wait(float(number / self.rate))
            if self._timer.closed:
                return
            position = number % (2 * len(painted))
            index = min(position, 2 * len(painted) - 1 - position)
            frame = painted[index].reformat(format="yuv420p")
            frame.pts, frame.time_base = number, 1 / self.rate
            yield frame

    def _painted(self) -> list[av.VideoFrame]:
        scene = TestScene(self.width, self.height, rate=self.rate, noise=2.0)
        wanted = max(1, round(SECONDS * self.rate))
        frames = min(wanted, self._frames or wanted)
        return [scene[index].frame for index in range(frames) if not self._timer.closed]

    def close(self) -> None:
        """End the iteration. May be called twice."""
        self._timer.close()


class FileCamera:
    """A file as a camera: its frames come at their times, and it starts again at its end.

    open_reader: opens the file, once for each pass. Raises what it raises. loop: `False` ends after
    the first pass. Raises `MediaError` if the file has no frame that can be decoded.
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
        self._timer = FrameTimer()

    def __iter__(self) -> Iterator[av.VideoFrame]:
        """The frames, each when it is due. `pts` are those of the file, also in later passes."""
        offset = last = 0.0
        step = float(1 / self.rate)
        while not self._timer.closed:
            for frame in self._pass():
                last = offset + (frame.time or 0.0)
                self._timer.wait(last)
                if self._timer.closed:
                    return
                yield frame
            if not self._loop:
                return
            offset = last + step

    def _pass(self) -> Iterator[av.VideoFrame]:
        """One pass through the file."""
        if self._reader is None:
            self._reader = self._open()
            self._frames = _frames(self._reader)
        yield from self._frames
        self._reader.close()
        self._reader = None

    def close(self) -> None:
        """Close the file. May be called twice."""
        self._timer.close()
        reader, self._reader = self._reader, None
        if reader is not None:
            reader.close()


def _frames(reader: Reader) -> Iterator[av.VideoFrame]:
    return (item for item in reader if isinstance(item, av.VideoFrame))
