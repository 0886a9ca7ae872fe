"""Reads a video file or pipe: frames with exact times, and the packets of every other stream."""

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import av
from av.container import InputContainer
from av.stream import Disposition, Stream
from av.video.stream import VideoStream

from turbolens.filter.errors import MediaError
from turbolens.pipelines.base import FrameOrPacket, Notify, SourceInfo
from turbolens.pipelines.errors import reason

from .preparation import FramePreparation

MICROSECONDS = 1_000_000
TAIL = Fraction(1)  # seconds read on after --duration, for packets that lie behind the picture


@dataclass(frozen=True)
class Span:
    """The part of a file that is wanted, in seconds from its beginning."""

    start: Fraction = Fraction(0)
    duration: Fraction | None = None

    @property
    def end(self) -> Fraction | None:
        """Where it ends, if it does."""
        return None if self.duration is None else self.start + self.duration


class VideoReader:
    """One video file. Iterating gives `VideoFrame`s and `Packet`s in the order of the file.

    Frames are deinterlaced, upright and in standard dynamic range. What cannot be decoded is
    counted in `damaged` and skipped. Raises `MediaError` if there is no picture to read.
    """

    def __init__(
        self, name: str, *, span: Span | None = None, format_name: str | None = None, notify: Notify
    ) -> None:
        self._span = span or Span()
        self._notify = notify
        self._container = _open(name, format_name)
        self._video = _picture_stream(self._container, name)
        self._decoder = _alpha_decoder(self._video)
        self._video.thread_type = "AUTO"
        self._video.thread_count = 2
        self._preparation = FramePreparation(notify)
        self._rate = _rate(self._video)
        self._last_pts: int | None = None
        self._done = False
        self.damaged = 0
        zero = Fraction((self._container.start_time or 0) if self._cut else 0, MICROSECONDS)
        self._offset = zero + self._span.start
        self._held: av.VideoFrame | None = None
        self._items = self._read()
        self._begun = self._until_first_frame()
        self.info = self._describe(name)

    @property
    def _cut(self) -> bool:
        return bool(self._span.start) or self._span.duration is not None

    def _describe(self, name: str) -> SourceInfo:
        container, video = self._container, self._video
        shape = video.sample_aspect_ratio or Fraction(1)
        return SourceInfo(
            name=name,
            rate=self._rate,
            total_frames=self._expected_frames(),
            sample_aspect_ratio=1 / shape if self._preparation.swaps_sides else shape,
            metadata=dict(container.metadata),
            stream_metadata=dict(video.metadata),
            chapters=() if self._cut else tuple(container.chapters()),
            video=video,
            streams=tuple(container.streams),
            offset=self._offset,
        )

    def _expected_frames(self) -> int | None:
        if self._video.frames and not self._cut:
            return self._video.frames
        whole = self._container.duration
        seconds = Fraction(whole, MICROSECONDS) - self._span.start if whole else None
        if self._span.duration is not None:
            seconds = self._span.duration if seconds is None else min(seconds, self._span.duration)
        return max(0, round(seconds * self._rate)) if seconds is not None else None

    def close(self) -> None:
        """Close the file."""
        self._container.close()

    def __iter__(self) -> Iterator[FrameOrPacket]:
        """Frames and packets, in the order of the file. Once only."""
        yield from self._begun
        self._begun = []
        yield from self._items

    def _until_first_frame(self) -> list[FrameOrPacket]:
        """The beginning is read at once, since only a frame tells which way it is turned."""
        begun: list[FrameOrPacket] = []
        for item in self._items:
            begun.append(item)
            if isinstance(item, av.VideoFrame):
                break
        return begun

    def _read(self) -> Iterator[FrameOrPacket]:
        self._seek()
        for packet in self._packets():
            if packet.stream is self._video:
                if not self._done:
                    yield from self._frames(packet)
            elif packet.size and (kept := self._within(packet)):
                yield kept
            if self._done and self._past_tail(packet):
                break
        yield from self._frames(None)
        if self._held is not None:
            yield self._held

    def _seek(self) -> None:
        if self._span.start:
            try:
                self._container.seek(int(self._offset * MICROSECONDS))
            except (av.FFmpegError, OSError):
                self._notify("cannot seek in this input: reading up to --start instead")

    def _packets(self) -> Iterator[Any]:
        """All packets; a damaged stretch is skipped, and the reading ends where nothing follows."""
        failures = 0
        while failures < 2:
            try:
                for packet in self._container.demux():
                    if packet.size == 0:
                        continue  # the flush packets at the end; done by hand after the preparation
                    failures = 0
                    yield packet
                return
            except av.FFmpegError:
                failures += 1
                self.damaged += 1

    def _frames(self, packet: Any) -> Iterator[av.VideoFrame]:
        for raw in self._decode(packet):
            if raw.is_corrupt:
                self.damaged += 1
            self._give_time(raw)
            for frame in self._preparation.push(raw):
                yield from self._trimmed(frame)
        if packet is None:
            for frame in self._preparation.flush():
                yield from self._trimmed(frame)

    def _decode(self, packet: Any) -> list[Any]:
        decoder = self._decoder or self._video.codec_context
        try:
            return decoder.decode(packet)
        except av.EOFError:
            return []
        except av.FFmpegError:
            self.damaged += 1
            return []

    def _give_time(self, frame: av.VideoFrame) -> None:
        """A time for a frame that has none, and a later one for one that goes back."""
        frame.time_base = frame.time_base or self._video.time_base
        step = max(1, round(1 / (self._rate * Fraction(frame.time_base or 1))))
        if frame.pts is None:
            frame.pts = 0 if self._last_pts is None else self._last_pts + step
        if self._last_pts is not None and frame.pts <= self._last_pts:
            frame.pts = self._last_pts + 1
        self._last_pts = frame.pts

    def _trimmed(self, frame: av.VideoFrame) -> Iterator[av.VideoFrame]:
        if not self._cut:
            yield from self._with_duration(frame)
            return
        time_base = Fraction(frame.time_base or 1)
        time = (frame.pts or 0) * time_base - self._offset
        if self._span.duration is not None and time >= self._span.duration:
            self._done = True
        elif time >= 0 and not self._done:
            frame.pts = (frame.pts or 0) - round(self._offset / time_base)
            yield from self._with_duration(frame)

    def _with_duration(self, frame: av.VideoFrame) -> Iterator[av.VideoFrame]:
        """The frame before, which lasts until this one: files tell only distances of decoding."""
        held, self._held = self._held, frame
        if held is not None:
            held.duration = (frame.pts or 0) - (held.pts or 0)
            yield held

    def _within(self, packet: Any) -> Any | None:
        """The packet of another stream, moved to the wanted part, or None if it lies outside."""
        if not self._cut or packet.pts is None:
            return packet
        time = packet.pts * packet.time_base - self._offset
        if (time < 0 and self._span.start) or (
            self._span.duration is not None and time >= self._span.duration
        ):
            return None
        shift = round(self._offset / packet.time_base)
        packet.pts -= shift
        if packet.dts is not None:
            packet.dts -= shift
        return packet

    def _past_tail(self, packet: Any) -> bool:
        time = packet.dts if packet.dts is not None else packet.pts
        if time is None or self._span.duration is None:
            return False
        return bool(time * packet.time_base - self._offset > self._span.duration + TAIL)


