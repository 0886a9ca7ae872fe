"""`NackGenerator`: which lost RTP packets to request again (generic NACK, RFC 4585, 6.2.1)."""

from dataclasses import dataclass
from time import monotonic

from aiortc.rtp import RtpPacket

from turbolens.pipelines.statistics import Clock

RETRY_SECONDS = 0.1  # between two NACKs for a packet; longer than most round trips
DEADLINE_SECONDS = 0.5  # after it a packet is given up
MAX_REQUESTED = 128  # packets at a time; senders keep no more
RESTART_DISTANCE = 1000  # packets; a sequence number this far away belongs to a new stream


class SequenceUnwrapper:
    """Turns 16-bit sequence numbers (RFC 3550, 5.1) into numbers that never wrap around."""

    def __init__(self) -> None:
        self.highest = 0
        """The highest number of the stream so far."""
        self._started = False

    def unwrap(self, sequence_number: int) -> int:
        """The number closest to `highest` with these low 16 bits."""
        if not self._started:
            return sequence_number
        return self.highest + (sequence_number - self.highest + 0x8000) % 0x10000 - 0x8000

    def starts_stream(self, number: int) -> bool:
        """True for the first number of all, and for one too far away to be of the same stream."""
        return not self._started or abs(number - self.highest) > RESTART_DISTANCE

    def restart(self, number: int) -> None:
        """Begin a new stream with this number."""
        self.highest, self._started = number, True

    def advance(self, number: int) -> None:
        """Raise `highest` to this number, if it is higher."""
        self.highest = max(self.highest, number)


@dataclass
class _LostPacket:
    """When a packet was found missing, and when it was last requested."""

    lost_at: float
    requested_at: float = float("-inf")


class NackGenerator:
    """NACK with retries and a deadline.

    A packet is lost when a later one has arrived before it. It is requested at once, again every
    `RETRY_SECONDS` until it arrives, and given up after `DEADLINE_SECONDS`.
    """

    def __init__(self, clock: Clock = monotonic) -> None:
        self._clock, self._sequence = clock, SequenceUnwrapper()
        self._lost: dict[int, _LostPacket] = {}  # by number, in ascending order
        self.missing: list[int] = []
        """The sequence numbers to request now."""

    def add(self, packet: RtpPacket) -> bool:
        """Register a packet that has arrived. True if a NACK for `missing` must be sent."""
        now = self._clock()
        self._register(self._sequence.unwrap(packet.sequence_number), now)
        self._give_up(now)
        due = [number for number, lost in self._lost.items()
               if now - lost.requested_at >= RETRY_SECONDS]  # fmt: skip
        for number in due:
            self._lost[number].requested_at = now
        self.missing = [number & 0xFFFF for number in due]
        return bool(due)

    def _register(self, number: int, now: float) -> None:
        """Mark the packets before this one as lost, and this one as received."""
        if self._sequence.starts_stream(number):
            self._lost.clear()
            self._sequence.restart(number)
        first_lost = max(self._sequence.highest + 1, number - MAX_REQUESTED)
        self._lost |= {each: _LostPacket(now) for each in range(first_lost, number)}
        self._lost.pop(number, None)
        self._sequence.advance(number)

    def _give_up(self, now: float) -> None:
        """Forget packets past their deadline, and the oldest ones above `MAX_REQUESTED`."""
        kept = [item for item in self._lost.items() if now - item[1].lost_at < DEADLINE_SECONDS]
        self._lost = dict(kept[-MAX_REQUESTED:])
