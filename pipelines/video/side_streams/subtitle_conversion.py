"""Text subtitles that are written in another text format, which the container can hold."""

from collections.abc import Iterator
from fractions import Fraction
from typing import Any

import av
from av.container import OutputContainer

MILLISECOND = Fraction(1, 1000)
TEXT_SUBTITLES = {"srt", "subrip", "ass", "ssa", "webvtt", "mov_text", "text"}
MP4_LIKE = {"mp4", "mov", "ipod"}
TEXT_ENCODERS = {**dict.fromkeys(MP4_LIKE, "mov_text"), "webm": "webvtt"}
PLAIN_STYLE = b"""[Script Info]
ScriptType: v4.00+

[V4+ Styles]
Format: Name, Fontname, Fontsize, PrimaryColour, Alignment, Encoding
Style: Default,Arial,16,&Hffffff,2,0

[Events]
Format: Layer, Start, End, Style, Name, MarginL, MarginR, MarginV, Effect, Text
"""


def text_encoder(source: Any, output: OutputContainer) -> str | None:
    """The encoder that writes a stream of text subtitles for this container. `None` if none."""
    context = source.codec_context
    if context is None or context.name not in TEXT_SUBTITLES:
        return None
    encoder = TEXT_ENCODERS.get(output.format.name, output.default_subtitle_codec)
    return None if encoder == "none" else encoder


def add_subtitles(output: OutputContainer, encoder: str, *, source: Any) -> Any:
    """A stream of the output, with the styles of the source."""
    text: Any = output.add_stream(encoder)
    text.codec_context.subtitle_header = _header_of(source.codec_context) or PLAIN_STYLE
    text.codec_context.time_base = text.time_base = MILLISECOND
    text.codec_context.open()
    return text


def _header_of(decoder: Any) -> bytes | None:
    """The styles, which the decoder knows once it is open."""
    try:
        decoder.open(strict=False)
    except (av.FFmpegError, ValueError):
        return None
    header: bytes | None = decoder.subtitle_header
    return header


class TranscodedSubtitles:
    """Text subtitles are written in another text format.

    MP4 has no two samples at once: there a subtitle ends where the next one begins.
    """

    def __init__(self, source: Any, target: Any) -> None:
        self._decoder, self._target = source.codec_context, target
        self._one_at_a_time = target.container.format.name in MP4_LIKE
        self._waiting: Any = None  # for the beginning of the next one
        self.lost = 0

    def packets(self, packet: Any | None) -> Iterator[Any]:
        """One packet for each subtitle."""
        encoded = self._converted(packet)
        if not self._one_at_a_time:
            if encoded is not None:
                yield encoded
        elif encoded is not None or packet is None:
            waiting, self._waiting = self._waiting, encoded
            if waiting is not None:
                yield _ended_before(waiting, encoded)

    def _converted(self, packet: Any | None) -> Any | None:
        if packet is None or packet.pts is None:
            return None
        try:
            subtitle = self._decoder.decode2(packet)
            if subtitle is None or not len(subtitle):
                return None
            encoded = self._target.codec_context.encode_subtitle(subtitle)
        except (av.FFmpegError, ValueError):
            self.lost += 1
            return None
        encoded.stream, encoded.time_base = self._target, packet.time_base
        encoded.pts = encoded.dts = packet.pts
        encoded.duration = packet.duration
        return encoded


def _ended_before(packet: Any, following: Any | None) -> Any:
    """The packet, cut at the beginning of the following one, and at least one tick long."""
    if following is not None:
        following.pts = following.dts = max(following.pts, packet.pts + 1)
        packet.duration = min(packet.duration, following.pts - packet.pts)
    return packet
