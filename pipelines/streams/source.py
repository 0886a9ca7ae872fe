"""A live stream, file or screen as a source of frames; its audio goes to a callback."""

import time
from collections.abc import Callable, Iterator
from fractions import Fraction
from itertools import chain
from typing import Any, TypeAlias

import av
from av.container import InputContainer

from turbolens.filter.errors import MediaError
from turbolens.pipelines.base import Notify
from turbolens.pipelines.errors import file_reason, reason
from turbolens.pipelines.video.preparation import FramePreparation

from .clock import SourceClock
from .endpoints import OPEN_SECONDS, STALL_SECONDS, Endpoint
from .pixel_shape import PixelShape
from .selection import select_streams
from .timestamps import FrameTimestamps, has_timestamps, read_ahead

OnAudio: TypeAlias = Callable[[av.AudioFrame, Fraction], None]

TICKS = 90_000  # per second, as in MPEG
LIVE_OPTIONS = {  # probe half a second, and drop what was probed: it is old by then
    "fflags": "nobuffer+discardcorrupt", "probesize": "500000", "analyzeduration": "500000",
}  # fmt: skip
PIPE_OPTIONS = {**LIVE_OPTIONS, "fflags": "discardcorrupt"}  # a pipe may hold a recording
FALLBACK_RATE = Fraction(30)


class StreamSource:
    """Frames with times that rise from 0, also if the stream's own timestamps jump.

    on_audio: called on the reading thread with each audio frame and its time in seconds. until_end:
    stop at the end of the stream; otherwise its end is an error, after which `reopen` connects
    again. Files end by themselves, unless `loop`. square_pixels: scale frames to square pixels, for
    a sink that has no others. `ended` is true once all frames were given. Raises `MediaError`, also
    if the stream ends without a frame.
    """

    live = True

    def __init__(
        self, endpoint: Endpoint, *, notify: Notify, on_audio: OnAudio | None = None,
        until_end: bool = False, loop: bool = False, square_pixels: bool = False,
    ) -> None:  # fmt: skip
        self._endpoint, self._notify = endpoint, notify
        self.on_audio = on_audio
        self._ends = until_end or (endpoint.paced and not loop) or endpoint.name == "pipe:0"
        self._loops = loop and endpoint.paced
        self._clock = SourceClock(time.monotonic)
        self._preparation = FramePreparation(notify)
        self._shape = PixelShape(notify, square=square_pixels)
        self._container: InputContainer | None = None
        self._video: Any = None
        self._audio: Any = None
        self._began: float | None = None
        self._paced = endpoint.paced
        self.damaged = 0
        self.ended = False

    @property
    def rate(self) -> Fraction:
        """Frames per second, as the stream announces them."""
        rate = self._video and (self._video.guessed_rate or self._video.average_rate)
        return Fraction(rate) if rate and 1 <= rate <= 240 else FALLBACK_RATE

    @property
    def has_audio(self) -> bool:
        """True if the open stream has audio."""
        return self._audio is not None

    @property
    def sample_aspect_ratio(self) -> Fraction:
        """Width of a pixel of the frames divided by its height. Known after the first frame."""
        return self._shape.sample_aspect_ratio

    def open(self) -> None:
        """Connect, or wait for a peer to connect. Raises `MediaError` if there is no video."""
        self.close()
        container = self._connect()
        selection = select_streams(container)
        if selection is None:
            kinds = ", ".join(stream.type for stream in container.streams) or "no stream at all"
            container.close()
            raise MediaError(f"{self._endpoint.name} has no video to filter (it holds: {kinds})")
        self._container = container
        self._video, self._audio = selection
        if self._audio is None and container.streams.audio:
            self._notify("the audio is left out: FFmpeg has no decoder for it")
        self._video.thread_type = "SLICE"  # frame threads would delay frames

    def _connect(self) -> InputContainer:
        endpoint = self._endpoint
        options = endpoint.options
        if not endpoint.paced:
            options = {**(PIPE_OPTIONS if endpoint.name == "pipe:0" else LIVE_OPTIONS), **options}
        timeout = None if endpoint.listens else (OPEN_SECONDS, STALL_SECONDS)
        began = time.monotonic()
        try:
            return av.open(
                endpoint.name, format=endpoint.format, options=options, timeout=timeout,
                metadata_errors="replace",
            )  # fmt: skip
        except (av.FFmpegError, OSError, ValueError) as error:
            why = file_reason(endpoint.name, error)
            if timeout is not None and time.monotonic() - began >= OPEN_SECONDS:
                why = f"no answer for {OPEN_SECONDS:.0f} seconds"
            if endpoint.name.startswith("rtp:"):
                why += "; for a codec such as H.264 name an .sdp file that describes the stream"
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
            self._check_frames()
            self.reopen()
            yield from self._frames()
        self._check_frames()
        if not self._ends:
            raise MediaError(f"{self._endpoint.name} was ended by the other side")
        self.ended = True

    @property
    def _peer_left_early(self) -> bool:
        """True if a listening source had a peer that left before its first frame."""
        return self._endpoint.listens and not self._ends and self._began is None

    def _check_frames(self) -> None:
        if self._began is None and not self._peer_left_early:
            damaged = f"; {self.damaged} packets are damaged" if self.damaged else ""
            raise MediaError(f"{self._endpoint.name} holds no frame that could be decoded{damaged}")

    def _frames(self) -> Iterator[av.VideoFrame]:
        packets, timestamp = self._timed(self._packets())
        for packet in packets:
            if packet.stream is self._audio:
                self._pass_audio(packet)
                continue
            for decoded in self._decode(packet):
                self._set_time(decoded, timestamp(decoded))
                yield from self._ready(self._preparation.push(decoded))
        yield from self._ready(self._preparation.flush())

    def _ready(self, prepared: Iterator[av.VideoFrame]) -> Iterator[av.VideoFrame]:
        """The frames as they are filtered, each at its time."""
        for each in prepared:
            frame = self._shape(each, self._video, swapped=self._preparation.swaps_sides)
            self._pace(frame)
            yield frame

    def _timed(self, packets: Iterator[Any]) -> tuple[Iterator[Any], FrameTimestamps]:
        """All packets, and what gives their frames timestamps."""
        assert self._container is not None  # noqa: S101 - `__iter__` has opened it
        timed, self._paced = has_timestamps(self._container), self._endpoint.paced
        if not timed and not self._paced:
            ahead, self._paced = read_ahead(packets, self.rate)
            packets = chain(ahead, packets)
        return packets, FrameTimestamps(self.rate, timed=timed, live=not self._paced)

    def _packets(self) -> Iterator[Any]:
        assert self._container is not None  # noqa: S101 - `__iter__` has opened it
        wanted = [stream for stream in (self._video, self._audio) if stream is not None]
        try:
            yield from self._container.demux(*wanted)
        except (av.FFmpegError, OSError) as error:
            if self._endpoint.listens:
                return  # a peer may leave at any time
            if self._ends and self._endpoint.connectionless and self._began is not None:
                return  # silence is the only sign of its end
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

    def _set_time(self, frame: av.VideoFrame, timestamp: Fraction) -> None:
        frame.pts, frame.time_base = round(self._clock(timestamp) * TICKS), Fraction(1, TICKS)

    def _pace(self, frame: av.VideoFrame) -> None:
        """Hold back a frame that was read faster than real time."""
        seconds = float((frame.pts or 0) / TICKS)
        if self._began is None:
            self._began = time.monotonic() - seconds
        if self._paced:
            time.sleep(max(0.0, self._began + seconds - time.monotonic()))
