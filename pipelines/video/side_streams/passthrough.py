"""Ways to carry a stream beside the video into the output: as it is, or converted."""

from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, Protocol

from av.container import OutputContainer
from av.stream import Stream

from .audio_conversion import AudioFormat, TranscodedAudio, audio_formats
from .container_rules import can_hold
from .subtitle_conversion import TranscodedSubtitles, add_subtitles, text_encoder


class StreamTarget(Protocol):
    """The output of one stream. lost: packets that could not be decoded."""

    lost: int

    def packets(self, packet: Any | None) -> Iterable[Any]:
        """The packets to write for a packet of the input. `None` at the end, to flush."""
        ...


class CopiedStream:
    """Packets are copied unchanged, but for times that the input does not tell."""

    def __init__(self, source: Stream, stream: Stream) -> None:
        self._stream = stream
        self._packet_duration = _packet_duration(source)
        self._end: int | None = None
        self.lost = 0

    def packets(self, packet: Any | None) -> Iterable[Any]:
        """The same packet, in the output's stream. One without a time follows the one before."""
        if packet is None:
            return ()
        if packet.dts is None and packet.pts is None:
            if self._end is None:
                self.lost += 1
                return ()
            packet.dts = packet.pts = self._end
        time = packet.dts if packet.dts is not None else packet.pts
        packet.duration = packet.duration or round(self._packet_duration / packet.time_base)
        self._end = time + packet.duration
        packet.stream = self._stream
        return (packet,)


class Way(Protocol):
    """A way to carry a stream over. encoder: `None` if the stream is copied."""

    @property
    def encoder(self) -> str | None:
        """The encoder that it is converted with."""
        ...

    def add_to(self, output: OutputContainer) -> tuple[Stream, StreamTarget]:
        """Add the stream to an output. Raises FFmpeg's error or `ValueError` if it is refused."""
        ...


@dataclass(frozen=True)
class Copy:
    """Packets as they are."""

    source: Stream
    encoder: str | None = None

    def add_to(self, output: OutputContainer) -> tuple[Stream, StreamTarget]:
        """Add a copy of the stream."""
        copied: Stream = output.add_stream_from_template(self.source, opaque=True)
        _copy_properties(self.source, copied)
        return copied, CopiedStream(self.source, copied)


@dataclass(frozen=True)
class ConvertAudio:
    """Decoded and encoded again."""

    source: Any
    format: AudioFormat

    @property
    def encoder(self) -> str:
        """The encoder's name."""
        return self.format.encoder

    def add_to(self, output: OutputContainer) -> tuple[Stream, StreamTarget]:
        """Add a stream with an open encoder."""
        audio = self.format.add_to(output)
        _copy_properties(self.source, audio)
        return audio, TranscodedAudio(self.source, audio)


@dataclass(frozen=True)
class ConvertSubtitles:
    """Text in another text format."""

    source: Any
    encoder: str

    def add_to(self, output: OutputContainer) -> tuple[Stream, StreamTarget]:
        """Add a stream with an open encoder."""
        text = add_subtitles(output, self.encoder, source=self.source)
        _copy_properties(self.source, text)
        return text, TranscodedSubtitles(self.source, text)


def ways_to_carry(source: Stream, output: OutputContainer) -> Iterable[Way]:
    """Ways that may work for this stream, best first. Whether one works, only the header tells."""
    if can_hold(output.format.name, source):
        yield Copy(source)
    if source.type == "audio":
        for audio_format in audio_formats(source, output):
            yield ConvertAudio(source, audio_format)
    if source.type == "subtitle":
        encoder = text_encoder(source, output)
        if encoder is not None:
            yield ConvertSubtitles(source, encoder)


def _packet_duration(source: Any) -> Fraction:
    """Seconds of each packet, 0 if they differ or are unknown."""
    context = source.codec_context
    if source.type != "audio" or context is None or not context.rate:
        return Fraction(0)
    return Fraction(context.frame_size or 0, context.rate)


def _copy_properties(source: Stream, target: Any) -> None:
    target.metadata.update(source.metadata)
    target.disposition = source.disposition
