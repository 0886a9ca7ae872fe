"""`SwitchableSource` and `SwitchableSink`: devices that are exchanged while a run goes on."""

from collections.abc import Iterator
from contextlib import suppress
from fractions import Fraction
from itertools import chain
from threading import Lock
from typing import NamedTuple

import av

from turbolens.filter.errors import MediaError
from turbolens.pipelines.base import Reopenable, Sink, Source, is_live, rate_of


class _Started(NamedTuple):
    """A source that has given its first frame. frames: this one, and the following."""

    source: Source
    frames: Iterator[av.VideoFrame]


class SwitchableSource:
    """A source that can be replaced by another one, from any thread. It closes both.

    The times of the frames continue. `newest` is the last frame, `None` before the first one.
    """

    def __init__(self, source: Source) -> None:
        self.current = source
        self.newest: av.VideoFrame | None = None
        self._next: _Started | None = None
        self._lock, self._closed = Lock(), False
        self._offset = Fraction(0)  # seconds that are added to the times of this source
        self._show_reopen()

    @property
    def source(self) -> Source:
        """The device itself, without what mirrors or crops its frames."""
        inner: Source = getattr(self.current, "source", self.current)
        return inner

    @property
    def live(self) -> bool:
        """True if the newest frame wins."""
        return is_live(self.current)

    @property
    def rate(self) -> Fraction | None:
        """Frames per second, `None` if unknown."""
        return rate_of(self.current)

    @property
    def name(self) -> str:
        """The name of the source in use."""
        return str(getattr(self.current, "name", type(self.current).__name__))

    def switch(self, source: Source) -> None:
        """Use this source from its first frame on, which is waited for. Closes the one before.

        Raises `MediaError` if it gives no frame. It is then closed, and the one in use goes on.
        """
        try:
            frames = iter(source)
            first = next(frames, None)
        except BaseException:
            source.close()
            raise
        if first is None:
            source.close()
            raise MediaError("it gives no frame")
        with self._lock:
            started = _Started(source, chain([first], frames))
            unused, self._next = self._next, started
            if self._closed:
                unused, self._next = started, None
        if unused is not None:
            unused.source.close()

    def __iter__(self) -> Iterator[av.VideoFrame]:
        """The frames of the source in use."""
        frames = iter(self.current)
        while True:
            for frame in frames:
                self._continue_time(frame)
                self.newest = frame
                yield frame
                if self._next is not None:
                    break
            started = self._take_next()
            if started is None:
                return
            frames = started.frames

    def _reopen(self) -> None:
        """Open the source again, or go on with the next one if there is one."""
        started = self._take_next()
        if started is None and isinstance(self.current, Reopenable):
            self.current.reopen()

    def _take_next(self) -> _Started | None:
        with self._lock:
            started, self._next = self._next, None
            if started is None:
                return None
            before, self.current = self.current, started.source
        self._offset = self._time_after_newest()
        self._show_reopen()
        with suppress(MediaError):  # it may be the source that was lost
            before.close()
        return started

    def _show_reopen(self) -> None:
        """Have a method `reopen` only if the source in use has one. See `Reopenable`."""
        self.__dict__.pop("reopen", None)
        if isinstance(self.current, Reopenable):
            self.reopen = self._reopen

    def _time_after_newest(self) -> Fraction:
        newest = self.newest
        if newest is None or newest.pts is None or newest.time_base is None:
            return Fraction(0)
        return newest.pts * newest.time_base + 1 / (self.rate or Fraction(30))

    def _continue_time(self, frame: av.VideoFrame) -> None:
        if self._offset and frame.pts is not None and frame.time_base is not None:
            frame.pts += round(self._offset / frame.time_base)

    def close(self) -> None:
        """Close the source in use and the next one. May be called twice."""
        with self._lock:
            self._closed = True
            started, self._next = self._next, None
        if started is not None:
            started.source.close()
        self.current.close()


class SwitchableSink:
    """A sink that can be replaced by another one, or by none, from any thread. It closes both."""

    def __init__(self, sink: Sink | None = None) -> None:
        self._lock, self._closed = Lock(), False
        self.current = sink

    @property
    def name(self) -> str:
        """The name of the sink in use."""
        return str(getattr(self.current, "name", "no virtual camera"))

    @property
    def rate(self) -> Fraction | None:
        """Frames per second that it wants, `None` if unknown."""
        return None if self.current is None else rate_of(self.current)

    def switch(self, sink: Sink | None) -> None:
        """Write to this sink from now on, `None` for none. Closes the one before."""
        with self._lock:
            unused, self.current = self.current, sink
            if self._closed:
                unused, self.current = sink, unused
        if unused is not None:
            unused.close()

    def write(self, frame: av.VideoFrame) -> None:
        """Write the frame to the sink in use."""
        with self._lock:
            if self.current is not None:
                self.current.write(frame)

    def reopen(self) -> None:
        """Open the sink in use again."""
        with self._lock:
            if isinstance(self.current, Reopenable):
                self.current.reopen()

    def close(self) -> None:
        """Close the sink in use. May be called twice."""
        with self._lock:
            self._closed = True
            if self.current is not None:
                self.current.close()
