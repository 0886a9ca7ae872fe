"""The streams beside the video: copied, or else converted, or left out with a notice."""

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
    """The output of one stream."""

    def packets(self, packet: Any | None) -> Iterable[Any]:
        """The packets to write for a packet of the input. `None` at the end, to flush."""
        ...


class CopiedStream:
    """Packets are copied unchanged."""

    def __init__(self, stream: Stream) -> None:
        self._stream = stream

    def packets(self, packet: Any | None) -> Iterable[Any]:
        """The same packet, in the output's stream."""
        if packet is None or (packet.dts is None and packet.pts is None):
            return ()
        packet.stream = self._stream
        return (packet,)


class TranscodedAudio:
    """Audio is decoded and encoded again, with its rate, layout and times."""

    def __init__(self, source: Any, target: Any) -> None:
        self._decoder, self._target = source.codec_context, target
        context = target.codec_context
        self._resampler = av.AudioResampler(
            format=context.format, layout=context.layout, rate=context.rate
        )
        self._fifo = av.AudioFifo()
        self._rate = context.rate
        # pts of the next frame in samples, counted, because coarse container times would jitter
        self._next_pts: int | None = None

    def packets(self, packet: Any | None) -> Iterable[Any]:
        """The encoded packets that are ready."""
        for frame in self._decode(packet):
            for resampled in self._resampler.resample(frame):
                yield from self._encode(resampled)
        if packet is None:
            for resampled in self._resampler.resample(None):
                yield from self._encode(resampled)
            rest = self._fifo.read(0, partial=True)
            if rest is not None:
                yield from self._target.encode(self._with_pts(rest))
            yield from self._target.encode(None)

    def _decode(self, packet: Any | None) -> list[Any]:
        try:
            return list(self._decoder.decode(packet))
        except (av.InvalidDataError, av.EOFError):
            return []

    def _encode(self, frame: Any) -> Iterable[Any]:
        if self._next_pts is None:
            self._next_pts = round((frame.pts or 0) * frame.time_base * self._rate)
        frame.pts = None
        self._fifo.write(frame)
        size = self._target.codec_context.frame_size or frame.samples
        for chunk in self._fifo.read_many(size):
            yield from self._target.encode(self._with_pts(chunk))

    def _with_pts(self, chunk: Any) -> Any:
        chunk.pts, chunk.time_base = self._next_pts, Fraction(1, self._rate)
        self._next_pts = (self._next_pts or 0) + chunk.samples
        return chunk


class TranscodedSubtitles:
    """Text subtitles are written in another text format."""

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
    """A target for each stream that the container can hold, by its index in the input."""
    targets: dict[int, StreamTarget] = {}
    for stream in streams:
        target = _add(output, stream, notify)
        if target is not None:
            targets[stream.index] = target
    return targets


def _add(output: OutputContainer, stream: Stream, notify: Notify) -> StreamTarget | None:
    label = f"stream {stream.index} ({stream.type} {_codec_name(stream)})"
    if stream.type == "data":
        notify(f"{label} is left out: timed data cannot be copied")
        return None
    try:
        copied = output.add_stream_from_template(stream, opaque=True)
    except (ValueError, av.FFmpegError):
        return _convert(output, stream, label, notify)
    _copy_properties(stream, copied)
    return CopiedStream(copied)


def _convert(
    output: OutputContainer, stream: Any, label: str, notify: Notify
) -> StreamTarget | None:
    name = output.format.name
    target: StreamTarget
    try:
        if stream.codec_context is None:
            notify(f"{label} is left out: FFmpeg has no decoder for it")
            return None
        if stream.type == "audio":
            audio, encoder = _add_audio(output, stream)
            target = TranscodedAudio(stream, audio)
            _copy_properties(stream, audio)
        elif stream.type == "subtitle" and _codec_name(stream) in TEXT_SUBTITLES:
            text, encoder = _add_subtitles(output, stream)
            target = TranscodedSubtitles(stream, text)
            _copy_properties(stream, text)
        else:
            notify(f"{label} is left out: {name} cannot hold it")
            return None
    except (ValueError, av.FFmpegError):
        notify(f"{label} is left out: {name} can neither hold nor convert it")
        return None
    notify(f"{label} is converted to {encoder}: {name} cannot hold it as it is")
    return target


def _add_audio(output: OutputContainer, stream: Any) -> tuple[Any, str]:
    encoder = output.default_audio_codec
    encoder = {"opus": "libopus", "vorbis": "libopus", "mp3": "libmp3lame"}.get(encoder, encoder)
    rate = 48000 if encoder == "libopus" else stream.codec_context.rate
    audio: Any = output.add_stream(encoder, rate=rate)
    audio.codec_context.layout = stream.codec_context.layout
    audio.codec_context.open()
    return audio, encoder


def _add_subtitles(output: OutputContainer, stream: Any) -> tuple[Any, str]:
    encoder = TEXT_ENCODERS.get(output.format.name, output.default_subtitle_codec)
    text: Any = output.add_stream(encoder)
    header = stream.codec_context.subtitle_header
    text.codec_context.subtitle_header = header or PLAIN_STYLE
    text.codec_context.time_base = MILLISECOND
    text.time_base = MILLISECOND
    return text, encoder


def _copy_properties(stream: Stream, target: Any) -> None:
    target.metadata.update(stream.metadata)
    target.disposition = stream.disposition


def _codec_name(stream: Stream) -> str:
    context = stream.codec_context
    return context.name if context is not None else "unknown"
