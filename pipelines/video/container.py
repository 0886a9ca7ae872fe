"""A video file or pipe that is open: demuxer, chosen video stream and wanted time span."""

from dataclasses import dataclass
from fractions import Fraction

import av
from av.container import InputContainer
from av.stream import Disposition, Stream
from av.video.stream import VideoStream

from turbolens.filter.errors import MediaError
from turbolens.pipelines.errors import reason

MICROSECONDS = 1_000_000
FALLBACK_RATE = Fraction(25)


@dataclass(frozen=True)
class Span:
    """The part of a file to read, in seconds from its beginning. duration: `None` for the rest."""

    start: Fraction = Fraction(0)
    duration: Fraction | None = None

    @property
    def is_whole(self) -> bool:
        """True if nothing is cut off."""
        return not self.start and self.duration is None


class VideoContainer:
    """An open container with its video stream. Opening reads the header; no frame is decoded."""

    def __init__(
        self, name: str, demuxer: InputContainer, video: VideoStream, *, span: Span
    ) -> None:
        self.name, self.demuxer, self.video, self.span = name, demuxer, video, span
        self.rate = _frame_rate(video)

    @classmethod
    def open(
        cls, name: str, *, span: Span | None = None, format_name: str | None = None
    ) -> "VideoContainer":
        """Open a file, URL or pipe (`-`). Raises `MediaError` if it has no video to read.

        format_name: FFmpeg's name of the container, `None` to detect it.
        """
        try:
            demuxer = av.open(
                "pipe:0" if name == "-" else name, format=format_name, metadata_errors="replace"
            )
        except (av.FFmpegError, OSError, ValueError) as error:
            raise MediaError(f"cannot read {name}: {reason(error)}") from error
        return cls(name, demuxer, _main_video(demuxer, name), span=span or Span())

    @property
    def offset(self) -> Fraction:
        """Seconds to subtract from every timestamp, so that the span begins at 0."""
        if self.span.is_whole:
            return Fraction(0)
        return Fraction(self.demuxer.start_time or 0, MICROSECONDS) + self.span.start

    @property
    def total_frames(self) -> int | None:
        """How many frames the span has, by the header or by its duration. `None` if unknown."""
        span, whole = self.span, self.demuxer.duration
        if self.video.frames and span.is_whole:
            return self.video.frames
        seconds = Fraction(whole, MICROSECONDS) - span.start if whole else None
        if span.duration is not None:
            seconds = span.duration if seconds is None else min(seconds, span.duration)
        return None if seconds is None else max(0, round(seconds * self.rate))

    def close(self) -> None:
        """Close it. May be called twice."""
        self.demuxer.close()


def _main_video(demuxer: InputContainer, name: str) -> VideoStream:
    """The video stream marked as default, or else the first one that can be decoded."""
    streams = [stream for stream in demuxer.streams.video if not _is_cover(stream)]
    decodable = [stream for stream in streams if stream.codec_context is not None]
    if not decodable:
        kinds = ", ".join(stream.type for stream in demuxer.streams) or "no stream at all"
        demuxer.close()
        raise MediaError(f"{name} has no video to filter (it holds: {kinds})")
    default = [stream for stream in decodable if stream.disposition & Disposition.default]
    return (default or decodable)[0]


def _is_cover(stream: Stream) -> bool:
    """True for an image attached to the file, such as an album cover."""
    return bool(stream.disposition & Disposition.attached_pic)


def _frame_rate(video: VideoStream) -> Fraction:
    """Frames per second, for encoders and estimates only; timestamps come from the frames."""
    for rate in (video.guessed_rate, video.average_rate, video.base_rate):
        if rate:
            return Fraction(rate)
    return FALLBACK_RATE
