"""Timestamps for the frames of one input, also if its container has none."""

import time
from collections.abc import Iterator
from fractions import Fraction
from typing import Any

import av
from av.container import InputContainer

NO_TIMESTAMPS = 0x80  # AVFMT_NOTIMESTAMPS: raw H.264, HEVC, MJPEG and the like
RECORDING_SECONDS, RECORDING_BYTES = 2, 1 << 20  # what no live sender has ready at once
QUICK = Fraction(1, 8)  # of a frame's duration: a packet that takes longer was waited for
WAITS = 3  # packets in a row that were waited for: the input is live


def has_timestamps(container: InputContainer) -> bool:
    """False for raw video, whose timestamps FFmpeg does not know or only counts."""
    return not container.format.flags & NO_TIMESTAMPS


def read_ahead(packets: Iterator[Any], rate: Fraction) -> tuple[list[Any], bool]:
    """The first packets, and True if they come faster than a live input can send them.

    A live input has few packets at once; the next ones must be waited for. A recording
    that is written into a pipe never makes the reader wait.
    """
    ahead: list[Any] = []
    size = waits = 0
    began = time.monotonic()
    for packet in packets:
        waited = time.monotonic() - began > QUICK / rate
        waits = waits + 1 if waited else 0
        ahead.append(packet)
        size += packet.size
        if waits >= WAITS:
            return ahead, False
        if len(ahead) >= RECORDING_SECONDS * rate and size >= RECORDING_BYTES:
            return ahead, True
        began = time.monotonic()
    return ahead, True


class FrameTimestamps:
    """Gives each decoded frame of an input its timestamp in seconds.

    A frame without `pts` gets the time after the frame before it. If the container has no
    timestamps at all (`timed=False`), a live frame gets the time on the machine's clock, because
    the announced rate may be wrong, and a frame of a recording is counted.
    """

    def __init__(self, rate: Fraction, *, timed: bool, live: bool) -> None:
        self._step, self._timed, self._live = 1 / rate, timed, live
        self._last: Fraction | None = None

    def __call__(self, frame: av.VideoFrame) -> Fraction:
        """The timestamp. Not changed by the frame's own `pts` if the container has none."""
        self._last = self._timestamp(frame)
        return self._last

    def _timestamp(self, frame: av.VideoFrame) -> Fraction:
        if not self._timed and self._live:
            return Fraction(time.monotonic()).limit_denominator(1_000_000)
        pts = frame.pts if frame.pts is not None else frame.dts
        if self._timed and pts is not None:
            return pts * Fraction(frame.time_base or 1)
        return Fraction(0) if self._last is None else self._last + self._step
