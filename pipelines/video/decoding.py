"""Decodes packets of a video stream to frames with exact times, upright and inside the span."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

import av
from av.video.stream import VideoStream

from .best_effort import BestEffortTimestamps
from .container import Span, VideoContainer
from .preparation import FramePreparation


@dataclass(frozen=True)
class DecodingTimes:
    """How times are stored in a file, and which of them are wanted.

    time_base: of the stream. rate: frames per second. offset: seconds that are subtracted from
    every time. has_pts: see `VideoContainer`.
    """

    time_base: Fraction
    rate: Fraction
    offset: Fraction = Fraction(0)
    span: Span = field(default_factory=Span)
    has_pts: bool = True

    @classmethod
    def of(cls, container: VideoContainer) -> "DecodingTimes":
        """Those of an open file."""
        return cls(
            Fraction(container.video.time_base or 0), container.rate, container.offset,
            container.span, container.has_pts,
        )  # fmt: skip


class FrameDecoding:
    """Decodes the packets of one stream, in their order.

    What cannot be decoded is skipped and counted in `damaged`. is_done: True once a frame after the
    span was decoded. repaired: True once a frame had no `pts`, or a wrong one.
    """

    def __init__(self, decoder: Any, times: DecodingTimes, preparation: FramePreparation) -> None:
        self._decoder, self._times, self._preparation = decoder, times, preparation
        self._timestamps = BestEffortTimestamps(has_pts=times.has_pts)
        self._last_pts: int | None = None
        self._previous: av.VideoFrame | None = None
        self.is_done = self.repaired = False
        self.damaged = 0

    def frames(self, packet: Any) -> Iterator[av.VideoFrame]:
        """The frames that are ready after this packet; after `None`, all that are left."""
        if packet is not None and self.is_done:
            return
        for decoded in self._decode(packet):
            if decoded.is_corrupt:
                self.damaged += 1
            self._repair_pts(decoded)
            for frame in self._preparation.push(decoded):
                yield from self._trimmed(frame)
        if packet is None:
            for frame in self._preparation.flush():
                yield from self._trimmed(frame)
            if self._previous is not None:
                yield self._previous
                self._previous = None

    def _decode(self, packet: Any) -> list[Any]:
        try:
            return list(self._decoder.decode(packet))
        except av.EOFError:
            return []
        except av.FFmpegError:
            self.damaged += 1
            return []

    def _repair_pts(self, frame: av.VideoFrame) -> None:
        """Set a missing or wrong `pts`, and move one that does not increase."""
        stored = frame.pts
        frame.time_base = frame.time_base or self._times.time_base
        frame.pts = self._timestamps.timestamp(frame)
        step = max(1, round(1 / (self._times.rate * Fraction(frame.time_base or 1))))
        if frame.pts is None:
            frame.pts = 0 if self._last_pts is None else self._last_pts + step
        if self._last_pts is not None and frame.pts <= self._last_pts:
            frame.pts = self._last_pts + 1
        self._last_pts = frame.pts
        self.repaired = self.repaired or frame.pts != stored

    def _trimmed(self, frame: av.VideoFrame) -> Iterator[av.VideoFrame]:
        """Frames inside the span, with times from its beginning."""
        span, offset = self._times.span, self._times.offset
        if span.is_whole:
            yield from self._with_duration(frame)
            return
        time_base = Fraction(frame.time_base or 1)
        time = (frame.pts or 0) * time_base - offset
        if span.duration is not None and time >= span.duration:
            self.is_done = True
        elif time >= 0 and not self.is_done:
            frame.pts = (frame.pts or 0) - round(offset / time_base)
            yield from self._with_duration(frame)

    def _with_duration(self, frame: av.VideoFrame) -> Iterator[av.VideoFrame]:
        """The previous frame, which lasts until this one. Files store only decoding intervals."""
        previous, self._previous = self._previous, frame
        if previous is not None:
            previous.duration = (frame.pts or 0) - (previous.pts or 0)
            yield previous


def decoder_of(video: VideoStream) -> Any:
    """The stream's own decoder, or libvpx for transparent VP8 and VP9.

    FFmpeg's own VP8 and VP9 decoders drop the alpha channel.
    """
    own = video.codec_context
    library = {"vp8": "libvpx", "vp9": "libvpx-vp9"}.get(own.name)
    tags = {key.lower(): value for key, value in video.metadata.items()}
    if library is None or tags.get("alpha_mode") != "1":
        return own
    try:
        return av.CodecContext.create(library, "r")
    except (av.FFmpegError, ValueError):
        return own
