"""`JitterBuffer`: RTP packets in, complete encoded frames out, in order and with a deadline."""

from collections.abc import Callable, Iterator
from time import monotonic
from typing import NamedTuple

from aiortc.jitterbuffer import JitterFrame
from aiortc.rtp import RtpPacket

from turbolens.pipelines.statistics import Clock

from .aiortc_internals import depayloaded
from .nack_generator import DEADLINE_SECONDS, SequenceUnwrapper

PLI_SECONDS = 0.5  # between two picture loss indications
MAX_PACKETS = 1024  # in the buffer, whatever a peer sends
VP8_KEY_FRAME = b"\x9d\x01\x2a"  # start code, after three bytes of every key frame (RFC 6386, 9.1)
H264_START_CODE = b"\0\0\0\1"
H264_KEY_FRAME_NAL_TYPES = (5, 7)  # IDR slice, and the sequence parameter set before one

Deliver = Callable[[RtpPacket, JitterFrame], None]


class _Buffered(NamedTuple):
    packet: RtpPacket
    arrived_at: float


class JitterBuffer:
    """Puts the packets of one video stream in order and joins them into frames.

    The buffer is in one of three states:

    - Complete: no packet is missing. A frame leaves when its last packet arrives.
    - Waiting: a packet is missing, and later packets wait for it. When it arrives, all frames that
      are complete by then leave at once. If it does not arrive within `DEADLINE_SECONDS`, or if
      more than `MAX_PACKETS` wait, its frame is skipped and the buffer becomes damaged.
    - Damaged: frames leave as before, but they refer to one that was skipped. The buffer asks for
      a picture loss indication (PLI, RFC 4585, 6.3.1) at once and then every `PLI_SECONDS`. It
      leaves this state with the next key frame.

    deliver: is called with every frame that a packet completes, except the newest one, which `add`
    returns.
    """

    def __init__(self, deliver: Deliver, clock: Clock = monotonic) -> None:
        self._deliver, self._clock, self._sequence = deliver, clock, SequenceUnwrapper()
        self._buffered: dict[int, _Buffered] = {}  # by number
        self._next = 0  # the first number that has not left
        self._damaged = False
        self._pli_at = float("-inf")

    def add(self, packet: RtpPacket) -> tuple[bool, JitterFrame | None]:
        """Add a packet. Returns whether to send a PLI, and the newest complete frame, if any."""
        now = self._clock()
        if not self._insert(packet, now):
            return False, None
        frames = list(self._take_complete())
        while self._must_skip(now):
            self._skip_frame()
            frames += self._take_complete()
        for frame in frames[:-1]:
            self._deliver(packet, frame)
        return self._pli_due(now), frames[-1] if frames else None

    def _insert(self, packet: RtpPacket, now: float) -> bool:
        """Store a packet. False if it is too late: its frame has left or was skipped."""
        number = self._sequence.unwrap(packet.sequence_number)
        if self._sequence.starts_stream(number):
            self._buffered.clear()
            self._sequence.restart(number)
            self._next = number
        self._sequence.advance(number)
        if number < self._next:
            return False
        self._buffered[number] = _Buffered(packet, now)
        return True

    def _take_complete(self) -> Iterator[JitterFrame]:
        """Remove and yield the complete frames before the first gap."""
        parts: list[bytes] = []
        number = self._next
        while number in self._buffered:
            packet = self._buffered[number].packet
            parts.append(depayloaded(packet))
            last = self._ends_frame(number)
            number += 1
            if last:
                self._drop_before(number)
                yield from self._frame(b"".join(parts), packet.timestamp)
                parts = []

    def _ends_frame(self, number: int) -> bool:
        """True if this packet is the last of its frame.

        It has the marker bit (RFC 3550, 5.1), or the next packet has another timestamp, because
        some senders set no marker.
        """
        packet, following = self._buffered[number].packet, self._buffered.get(number + 1)
        if packet.marker:
            return True
        return following is not None and following.packet.timestamp != packet.timestamp

    def _frame(self, data: bytes, timestamp: int) -> Iterator[JitterFrame]:
        """The frame with this data; nothing if the packets were only padding."""
        if _is_key_frame(data):
            self._damaged = False
        if data:
            yield JitterFrame(data=data, timestamp=timestamp)

    def _drop_before(self, number: int) -> None:
        for dropped in [each for each in self._buffered if each < number]:
            del self._buffered[dropped]
        self._next = number

    def _first_gap(self) -> int:
        """The first number that is missing."""
        number = self._next
        while number in self._buffered:
            number += 1
        return number

    def _must_skip(self, now: float) -> bool:
        """True if packets have waited for a missing one past the deadline, or are too many."""
        if len(self._buffered) > MAX_PACKETS:
            return True
        gap = self._first_gap()
        waiting = [each.arrived_at for number, each in self._buffered.items() if number > gap]
        return bool(waiting) and now - min(waiting) >= DEADLINE_SECONDS

    def _skip_frame(self) -> None:
        """Give up the frame with the first gap, and continue with the first whole one after it."""
        gap = self._first_gap()
        after = sorted(number for number in self._buffered if number > gap)
        starts = (number + 1 for number in after if self._ends_frame(number))
        self._drop_before(next(starts, max(self._buffered) + 1))
        if not self._damaged:
            self._damaged, self._pli_at = True, float("-inf")

    def _pli_due(self, now: float) -> bool:
        """True if a PLI must be sent now."""
        if not self._damaged or now - self._pli_at < PLI_SECONDS:
            return False
        self._pli_at = now
        return True


def _is_key_frame(data: bytes) -> bool:
    """True if an encoded VP8 or H.264 frame can be decoded without earlier ones."""
    if data.startswith(H264_START_CODE):
        return len(data) > 4 and data[4] & 31 in H264_KEY_FRAME_NAL_TYPES
    return data[3:6] == VP8_KEY_FRAME
