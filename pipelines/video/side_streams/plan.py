"""How each stream beside the video is carried over: decided by trial, before a file is written."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import av
from av.container import OutputContainer
from av.stream import Stream

from turbolens.pipelines.base import Notify

from .passthrough import Copy, Way, ways_to_carry
from .timecode import is_timecode

THOROUGH_PROBE = {"probesize": str(64 << 20), "analyzeduration": str(300_000_000)}
TIMECODE_FORMATS = {"mp4", "mov", "ipod", "matroska"}
FASTSTART = "+faststart"
"""The value of MP4's option `movflags` that moves the index to the front, by reading the file."""


class _NullFile:
    """A seekable file that forgets what is written to it."""

    def __init__(self) -> None:
        self._position = self._size = 0

    def write(self, data: bytes) -> int:
        """Count the bytes."""
        self._position += len(data)
        self._size = max(self._size, self._position)
        return len(data)

    def seek(self, offset: int, whence: int = 0) -> int:
        """Move as in a file."""
        self._position = offset + (0, self._position, self._size)[whence]
        return self._position

    def tell(self) -> int:
        """The position."""
        return self._position


@contextmanager
def scratch_output(format_name: str, options: Mapping[str, str]) -> Iterator[OutputContainer]:
    """A container that is written nowhere."""
    options = {key: value for key, value in options.items() if value != FASTSTART}
    output = av.open(_NullFile(), "w", format=format_name, container_options=options)
    try:
        yield output
    finally:
        with suppress(av.FFmpegError, OSError, ValueError):  # a trailer without any packet
            output.close()


@dataclass(frozen=True)
class PlannedStream:
    """A stream of the input and how it is carried over."""

    source: Stream
    label: str
    way: Way


class StreamPlanner:
    """Tries the streams beside the video, each one and all together, in headers written nowhere.

    video: the video's stream in a container of the output's format whose header is written.
    video_index: its place among the streams of the input. packets: some packets of the input; the
    first one of a stream is tried too.
    """

    def __init__(
        self,
        video: Stream,
        options: Mapping[str, str],
        *,
        video_index: int,
        packets: Iterable[Any],
        notify: Notify,
    ) -> None:
        self._video, self._options, self._notify = video, options, notify
        self._output: Any = video.container
        self._video_index = video_index
        self._first_packets: dict[int, Any] = {}
        for packet in packets:
            self._first_packets.setdefault(packet.stream.index, packet)
        self._ends_without_packets = True  # unless this trial fails
        self._ends_without_packets = self._accepts([])

    def plan(self, streams: Sequence[Stream]) -> list[PlannedStream]:
        """The streams that the container can hold. Others, and conversions, get a notice."""
        planned = [each for stream in streams if (each := self._plan_one(stream)) is not None]
        if not self._accepts(planned):
            planned = self._accepted_together(planned)
        for each in planned:
            if each.way.encoder is not None:
                self._notify(
                    f"{each.label} is converted to {each.way.encoder}: {self._format} cannot hold"
                    " it as it is"
                )
        return planned

    @property
    def _format(self) -> str:
        name: str = self._output.format.name
        return name

    def _plan_one(self, stream: Stream) -> PlannedStream | None:
        label = label_of(stream)
        if stream.type == "data":
            if not self._is_kept_timecode(stream):
                self._notify(f"{label} is left out: timed data cannot be copied")
            return None
        if stream.codec_context is None and stream.type != "attachment":
            self._notify(f"{label} is left out: FFmpeg has no decoder for it")
            return None
        if not _has_parameters(stream):
            stream = _probed_thoroughly(stream)
        if not _has_parameters(stream):
            self._notify(f"{label} is left out: no packet tells its sample rate and channels")
            return None
        for way in ways_to_carry(stream, self._output):
            planned = PlannedStream(stream, label, way)
            if self._accepts([planned]):
                return planned
        self._notify(f"{label} is left out: {self._format} can neither hold nor convert it")
        return None

    def _is_kept_timecode(self, stream: Stream) -> bool:
        """True for a time code track of MOV, whose value the video's metadata carries over."""
        return self._format in TIMECODE_FORMATS and any(map(is_timecode, stream.metadata))

    def _accepted_together(self, planned: Sequence[PlannedStream]) -> list[PlannedStream]:
        """Each stream that is accepted beside those before it."""
        accepted: list[PlannedStream] = []
        for each in planned:
            if self._accepts([*accepted, each]):
                accepted.append(each)
            else:
                self._notify(
                    f"{each.label} is left out: {self._format} cannot hold it beside the others"
                )
        return accepted

    def _accepts(self, planned: Sequence[PlannedStream]) -> bool:
        """True if a file with the video, these streams and their first packets can be written."""
        try:
            with scratch_output(self._format, self._options) as output:
                self._write(output, planned)
        except (av.FFmpegError, OSError, ValueError):
            return False
        return True

    def _write(self, output: OutputContainer, planned: Sequence[PlannedStream]) -> None:
        """Header, packets and trailer. Raises what FFmpeg or PyAV raise."""
        ways: list[tuple[int, Way]] = [(each.source.index, each.way) for each in planned]
        ways.append((self._video_index, Copy(self._video)))
        added = {}
        for index, way in sorted(ways, key=lambda each: each[0]):
            added[index], _ = way.add_to(output)
        output.start_encoding()
        for each in planned:
            if each.way.encoder is None and (content := self._sample(each.source)) is not None:
                output.mux(_packet_of(content, added[each.source.index]))
        if self._ends_without_packets:
            output.close()

    def _sample(self, stream: Stream) -> bytes | None:
        """A packet's content: the first that was read, or for PCM silence."""
        packet = self._first_packets.get(stream.index)
        if packet is not None:
            return bytes(packet)
        context: Any = stream.codec_context
        is_pcm = context is not None and context.name.startswith("pcm_")
        return bytes(256 * context.layout.nb_channels) if is_pcm else None


def _packet_of(content: bytes, stream: Stream) -> Any:
    packet: Any = av.Packet(content)
    packet.stream, packet.time_base = stream, stream.time_base
    packet.pts = packet.dts = 0
    packet.duration = 1
    return packet


def label_of(stream: Stream) -> str:
    """The stream as notices name it."""
    context = stream.codec_context
    return f"stream {stream.index} ({stream.type} {context.name if context else 'unknown'})"


def _has_parameters(stream: Any) -> bool:
    """False for audio whose sample rate or channels are not known yet."""
    context = stream.codec_context
    if stream.type != "audio" or context is None:
        return True
    return bool(context.rate and context.layout.nb_channels)


def _probed_thoroughly(stream: Any) -> Stream:
    """The same stream of the file opened again, after reading more of it to find parameters."""
    container = stream.container
    if not Path(container.name.removeprefix("file:")).is_file():
        return stream  # type: ignore[no-any-return]
    try:
        again = av.open(container.name, options=THOROUGH_PROBE, metadata_errors="replace")
    except (av.FFmpegError, OSError, ValueError):
        return stream  # type: ignore[no-any-return]
    found: Stream = again.streams[stream.index] if stream.index < len(again.streams) else stream
    return found if found.type == stream.type else stream
