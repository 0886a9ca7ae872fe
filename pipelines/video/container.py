"""A video file or pipe that is open: demuxer, chosen video stream and wanted time span."""

from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
from av.container import InputContainer
from av.stream import Disposition
from av.video.stream import VideoStream

from turbolens.filter.errors import MediaError
from turbolens.pipelines.errors import file_reason

from .cropping import cropping_of
from .destination import file_url, is_piped
from .side_streams.cover_art import is_cover

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
        self.cropping = cropping_of(name, demuxer, video)

    @classmethod
    def open(
        cls, name: str, *, span: Span | None = None, format_name: str | None = None
    ) -> "VideoContainer":
        """Open a file, URL or pipe (`-`). Raises `MediaError` if it has no video to read.

        format_name: FFmpeg's name of the container, `None` to detect it.
        """
        try:
            demuxer = av.open(_url_of(name), format=format_name, metadata_errors="replace")
        except (av.FFmpegError, OSError, ValueError) as error:
            raise MediaError(f"cannot read {name}: {file_reason(name, error)}") from error
        return cls(name, demuxer, main_video(demuxer, name), span=span or Span())

    @property
    def has_pts(self) -> bool:
        """False if the container stores no presentation times, so that FFmpeg guesses them."""
        return self.demuxer.format.name != "avi"

    @property
    def size(self) -> tuple[int, int] | None:
        """Width and height in pixels before cropping and turning, `None` if unknown."""
        context = self.video.codec_context
        return (context.width, context.height) if context.width and context.height else None

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

    def no_frame(self) -> MediaError:
        """The error for an input of which no frame was decoded: why, and what to do."""
        if is_piped(self.name) and "mp4" in self.demuxer.format.name:
            return MediaError(
                "this MP4 cannot be read from a pipe, because its index is at the end; name the "
                "file, or write it with the index first (ffmpeg -movflags +faststart)"
            )
        if not self.span.is_whole:
            return MediaError(f"{self.name} has no frame {self._span_in_words()}")
        return MediaError(f"{self.name} holds no frame that could be decoded")

    def _span_in_words(self) -> str:
        start, duration = self.span.start, self.span.duration
        words = [f"after {float(start):g} s (--start)"]
        if duration is not None:
            end = float(start + duration)
            words = [
                f"between {float(start):g} and {end:g} s (--start, --duration)",
                f"a frame lasts {float(1 / self.rate):.3g} s",
            ]
        if self.demuxer.duration:
            words.append(f"the input lasts {self.demuxer.duration / MICROSECONDS:.2f} s")
        return "; ".join(words)

    def close(self) -> None:
        """Close it. May be called twice."""
        self.demuxer.close()


def _url_of(name: str) -> str:
    if name == "-":
        return "pipe:0"
    return file_url(name) if Path(name).exists() else name


def main_video(demuxer: InputContainer, name: str) -> VideoStream:
    """The video stream marked as default, or else the first one that can be decoded."""
    streams = [stream for stream in demuxer.streams.video if not is_cover(stream)]
    decodable = [stream for stream in streams if stream.codec_context is not None]
    if not decodable:
        kinds = ", ".join(stream.type for stream in demuxer.streams) or "no stream at all"
        demuxer.close()
        raise MediaError(f"{name} has no video to filter (it holds: {kinds})")
    default = [stream for stream in decodable if stream.disposition & Disposition.default]
    return (default or decodable)[0]


def _frame_rate(video: VideoStream) -> Fraction:
    """Frames per second, for encoders and estimates only; timestamps come from the frames."""
    for rate in (video.guessed_rate, video.average_rate, video.base_rate):
        if rate:
            return Fraction(rate)
    return FALLBACK_RATE
