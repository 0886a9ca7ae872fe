"""A live stream, file or screen as a source of frames; its audio goes to a callback."""

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
from .endpoints import OPEN_SECONDS, STALL_SECONDS, Endpoint

OnAudio: TypeAlias = Callable[[av.AudioFrame, Fraction], None]

TICKS = 90_000  # per second, as in MPEG
LIVE_OPTIONS = {  # probe half a second, and drop what was probed: it is old by then
    "fflags": "nobuffer+discardcorrupt", "probesize": "500000", "analyzeduration": "500000",
}  # fmt: skip
FALLBACK_RATE = Fraction(30)


class StreamSource:
    """Frames with times that rise from 0, also if the stream's own timestamps jump.

    on_audio: called on the reading thread with each audio frame and its time in seconds. until_end:
    stop at the end of the stream; otherwise its end is an error, after which `reopen` connects
    again. Files end by themselves, unless `loop`. Raises `MediaError`.
    """

    live = True

    def __init__(
        self, endpoint: Endpoint, *, notify: Notify, on_audio: OnAudio | None = None,
        until_end: bool = False, loop: bool = False,
    ) -> None:  # fmt: skip
        self._endpoint, self._notify = endpoint, notify
        self.on_audio = on_audio
        self._ends = until_end or (endpoint.paced and not loop) or endpoint.name == "pipe:0"
        self._loops = loop and endpoint.paced
        self._clock = SourceClock(time.monotonic)
        self._preparation = FramePreparation(notify)
        self._container: InputContainer | None = None
        self._video: Any = None
        self._audio: Any = None
        self._began: float | None = None
        self.damaged = 0

    @property
    def rate(self) -> Fraction:
        """Frames per second, as the stream announces them."""
        rate = self._video and (self._video.guessed_rate or self._video.average_rate)
        return Fraction(rate) if rate and 1 <= rate <= 240 else FALLBACK_RATE

    @property
    def has_audio(self) -> bool:
        """True if the open stream has audio."""
        return self._audio is not None

    def open(self) -> None:
        """Connect, or wait for a peer to connect. Raises `MediaError` if there is no video."""
        self.close()
        container = self._connect()
        if not container.streams.video:
            container.close()
            raise MediaError(f"{self._endpoint.name} has no video to filter")
        self._container, self._video = container, container.streams.video[0]
        self._audio = container.streams.audio[0] if container.streams.audio else None
        self._video.thread_type = "SLICE"  # frame threads would delay frames

    def _connect(self) -> InputContainer:
        endpoint = self._endpoint
        options = endpoint.options if endpoint.paced else {**LIVE_OPTIONS, **endpoint.options}
        timeout = None if endpoint.listens else (OPEN_SECONDS, STALL_SECONDS)
        began = time.monotonic()
        try:
            return av.open(
                endpoint.name, format=endpoint.format, options=options, timeout=timeout,
                metadata_errors="replace",
            )  # fmt: skip
        except (av.FFmpegError, OSError, ValueError) as error:
            timed_out = timeout is not None and time.monotonic() - began >= OPEN_SECONDS
            why = f"no answer for {OPEN_SECONDS:.0f} seconds" if timed_out else reason(error)
            raise MediaError(f"cannot read {endpoint.name}: {why}") from error

    def reopen(self) -> None:
        """Connect again. Times continue by as much as has passed on the machine's clock."""
        self._clock.reconnected()
        self.open()

    def close(self) -> None:
        """Disconnect. May be called twice."""
        container, self._container = self._container, None
        if container is not None:
            container.close()

    def __iter__(self) -> Iterator[av.VideoFrame]:
        """Frames until the end, if there is one. Raises `MediaError` if the stream is lost."""
        if self._container is None:
            self.open()
        yield from self._frames()
        while self._loops or self._peer_left_early:
            self.reopen()
            yield from self._frames()
        if not self._ends:
            raise MediaError(f"{self._endpoint.name} was ended by the other side")

    @property
    def _peer_left_early(self) -> bool:
        """True if a listening source had a peer that left before its first frame."""
        return self._endpoint.listens and not self._ends and self._began is None

    def _frames(self) -> Iterator[av.VideoFrame]:
        for packet in self._packets():
            if packet.stream is self._audio:
                self._pass_audio(packet)
                continue
            for decoded in self._decode(packet):
                if decoded.pts is None:
                    continue
                self._set_time(decoded)
                for frame in self._preparation.push(decoded):
                    self._pace(frame)
                    yield frame

    def _packets(self) -> Iterator[Any]:
        assert self._container is not None  # noqa: S101 - `__iter__` has opened it
        wanted = [stream for stream in (self._video, self._audio) if stream is not None]
        try:
            yield from self._container.demux(*wanted)
        except (av.FFmpegError, OSError) as error:
            if self._endpoint.listens:
                return  # a peer may leave at any time
            raise MediaError(f"{self._endpoint.name}: {reason(error)}") from error

    def _decode(self, packet: Any) -> list[Any]:
        try:
            return list(packet.decode())
        except av.FFmpegError:
            self.damaged += 1
            return []

    def _pass_audio(self, packet: Any) -> None:
        for frame in self._decode(packet):
            if self.on_audio is not None and frame.pts is not None:
                self.on_audio(frame, self._clock(frame.pts * Fraction(frame.time_base)))

    def _set_time(self, frame: av.VideoFrame) -> None:
        seconds = self._clock((frame.pts or 0) * Fraction(frame.time_base or 1))
        frame.pts, frame.time_base = round(seconds * TICKS), Fraction(1, TICKS)

    def _pace(self, frame: av.VideoFrame) -> None:
        """Hold back a frame that was read faster than real time."""
        seconds = float((frame.pts or 0) / TICKS)
        if self._began is None:
            self._began = time.monotonic() - seconds
        if self._endpoint.paced:
            time.sleep(max(0.0, self._began + seconds - time.monotonic()))
