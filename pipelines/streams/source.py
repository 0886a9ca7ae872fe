"""A live stream, file or screen as a source: pictures for the filter, sound past it."""

import time
from collections.abc import Callable, Iterator
from fractions import Fraction
from typing import Any, TypeAlias

import av
from av.container import InputContainer

from turbolens.filter.errors import MediaError
from turbolens.pipelines.base import Notify
from turbolens.pipelines.errors import reason
from turbolens.pipelines.video.preparation import FramePreparation

from .clock import SourceClock
from .endpoints import OPEN_SECONDS, STALL_SECONDS, Place

OnSound: TypeAlias = Callable[[av.AudioFrame, Fraction], None]

TICKS = 90_000  # a second, as in MPEG
LIVE_OPTIONS = {  # look at half a second, and do not show what was looked at: it is old by then
    "fflags": "nobuffer+discardcorrupt", "probesize": "500000", "analyzeduration": "500000",
}  # fmt: skip
FALLBACK_RATE = Fraction(30)


class StreamSource:
    """Frames with times that rise from 0, whatever the stream's own do; reopened if it is lost.

    `on_sound` gets each frame of sound and its time on the same scale, on the reading thread.
    until_end: the end of the stream is the end, else it is opened again. Files end by themselves,
    unless `loop`. Raises `MediaError`.
    """

    live = True

    def __init__(
        self, place: Place, *, notify: Notify, on_sound: OnSound | None = None,
        until_end: bool = False, loop: bool = False,
    ) -> None:  # fmt: skip
        self._place, self._notify = place, notify
        self.on_sound = on_sound
        self._ends = until_end or (place.paced and not loop) or place.name == "pipe:0"
        self._loops = loop and place.paced
        self._clock = SourceClock(time.monotonic)
        self._preparation = FramePreparation(notify)
        self._container: InputContainer | None = None
        self._video: Any = None
        self._audio: Any = None
        self._began: float | None = None
        self.damaged = 0

    @property
    def rate(self) -> Fraction:
        """Frames a second as the stream says."""
        rate = self._video and (self._video.guessed_rate or self._video.average_rate)
        return Fraction(rate) if rate and 1 <= rate <= 240 else FALLBACK_RATE

    @property
    def has_sound(self) -> bool:
        """Whether there is sound beside the picture."""
        return self._audio is not None

    def open(self) -> None:
        """Connect, or wait for who connects. Raises `MediaError` if there is no picture."""
        self.close()
        container = self._connect()
        if not container.streams.video:
            container.close()
            raise MediaError(f"{self._place.name} has no video to filter")
        self._container, self._video = container, container.streams.video[0]
        self._audio = container.streams.audio[0] if container.streams.audio else None
        self._video.thread_type = "SLICE"  # threads over frames would hold some back

    def _connect(self) -> InputContainer:
        place = self._place
        options = place.options if place.paced else {**LIVE_OPTIONS, **place.options}
        patience = None if place.waits else (OPEN_SECONDS, STALL_SECONDS)
        began = time.monotonic()
        try:
            return av.open(
                place.name, format=place.format, options=options, timeout=patience,
                metadata_errors="replace",
            )  # fmt: skip
        except (av.FFmpegError, OSError, ValueError) as error:
            late = patience is not None and time.monotonic() - began >= OPEN_SECONDS
            why = f"no answer for {OPEN_SECONDS:.0f} seconds" if late else reason(error)
            raise MediaError(f"cannot read {place.name}: {why}") from error

    def reopen(self) -> None:
        """Connect anew; the times go on where the wall clock is."""
        self._clock.reconnected()
        self.open()

    def close(self) -> None:
        """Disconnect."""
        container, self._container = self._container, None
        if container is not None:
            container.close()

    def __iter__(self) -> Iterator[av.VideoFrame]:
        """Frames until the end, if there is one. Raises `MediaError` where the stream is lost."""
        if self._container is None:
            self.open()
        yield from self._frames()
        while self._loops or (self._place.waits and not self._ends and self._began is None):
            self.reopen()  # the file again, or the next peer where one left before its first frame
            yield from self._frames()
        if not self._ends:
            raise MediaError(f"{self._place.name} was ended by the other side")

    def _frames(self) -> Iterator[av.VideoFrame]:
        for packet in self._packets():
            if packet.stream is self._audio:
                self._hear(packet)
                continue
            for raw in self._decode(packet):
                if raw.pts is None:
                    continue
                self._place_in_time(raw)
                for frame in self._preparation.push(raw):
                    self._hold_back(frame)
                    yield frame

    def _packets(self) -> Iterator[Any]:
        assert self._container is not None  # noqa: S101 - opened before
        wanted = [stream for stream in (self._video, self._audio) if stream is not None]
        try:
            yield from self._container.demux(*wanted)
        except (av.FFmpegError, OSError) as error:
            if self._place.waits:
                return  # a peer that leaves in the middle is no failure
            raise MediaError(f"{self._place.name}: {reason(error)}") from error

    def _decode(self, packet: Any) -> list[Any]:
        try:
            return list(packet.decode())
        except av.FFmpegError:
            self.damaged += 1
            return []

    def _hear(self, packet: Any) -> None:
        for sound in self._decode(packet):
            if self.on_sound is not None and sound.pts is not None:
                self.on_sound(sound, self._clock(sound.pts * Fraction(sound.time_base)))

    def _place_in_time(self, frame: av.VideoFrame) -> None:
        moment = self._clock((frame.pts or 0) * Fraction(frame.time_base or 1))
        frame.pts, frame.time_base = round(moment * TICKS), Fraction(1, TICKS)

    def _hold_back(self, frame: av.VideoFrame) -> None:
        """What is read faster than it plays waits for its time."""
        moment = float((frame.pts or 0) / TICKS)
        if self._began is None:
            self._began = time.monotonic() - moment
        if self._place.paced:
            time.sleep(max(0.0, self._began + moment - time.monotonic()))
