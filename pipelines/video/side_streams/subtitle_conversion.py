"""Text subtitles that are written in another text format, which the container can hold."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any

import av
from av.container import OutputContainer
from av.subtitles.subtitle import AssSubtitle, SubtitleSet

MILLISECOND = Fraction(1, 1000)
TEXT_SUBTITLES = {"srt", "subrip", "ass", "ssa", "webvtt", "mov_text", "text"}
MP4_LIKE = {"mp4", "mov", "ipod"}
TEXT_ENCODERS = {**dict.fromkeys(MP4_LIKE, "mov_text"), "webm": "webvtt"}
TEXT_FIELD = 8  # of a decoded event of ASS, counted from 0; the text may hold commas
NEW_LINE = rb"{\r}\N"  # ends the style of the line before
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


@dataclass(frozen=True)
class _Subtitle:
    """A decoded subtitle. start, end: in `time_base`; equal if the end is unknown."""

    content: SubtitleSet
    start: int
    end: int
    time_base: Fraction

    @property
    def lines(self) -> list[bytes]:
        """Its lines, as events of ASS."""
        return [line.ass for line in self.content if isinstance(line, AssSubtitle)]


class TranscodedSubtitles:
    """Text subtitles are written in another text format.

    MP4 has no two samples at once. There a subtitle ends where a later one begins, and those that
    begin together become one with the lines of all.
    """

    def __init__(self, source: Any, target: Any) -> None:
        self._decoder, self._target = source.codec_context, target
        self._one_at_a_time = target.container.format.name in MP4_LIKE
        self._waiting: list[_Subtitle] = []  # they begin together; for the beginning of the next
        self.lost = 0

    def packets(self, packet: Any | None) -> Iterator[Any]:
        """One packet for each subtitle, or for each time at which others are shown."""
        subtitle = self._decoded(packet)
        if not self._one_at_a_time:
            if subtitle is not None:
                yield from self._encoded(subtitle)
            return
        if packet is None:
            yield from self._group(until=None)
        if subtitle is None:
            return
        if self._waiting:
            subtitle = _moved_to(max(subtitle.start, self._waiting[0].start), subtitle)
            if subtitle.start > self._waiting[0].start:
                yield from self._group(until=subtitle.start)
        self._waiting.append(subtitle)

    def _group(self, *, until: int | None) -> Iterator[Any]:
        """The packets of the waiting subtitles. until: the beginning of the next one."""
        waiting, self._waiting = self._waiting, []
        for subtitle in _one_at_a_time(waiting, until=until):
            yield from self._encoded(subtitle)

    def _decoded(self, packet: Any | None) -> _Subtitle | None:
        if packet is None or packet.pts is None:
            return None
        try:
            content = self._decoder.decode2(packet)
        except (av.FFmpegError, ValueError):
            self.lost += 1
            return None
        if content is None or not len(content):
            return None
        end = packet.pts + (packet.duration or 0)
        return _Subtitle(content, packet.pts, end, packet.time_base)

    def _encoded(self, subtitle: _Subtitle) -> Iterator[Any]:
        try:
            packet = self._target.codec_context.encode_subtitle(subtitle.content)
        except (av.FFmpegError, ValueError):
            self.lost += 1
            return
        packet.stream, packet.time_base = self._target, subtitle.time_base
        packet.pts = packet.dts = subtitle.start
        packet.duration = subtitle.end - subtitle.start
        yield packet


def _moved_to(start: int, subtitle: _Subtitle) -> _Subtitle:
    return replace(subtitle, start=start, end=subtitle.end + start - subtitle.start)


def _one_at_a_time(together: Sequence[_Subtitle], *, until: int | None) -> Iterator[_Subtitle]:
    """Subtitles that begin together, as a sequence: each time one ends, the others go on.

    until: the beginning of a later one, at which all end; `None` if there is none.
    """
    if not together:
        return
    start = together[0].start
    ends = {each.end if until is None else min(each.end, until) for each in together}
    for end in sorted(ends - {start}) or [start]:
        shown = [each for each in together if each.end >= end or each.end == each.start]
        yield replace(_joined(shown), start=start, end=end)
        start = end


def _joined(subtitles: Sequence[_Subtitle]) -> _Subtitle:
    """One subtitle with the lines of all, in the style of the first."""
    first, *others = subtitles
    lines = [line for each in subtitles for line in each.lines]
    if not others or not lines:
        return first
    texts = [line.split(b",", TEXT_FIELD)[-1] for line in lines[1:]]
    content = SubtitleSet.create(NEW_LINE.join([lines[0], *texts]), start=0, end=0)
    return replace(first, content=content)
