"""Timestamps of a file that begin again in the middle, or lie below zero, put on one timeline."""

from collections.abc import Iterable
from fractions import Fraction
from typing import Any

from av.format import Flags
from av.stream import Disposition, Stream
from av.video.stream import VideoStream

from .container_rules import has_flag

CONTINUOUS = ("audio", "video")  # these tell where times begin again; subtitles are sparse
BACKWARD = Fraction(1)  # seconds that times must go back to count as begun again
BACKWARD_IN_JOINABLE = Fraction(1, 10)  # the same in a format whose files can be joined with `cat`
FORWARD_IN_JOINABLE = Fraction(60)  # seconds that times must skip there
MAX_SECONDS = 1 << 36  # a time beyond, two thousand years, is damage
MAX_PACKET_SECONDS = 60  # of audio; a longer duration is damage, which MP4 refuses
MAX_OVERHANG = Fraction(1, 2)  # seconds that audio may end after the video without moving it


class Timeline:
    """Corrects the packets of a demuxer in place, all streams by the same offsets.

    Where times begin again, as in MPEG-TS files joined with `cat`, they go on from the end of what
    came before. Packets that are stored after that point but belong before it keep their offset.
    `joins` counts such points. With `from_zero`, times before zero are shifted so that the video
    begins at zero; MP4 does not show frames before zero.
    """

    def __init__(self, video: VideoStream, *, from_zero: bool) -> None:
        self._video = video
        self._joinable = has_flag(video.container.format, Flags.ts_discont)
        self._offsets = [_shift_to_zero(video) if from_zero else Fraction(0)]
        self._streams: dict[int, _StreamPosition] = {}

    @property
    def joins(self) -> int:
        """How many times the timestamps began again."""
        return len(self._offsets) - 1

    def correct(self, packet: Any) -> None:
        """Move the packet's `dts` and `pts` onto the timeline. Impossible ones become `None`."""
        _remove_impossible_times(packet)
        time = packet.dts if packet.dts is not None else packet.pts
        if time is None:
            return
        position = self._position_of(packet.stream)
        seconds = time * Fraction(packet.time_base)
        position.segment = self._segment(packet.stream, position, seconds)
        offset = self._offsets[position.segment]
        position.advance(seconds + offset, duration_of(packet))
        ticks = round(offset / packet.time_base)
        if packet.dts is not None:
            packet.dts += ticks
        if packet.pts is not None:
            packet.pts += ticks

    def _position_of(self, stream: Stream) -> "_StreamPosition":
        index = stream.index
        if index not in self._streams:
            self._streams[index] = _StreamPosition(is_continuous=_is_continuous(stream))
        return self._streams[index]

    def _segment(self, stream: Stream, position: "_StreamPosition", seconds: Fraction) -> int:
        """The index of the offset that belongs to this packet; a new one if times begin again."""
        if position.end is None or not position.is_continuous:
            return self._nearest(range(len(self._offsets)), seconds, self._end_of_others(stream))
        segment = self._nearest(range(position.segment, len(self._offsets)), seconds, position.end)
        if not self._is_break(stream, position, seconds + self._offsets[segment]):
            return segment
        self._offsets.append(self._continuation(stream, position.end) - seconds)
        return len(self._offsets) - 1

    def _nearest(self, segments: Iterable[int], seconds: Fraction, end: Fraction | None) -> int:
        if end is None:
            return max(segments)
        return min(segments, key=lambda index: abs(seconds + self._offsets[index] - end))

    def _is_break(self, stream: Stream, position: "_StreamPosition", seconds: Fraction) -> bool:
        """True if the times of a stream at this position have begun again at `seconds`."""
        skipped = seconds - position.last
        backward = BACKWARD_IN_JOINABLE if self._joinable else BACKWARD
        others = self._end_of_others(stream)
        if skipped < -backward:  # near the others again: only the packet before was wrong
            return others is None or abs(seconds - others) > -skipped / 2
        furthest = position.last if others is None else max(position.last, others)
        return self._joinable and seconds - furthest > FORWARD_IN_JOINABLE

    def _continuation(self, stream: Stream, end: Fraction) -> Fraction:
        """Where the times go on: at the video's end, so that its frames stay evenly spaced."""
        video = self._streams.get(self._video.index)
        furthest = max(each.end for each in self._streams.values() if each.end is not None)
        if video is None or video.end is None:
            return furthest
        if video.segment == len(self._offsets) - 1 and furthest - video.end < MAX_OVERHANG:
            return video.end if stream is self._video else max(video.end, end)
        return furthest

    def _end_of_others(self, stream: Stream) -> Fraction | None:
        """The furthest time of the other continuous streams. `None` if there was none."""
        others = [each for index, each in self._streams.items() if index != stream.index]
        ends = [each.end for each in others if each.is_continuous and each.end is not None]
        return max(ends, default=None)


class _StreamPosition:
    """How far one stream has come, in seconds of the timeline."""

    def __init__(self, *, is_continuous: bool) -> None:
        self.is_continuous = is_continuous
        self.segment = 0
        self.end: Fraction | None = None
        self.last = Fraction(0)

    def advance(self, seconds: Fraction, duration: Fraction) -> None:
        """Take note of a packet."""
        if not duration and self.end is not None:
            duration = max(Fraction(0), min(seconds - self.last, Fraction(1)))
        self.last, self.end = seconds, seconds + duration


def _is_continuous(stream: Stream) -> bool:
    return stream.type in CONTINUOUS and not stream.disposition & Disposition.attached_pic


def _remove_impossible_times(packet: Any) -> None:
    limit = MAX_SECONDS / Fraction(packet.time_base)
    if packet.dts is not None and abs(packet.dts) > limit:
        packet.dts = None
    if packet.pts is not None and abs(packet.pts) > limit:
        packet.pts = None
    if packet.stream.type == "audio":
        limit = MAX_PACKET_SECONDS / Fraction(packet.time_base)
    if (packet.duration or 0) > limit:
        packet.duration = 0


def duration_of(packet: Any) -> Fraction:
    """Seconds, 0 if unknown."""
    return (packet.duration or 0) * Fraction(packet.time_base)


def _shift_to_zero(video: VideoStream) -> Fraction:
    """Seconds to add if the video begins before zero, as after a wrapped MPEG-TS clock."""
    start = video.start_time
    if start is None or start >= 0 or video.time_base is None:
        return Fraction(0)
    seconds = -start * Fraction(video.time_base)
    return seconds if seconds <= MAX_SECONDS else Fraction(0)
