"""The streams beside the picture: copied packet by packet, converted, or left out with a line."""

from collections.abc import Iterable
from fractions import Fraction
from typing import Any, Protocol

import av
from av.container import OutputContainer
from av.stream import Stream

from turbolens.pipelines.base import Notify

MILLISECOND = Fraction(1, 1000)
TEXT_SUBTITLES = {"srt", "subrip", "ass", "ssa", "webvtt", "mov_text", "text"}
TEXT_ENCODERS = {"mp4": "mov_text", "mov": "mov_text", "ipod": "mov_text", "webm": "webvtt"}
PLAIN_STYLE = b"""[Script Info]
ScriptType: v4.00+

[V4+ Styles]
Format: Name, Fontname, Fontsize, PrimaryColour, Alignment, Encoding
Style: Default,Arial,16,&Hffffff,2,0

[Events]
Format: Layer, Start, End, Style, Name, MarginL, MarginR, MarginV, Effect, Text
"""


class StreamTarget(Protocol):
    """Where the packets of one stream go."""

    def packets(self, packet: Any | None) -> Iterable[Any]:
        """Packets to be muxed for one of the input (None: what is left at the end)."""
        ...


class CopiedStream:
    """The packets as they are."""

    def __init__(self, stream: Stream) -> None:
        self._stream = stream

    def packets(self, packet: Any | None) -> Iterable[Any]:
        """The same packet, for the new stream."""
        if packet is None or (packet.dts is None and packet.pts is None):
            return ()
        packet.stream = self._stream
        return (packet,)


class ConvertedSound:
    """Sound decoded and encoded again, at its own rate, layout and times."""

    def __init__(self, source: Any, target: Any) -> None:
        self._decoder, self._target = source.codec_context, target
        context = target.codec_context
        self._resampler = av.AudioResampler(
            format=context.format, layout=context.layout, rate=context.rate
        )
        self._fifo = av.AudioFifo()
        self._rate = context.rate
        # The pts of the next frame in samples, counted on: coarse container times would jitter.
        self._next: int | None = None

    def packets(self, packet: Any | None) -> Iterable[Any]:
        """Encoded packets that are ready."""
        for frame in self._decode(packet):
            for resampled in self._resampler.resample(frame):
                yield from self._encode(resampled)
        if packet is None:
            for resampled in self._resampler.resample(None):
                yield from self._encode(resampled)
            rest = self._fifo.read(0, partial=True)
            if rest is not None:
                yield from self._target.encode(self._timed(rest))
            yield from self._target.encode(None)

    def _decode(self, packet: Any | None) -> list[Any]:
        try:
            return list(self._decoder.decode(packet))
        except (av.InvalidDataError, av.EOFError):
            return []

    def _encode(self, frame: Any) -> Iterable[Any]:
        if self._next is None:
            self._next = round((frame.pts or 0) * frame.time_base * self._rate)
        frame.pts = None
        self._fifo.write(frame)
        size = self._target.codec_context.frame_size or frame.samples
        for chunk in self._fifo.read_many(size):
            yield from self._target.encode(self._timed(chunk))

    def _timed(self, chunk: Any) -> Any:
        chunk.pts, chunk.time_base = self._next, Fraction(1, self._rate)
        self._next = (self._next or 0) + chunk.samples
        return chunk


class ConvertedSubtitles:
    """Text subtitles in another text format."""

    def __init__(self, source: Any, target: Any) -> None:
        self._decoder, self._target = source.codec_context, target

    def packets(self, packet: Any | None) -> Iterable[Any]:
        """One packet for each subtitle."""
        if packet is None or packet.pts is None:
            return
        subtitle = self._decoder.decode2(packet)
        if subtitle is None or not len(subtitle):
            return
        encoded = self._target.codec_context.encode_subtitle(subtitle)
        encoded.stream = self._target
        encoded.time_base = packet.time_base
        encoded.pts = encoded.dts = packet.pts
        encoded.duration = packet.duration
        yield encoded


def add_streams(
    output: OutputContainer, streams: Iterable[Stream], notify: Notify
) -> dict[int, StreamTarget]:
    """A target for each stream that the container can hold, by the stream's index in the input."""
    targets: dict[int, StreamTarget] = {}
    for stream in streams:
        target = _add(output, stream, notify)
        if target is not None:
            targets[stream.index] = target
    return targets


def _add(output: OutputContainer, stream: Stream, notify: Notify) -> StreamTarget | None:
    label = f"stream {stream.index} ({stream.type} {_codec(stream)})"
    if stream.type == "data":
        notify(f"{label} is left out: timed data cannot be copied")
        return None
    try:
        copied = output.add_stream_from_template(stream, opaque=True)
    except (ValueError, av.FFmpegError):
        return _convert(output, stream, label, notify)
    _carry_over(stream, copied)
    return CopiedStream(copied)


def _convert(
    output: OutputContainer, stream: Any, label: str, notify: Notify
) -> StreamTarget | None:
    name = output.format.name
    target: StreamTarget
    try:
        if stream.type == "audio":
            sound, encoder = _add_sound(output, stream)
            target = ConvertedSound(stream, sound)
            _carry_over(stream, sound)
        elif stream.type == "subtitle" and _codec(stream) in TEXT_SUBTITLES:
            text, encoder = _add_text(output, stream)
            target = ConvertedSubtitles(stream, text)
            _carry_over(stream, text)
        else:
            notify(f"{label} is left out: {name} cannot hold it")
            return None
    except (ValueError, av.FFmpegError):
        notify(f"{label} is left out: {name} can neither hold nor convert it")
        return None
    notify(f"{label} is converted to {encoder}: {name} cannot hold it as it is")
    return target


def _add_sound(output: OutputContainer, stream: Any) -> tuple[Any, str]:
    encoder = output.default_audio_codec
    encoder = {"opus": "libopus", "vorbis": "libopus", "mp3": "libmp3lame"}.get(encoder, encoder)
    rate = 48000 if encoder == "libopus" else stream.codec_context.rate
    sound: Any = output.add_stream(encoder, rate=rate)
    sound.codec_context.layout = stream.codec_context.layout
    sound.codec_context.open()
    return sound, encoder


def _add_text(output: OutputContainer, stream: Any) -> tuple[Any, str]:
    encoder = TEXT_ENCODERS.get(output.format.name, output.default_subtitle_codec)
    text: Any = output.add_stream(encoder)
    header = stream.codec_context.subtitle_header
    text.codec_context.subtitle_header = header or PLAIN_STYLE
    text.codec_context.time_base = MILLISECOND
    text.time_base = MILLISECOND
    return text, encoder


def _carry_over(stream: Stream, target: Any) -> None:
    target.metadata.update(stream.metadata)
    target.disposition = stream.disposition


def _codec(stream: Stream) -> str:
    context = stream.codec_context
    return context.name if context is not None else "unknown"