def _open(name: str, format_name: str | None) -> InputContainer:
    try:
        return av.open(
            "pipe:0" if name == "-" else name, format=format_name, metadata_errors="replace"
        )
    except (av.FFmpegError, OSError, ValueError) as error:
        raise MediaError(f"cannot read {name}: {reason(error)}") from error


def _picture_stream(container: InputContainer, name: str) -> VideoStream:
    pictures = [stream for stream in container.streams.video if not is_cover(stream)]
    known = [stream for stream in pictures if stream.codec_context is not None]
    if not known:
        kinds = ", ".join(stream.type for stream in container.streams) or "no stream at all"
        container.close()
        raise MediaError(f"{name} has no video to filter (it holds: {kinds})")
    marked = [stream for stream in known if stream.disposition & Disposition.default]
    return (marked or known)[0]


def is_cover(stream: Stream) -> bool:
    """Whether the stream is a picture attached to the file, such as an album cover."""
    return bool(stream.disposition & Disposition.attached_pic)


def _rate(video: VideoStream) -> Fraction:
    """Frames a second, for encoders and estimates only; times come from the frames."""
    for rate in (video.guessed_rate, video.average_rate, video.base_rate):
        if rate:
            return Fraction(rate)
    return Fraction(25)


def _alpha_decoder(video: VideoStream) -> Any | None:
    """FFmpeg's own VP8 and VP9 decoders drop transparency; libvpx keeps it."""
    library = {"vp8": "libvpx", "vp9": "libvpx-vp9"}.get(video.codec_context.name)
    marks = {key.lower(): value for key, value in video.metadata.items()}
    if library is None or marks.get("alpha_mode") != "1":
        return None
    try:
        return av.CodecContext.create(library, "r")
    except (av.FFmpegError, ValueError):
        return None
