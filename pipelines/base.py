"""The protocols of a pipeline: what gives frames, what changes them, what takes them."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any, Protocol, TypeAlias, runtime_checkable

import av
from av.stream import Stream

from turbolens.filter import FilterSettings

FrameOrPacket: TypeAlias = "av.VideoFrame | av.Packet[Any]"
FilterCallable: TypeAlias = Callable[[av.VideoFrame], av.VideoFrame]
Notify: TypeAlias = Callable[[str], None]


@runtime_checkable
class BatchFilter(Protocol):
    """A frame filter that can also take several frames of one stream at a time."""

    def __call__(self, frame: av.VideoFrame) -> av.VideoFrame:
        """One filtered frame, same size and time."""
        ...

    def batch(self, frames: Sequence[av.VideoFrame]) -> list[av.VideoFrame]:
        """The filtered frames, in order."""
        ...


@runtime_checkable
class AdjustableFilter(Protocol):
    """A frame filter that can be turned while it runs. `FrameFilter` is one."""

    @property
    def settings(self) -> FilterSettings:
        """The settings of the next frame."""
        ...

    def __call__(self, frame: av.VideoFrame, /) -> av.VideoFrame:
        """One filtered frame, same size and time."""
        ...

    def update(self, **changes: Any) -> FilterSettings:
        """Change settings from the next frame on. Raises `SettingsError`."""
        ...

    def reset(self) -> None:
        """Forget the past."""
        ...


class Source(Protocol):
    """Gives frames, in order of presentation.

    A source whose attribute `live` is true goes on whether or not somebody looks: the newest frame
    counts. Of the others every frame is kept. See `is_live`.
    """

    def __iter__(self) -> Iterator[av.VideoFrame]:
        """Frame after frame, each with `pts` and `time_base`."""
        ...

    def close(self) -> None:
        """Give the device or file back. May be called twice."""
        ...


class Sink(Protocol):
    """Takes frames, in order of presentation, and leaves them as they are.

    A sink with an attribute `rate` (frames a second) gets so many of a live source. See `rate_of`.
    The `pts` of a frame tells which moment of the source it shows: a frame that is shown again has
    the same one twice. A sink that needs rising times takes those of a clock.
    """

    def write(self, frame: av.VideoFrame) -> None:
        """Show or store one frame."""
        ...

    def close(self) -> None:
        """Finish what was written. May be called twice."""
        ...


@runtime_checkable
class Reopenable(Protocol):
    """A source or sink of a live pipeline that can be opened again after a failure."""

    def reopen(self) -> None:
        """Give the device back and open it anew. Raises `MediaError` while that cannot be."""
        ...


@runtime_checkable
class SupportsReproject(Protocol):
    """A frame filter that can move its last picture along with the camera, without filtering."""

    def reproject(self, frame: av.VideoFrame) -> av.VideoFrame | None:
        """The last picture as it would look in this frame: its size and time. None: not now.

        Cheap, and safe beside a running call of the filter in another thread.
        """
        ...


def is_live(source: Source) -> bool:
    """Whether the newest frame counts, rather than every frame."""
    return bool(getattr(source, "live", False))


def rate_of(thing: Source | Sink) -> Fraction | None:
    """The frames a second that a sink wants or a source gives, where it says."""
    rate = getattr(thing, "rate", None)
    return Fraction(rate) if rate else None


@dataclass(frozen=True)
class SourceInfo:
    """What a writer must know of a source before the first frame."""

    name: str
    rate: Fraction = Fraction(30)
    total_frames: int | None = None
    sample_aspect_ratio: Fraction = Fraction(1)
    metadata: dict[str, str] = field(default_factory=dict)
    stream_metadata: dict[str, str] = field(default_factory=dict)
    chapters: tuple[Any, ...] = ()
    video: Stream | None = None
    streams: tuple[Stream, ...] = ()
    """All streams in the order of the file, the filtered one (`video`) among them."""
    offset: Fraction = Fraction(0)
    """Seconds that the reader subtracts from every time (`--start`)."""


class Reader(Protocol):
    """A source of frames and of the packets that belong beside them, in the order of the file."""

    @property
    def info(self) -> SourceInfo:
        """Rate, length, metadata and streams."""
        ...

    @property
    def damaged(self) -> int:
        """How many pieces could not be decoded so far."""
        ...

    def __iter__(self) -> Iterator[FrameOrPacket]:
        """Frames with pts, and packets of the other streams."""
        ...

    def close(self) -> None:
        """Give the file back."""
        ...


class Writer(Protocol):
    """Takes frames and packets and makes a file, which exists only once it is whole."""

    def write(self, item: FrameOrPacket) -> None:
        """Encode a frame, or store a packet of another stream."""
        ...

    def finish(self) -> None:
        """Complete the file and give it its name."""
        ...

    def discard(self) -> None:
        """Remove what was written. May be called after `finish`, which it leaves alone."""
        ...
