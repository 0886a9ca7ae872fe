"""Packet times that a container accepts: each stream's `dts` rises, and no `pts` is before it.

`StrayTimes` finds single wrong times in the input, and `RisingTimes` moves what does not rise.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from av.container import OutputContainer
from av.format import Flags
from av.stream import Stream

from .container_rules import has_flag

STRAY = Fraction(1)  # seconds that one time must be beyond its neighbours to count as wrong


class StrayTimes:
    """Corrects an audio packet whose time is far later than those of both its neighbours.

    It gets the time at which the packet before ends. Otherwise all later packets would be moved
    behind it. Each packet waits for the next one. moved: how many were corrected.
    """

    def __init__(self) -> None:
        self._waiting: Any = None
        self._end: Fraction | None = None  # of the packet before, in seconds
        self.moved = 0

    def packets(self, packet: Any | None) -> Iterator[Any]:
        """The packets that are ready. `None` at the end, to flush."""
        waiting, self._waiting = self._waiting, packet
        if waiting is None:
            return
        if packet is not None and self._is_stray(_seconds(waiting), _seconds(packet)):
            waiting.pts = waiting.dts = _rescaled(1, (self._end or 0) / waiting.time_base)
            self.moved += 1
        time = _seconds(waiting)
        if time is not None:
            self._end = time + (waiting.duration or 0) * Fraction(waiting.time_base)
        yield waiting

    def _is_stray(self, time: Fraction | None, following: Fraction | None) -> bool:
        if time is None or following is None or self._end is None:
            return False
        return time - self._end > STRAY and abs(following - self._end) < STRAY


def _seconds(packet: Any) -> Fraction | None:
    time = packet.dts if packet.dts is not None else packet.pts
    return None if time is None else time * Fraction(packet.time_base)


@dataclass
class _StreamTimes:
    """last: the latest `dts`, in the time base of the output's stream."""

    label: str
    last: int | None = None
    moved: int = 0
    furthest: Fraction = Fraction(0)


class RisingTimes:
    """Moves packets whose times do not rise by as little as the container needs, and counts them.

    Other packets stay as they are. Use it after the header is written, because writing it decides
    the time bases of the streams.
    """

    def __init__(self, output: OutputContainer) -> None:
        # Where equal times are allowed they are kept: the clock may be too coarse for the packets.
        self._equal_allowed = has_flag(output.format, Flags.ts_nonstrict)
        self._streams: dict[int, _StreamTimes] = {}

    def add(self, stream: Stream, label: str) -> None:
        """Take a stream of the output. label: its name in the notice."""
        self._streams[stream.index] = _StreamTimes(label)

    def correct(self, packet: Any) -> None:
        """Move a packet of such a stream if it must be moved. The packet needs a time."""
        times = self._streams[packet.stream.index]
        if packet.dts is None:
            packet.dts = packet.pts
        if packet.pts is None:
            packet.pts = packet.dts
        source, target = Fraction(packet.time_base), Fraction(packet.stream.time_base)
        dts, pts = (_rescaled(time, source / target) for time in (packet.dts, packet.pts))
        earliest = dts if times.last is None else max(dts, self._earliest(packet, times.last))
        if earliest > dts or pts < earliest:
            tick = source if (packet.duration or 0) <= 1 else 0  # times as exact as its clock
            packet.duration = _rescaled(packet.duration or 0, source / target)
            packet.time_base = target
            packet.dts, packet.pts = earliest, max(pts, earliest)
            moved = (packet.pts - pts) * target
            times.moved += moved > tick
            times.furthest = max(times.furthest, moved)
        times.last = earliest

    def _earliest(self, packet: Any, last: int) -> int:
        """The earliest `dts` that may follow `last`."""
        return last if self._equal_allowed or packet.stream.type == "subtitle" else last + 1

    def notices(self) -> Iterator[str]:
        """One line for each stream with moved packets."""
        for times in self._streams.values():
            if times.moved:
                packets = "1 packet was" if times.moved == 1 else f"{times.moved} packets were"
                milliseconds = max(1, round(times.furthest * 1000))
                yield (
                    f"{times.label}: timestamps did not rise; {packets} moved, by at most"
                    f" {milliseconds} ms"
                )


def _rescaled(ticks: int, scale: Fraction) -> int:
    """Rounded as FFmpeg does it: halves away from zero."""
    scaled = ticks * scale
    rounded = (2 * abs(scaled.numerator) + scaled.denominator) // (2 * scaled.denominator)
    return rounded if ticks >= 0 else -rounded
