"""The protocols of a pipeline: sources, frame filters and sinks; readers and writers of files."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any, Protocol, TypeAlias, TypeGuard, runtime_checkable

import av
from av.stream import Stream

from turbolens.filter import FilterSettings, FrameError, TextureShift

FrameOrPacket: TypeAlias = "av.VideoFrame | av.Packet[Any]"
FilterCallable: TypeAlias = Callable[[av.VideoFrame], av.VideoFrame]
Notify: TypeAlias = Callable[[str], None]


def ignore(*_: object) -> None:
    """Do nothing: for callers that want no notices, statistics or results."""


@runtime_checkable
class BatchFilter(Protocol):
    """A frame filter that can also filter several consecutive frames of one stream at once."""

    def __call__(self, frame: av.VideoFrame) -> av.VideoFrame:
        """The filtered frame, of the same size and time."""
        ...

    def batch(self, frames: Sequence[av.VideoFrame]) -> list[av.VideoFrame]:
        """The filtered frames, in order."""
        ...


@runtime_checkable
class StreamFilter(Protocol):
    """A frame filter that can take a whole stream, so that its frames may overlap in time."""

    @property
    def prefers_streams(self) -> bool:
        """True if that is at least as fast here as to filter in batches."""
        ...

    def frames(self, frames: Iterable[av.VideoFrame]) -> Iterator[av.VideoFrame]:
        """The filtered frames, in order."""
        ...


def checked_result(result: object) -> av.VideoFrame:
    """What a frame filter has returned. Raises `FrameError` if that is no frame."""
    if not isinstance(result, av.VideoFrame):
        raise FrameError(
            f"a frame filter must return an av.VideoFrame, got {type(result).__name__}"
        )
    return result


def prefers_streams(frame_filter: object) -> TypeGuard[StreamFilter]:
    """True if a frame filter takes streams, and is at least as fast with them as with batches."""
    return isinstance(frame_filter, StreamFilter) and frame_filter.prefers_streams


@runtime_checkable
class SizeChecker(Protocol):
    """A frame filter that can refuse a size before it gets a frame."""

    def check_size(self, width: int, height: int) -> None:
        """Raise `FrameError` if frames of this size, in pixels, cannot be filtered."""
        ...


@runtime_checkable
class HasTextures(Protocol):
    """A frame filter whose textures move with the picture. `FrameFilter` is one."""

    @property
    def texture_shift(self) -> TextureShift | None:
        """How far textures have moved as a whole so far; `None` if nothing has."""
        ...

    def place_textures(self, shift: TextureShift, *, begin: int) -> None:
        """Let this be the shift from the frame with this `pts` on."""
        ...


class Adjustable(Protocol):
    """Something whose settings can change while it runs."""

    @property
    def settings(self) -> FilterSettings:
        """The settings for the next frame."""
        ...

    def update(self, **changes: Any) -> FilterSettings:
        """Change settings from the next frame on. Raises `SettingsError`."""
        ...

    def reset(self) -> None:
        """Forget the past frames."""
        ...


@runtime_checkable
class AdjustableFilter(Adjustable, Protocol):
    """A frame filter whose settings can change while it runs. `FrameFilter` is one."""

    def __call__(self, frame: av.VideoFrame, /) -> av.VideoFrame:
        """The filtered frame, of the same size and time."""
        ...


@runtime_checkable
class PipelinedFilter(Protocol):
    """A frame filter that takes frames before the results of earlier ones are there.

    One on another machine is: waiting for each result would cost a round trip per frame.
    """

    def start(self, deliver: Callable[[av.VideoFrame, float], None]) -> None:
        """Call `deliver` with every result from now on, on any thread.

        Its second argument is when the input was captured, in seconds of the monotonic clock.
        """
        ...

    def submit(self, frame: av.VideoFrame, captured_at: float) -> None:
        """Take the newest frame without waiting. Raises an error if no result can ever come."""
        ...


class Source(Protocol):
    """Gives frames, in order of presentation.

    A source with a true attribute `live` does not wait for its reader, as a camera does not: the
    newest frame wins. Of any other source every frame is kept. See `is_live`.
    """

    def __iter__(self) -> Iterator[av.VideoFrame]:
        """The frames, each with `pts` and `time_base`."""
        ...

    def close(self) -> None:
        """Close the device or file. May be called twice."""
        ...


class Sink(Protocol):
    """Takes frames, in order of presentation, and does not modify them.

    A sink with an attribute `rate` gets that many frames per second of a live source. See
    `rate_of`. The `pts` of a frame is its time in the source, so that a repeated frame has the same
    `pts` twice. A sink that needs increasing times must take them from a clock.

    A sink may have an attribute `has_sent`. While it is false, an error of `write` ends the run.
    After that, and in a sink without it, a failed sink is opened again.
    """

    def write(self, frame: av.VideoFrame) -> None:
        """Show or store a frame."""
        ...

    def close(self) -> None:
        """Finish the output and close it. May be called twice."""
        ...


@runtime_checkable
class Reopenable(Protocol):
    """A source or sink that can be opened again after a failure."""

    def reopen(self) -> None:
        """Close the device and open it again. Raises `MediaError` if it cannot be opened yet."""
        ...


@runtime_checkable
class SupportsReproject(Protocol):
    """A frame filter that can reproject its last result to a newer frame, without the model."""

    def reproject(self, frame: av.VideoFrame) -> av.VideoFrame | None:
        """The last result as it would look in this frame, with its size and time, or `None`.

        It is fast, and may be called while another thread is in a call of the filter.
        """
        ...


def is_live(source: Source) -> bool:
    """True if the newest frame wins, False if every frame is kept."""
    return bool(getattr(source, "live", False))


def rate_of(device: Source | Sink) -> Fraction | None:
    """Frames per second that a source gives or a sink wants. `None` if unknown."""
    rate = getattr(device, "rate", None)
    return Fraction(rate) if rate else None


@dataclass(frozen=True)
class SourceInfo:
    """What a writer needs to know about a source before the first frame."""

    name: str
    rate: Fraction = Fraction(30)
    total_frames: int | None = None
    sample_aspect_ratio: Fraction = Fraction(1)
    metadata: dict[str, str] = field(default_factory=dict)
    stream_metadata: dict[str, str] = field(default_factory=dict)
    chapters: tuple[Any, ...] = ()
    video: Stream | None = None
    streams: tuple[Stream, ...] = ()
    """All streams in the order of the file, including the filtered one (`video`)."""
    offset: Fraction = Fraction(0)
    """Seconds that the reader subtracts from every time, for `--start`."""


class Reader(Protocol):
    """Reads a file: frames of the filtered stream and packets of the others, in file order."""

    @property
    def info(self) -> SourceInfo:
        """Rate, length, metadata and streams."""
        ...

    @property
    def damaged(self) -> int:
        """How many packets could not be decoded so far."""
        ...

    def __iter__(self) -> Iterator[FrameOrPacket]:
        """Frames with `pts`, and packets of the other streams."""
        ...

    def close(self) -> None:
        """Close the file."""
        ...


class Writer(Protocol):
    """Writes frames and packets to a file, which appears under its name only when complete."""

    def write(self, item: FrameOrPacket) -> None:
        """Encode a frame, or copy a packet of another stream."""
        ...

    def finish(self) -> None:
        """Complete the file and move it to its name."""
        ...

    def discard(self) -> None:
        """Delete what was written. Does nothing after `finish`."""
        ...
