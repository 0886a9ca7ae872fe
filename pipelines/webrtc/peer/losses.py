"""Lost packets: asked for until they come, and given up before they hold the picture up.

aiortc (1.16) asks for a lost packet once. Where that is lost too, all pictures wait until 512
packets have come, which was ten seconds of a 400 kbit/s video; and what has waited then comes out
one picture a packet, so that the delay stays. It also waits for the next picture to see that one is
whole. It has no options for any of it, so two parts of a receiver are replaced.
"""

from collections.abc import Callable, Iterator
from time import monotonic
from typing import Any

from aiortc import RTCPeerConnection, RTCRtpReceiver
from aiortc.jitterbuffer import JitterFrame
from aiortc.rtp import RtpPacket

from turbolens.pipelines.statistics import Clock

ASK_AGAIN = 0.1  # seconds between two requests for a packet; most round trips are shorter
GIVE_UP = 0.5  # seconds that a picture waits for a packet
ASK_FOR_KEY = 0.5  # seconds between two requests for a picture that needs no other
MOST_ASKED = 128  # packets at a time; senders keep no more
MOST_KEPT = 1024  # packets, whatever a peer sends
RESTART = 1000  # packets; a number that is so far away is that of a new stream
VP8_KEY = b"\x9d\x01\x2a"  # after three bytes (RFC 6386, 9.1)
H264_START = b"\0\0\0\1"
H264_KEYS = (5, 7)  # a picture of its own, and the parameters that come before one

Deliver = Callable[[RtpPacket, JitterFrame], None]


def mend_losses(peer: RTCPeerConnection) -> None:
    """For all video that a peer will receive, after its offer was set."""
    for transceiver in peer.getTransceivers():
        if transceiver.kind == "video":
            _mend(transceiver.receiver)


def _mend(receiver: RTCRtpReceiver) -> None:
    def deliver(packet: RtpPacket, picture: JitterFrame) -> None:
        """As aiortc does with the one picture that it takes for a packet."""
        inside: Any = receiver
        mapper = inside._RTCRtpReceiver__timestamp_mapper
        picture.timestamp = mapper.map(picture.timestamp)
        codec = inside._RTCRtpReceiver__codecs[packet.payload_type]
        inside._RTCRtpReceiver__decoder_queue.put((codec, picture))

    setattr(receiver, "_RTCRtpReceiver__nack_generator", Requests())  # noqa: B010
    setattr(receiver, "_RTCRtpReceiver__jitter_buffer", Pictures(deliver))  # noqa: B010


class Numbers:
    """Sequence numbers, which have 16 bits, as numbers that grow."""

    def __init__(self) -> None:
        self.highest: int | None = None

    def whole(self, sequence_number: int) -> int:
        """The number that is nearest to the highest one so far; `highest` stays."""
        if self.highest is None:
            return sequence_number
        return self.highest + (sequence_number - self.highest + 0x8000) % 0x10000 - 0x8000

    def restarts(self, number: int) -> bool:
        """Whether it can only be of a new stream."""
        return self.highest is not None and abs(number - self.highest) > RESTART


class Requests:
    """Which packets to ask the sender for: each until it comes or is given up."""

    def __init__(self, clock: Clock = monotonic) -> None:
        self._clock, self._numbers = clock, Numbers()
        self._lost: dict[int, tuple[float, float]] = {}  # number: lost at, asked for at
        self.missing: list[int] = []
        """The sequence numbers to ask for now."""

    def add(self, packet: RtpPacket) -> bool:
        """Take note of a packet; whether there is something to ask for."""
        number, now = self._numbers.whole(packet.sequence_number), self._clock()
        highest = self._numbers.highest
        if highest is None or self._numbers.restarts(number):
            self._lost.clear()
            highest = number
        begin = max(highest + 1, number - MOST_ASKED)
        self._lost |= {each: (now, float("-inf")) for each in range(begin, number)}
        self._lost.pop(number, None)
        self._numbers.highest = max(highest, number)
        self._forget(now)
        due = [each for each, times in self._lost.items() if now - times[1] >= ASK_AGAIN]
        self._lost |= {each: (self._lost[each][0], now) for each in due}
        self.missing = [each & 0xFFFF for each in due]
        return bool(due)

    def _forget(self, now: float) -> None:
        """What is too old, and the oldest of too many."""
        kept = [item for item in self._lost.items() if now - item[1][0] < GIVE_UP]
        self._lost = dict(kept[-MOST_ASKED:])


class Pictures:
    """Packets in, whole pictures out, in their order. What is lost holds them up for `GIVE_UP`.

    deliver: gets all pictures that a packet makes whole but the last one, which `add` gives.
    """

    def __init__(self, deliver: Deliver, clock: Clock = monotonic) -> None:
        self._deliver, self._clock, self._numbers = deliver, clock, Numbers()
        self._packets: dict[int, tuple[RtpPacket, float]] = {}  # number: packet, came at
        self._next = 0
        self._asked_for_key: float | None = None

    def add(self, packet: RtpPacket) -> tuple[bool, JitterFrame | None]:
        """Whether to ask for a picture that needs no other, and the newest whole picture."""
        number, now = self._numbers.whole(packet.sequence_number), self._clock()
        if self._numbers.highest is None or self._numbers.restarts(number):
            self._packets.clear()
            self._next = self._numbers.highest = number
        self._numbers.highest = max(self._numbers.highest, number)
        if number < self._next:
            return False, None
        self._packets[number] = packet, now
        pictures = list(self._whole())
        while self._overdue(now):
            self._skip()
            if self._asked_for_key is None:
                self._asked_for_key = float("-inf")
            pictures += self._whole()
        for picture in pictures[:-1]:
            self._deliver(packet, picture)
        return self._key_wanted(now), pictures[-1] if pictures else None

    def _whole(self) -> Iterator[JitterFrame]:
        """Take out the pictures that are whole and that nothing before is missing of."""
        data: list[bytes] = []
        number = self._next
        while number in self._packets:
            packet = self._packets[number][0]
            number += 1
            data.append(_data(packet))
            if self._ends(number - 1):
                yield from self._taken(number, b"".join(data), packet.timestamp)
                data = []

    def _ends(self, number: int) -> bool:
        """Whether a packet is the last of its picture. Some senders set no marker."""
        packet, after = self._packets[number][0], self._packets.get(number + 1)
        return bool(packet.marker) or (after is not None and after[0].timestamp != packet.timestamp)

    def _taken(self, end: int, data: bytes, timestamp: int) -> Iterator[JitterFrame]:
        """The picture up to there; none if it is only padding."""
        self._forget_before(end)
        if _needs_no_other(data):
            self._asked_for_key = None
        if data:
            yield JitterFrame(data=data, timestamp=timestamp)

    def _forget_before(self, number: int) -> None:
        for each in [each for each in self._packets if each < number]:
            del self._packets[each]
        self._next = number

    def _gap(self) -> int:
        """The first number that is missing."""
        number = self._next
        while number in self._packets:
            number += 1
        return number

    def _overdue(self, now: float) -> bool:
        if len(self._packets) > MOST_KEPT:
            return True
        gap = self._gap()
        came = [came for number, (_, came) in self._packets.items() if number > gap]
        return bool(came) and now - min(came) >= GIVE_UP

    def _skip(self) -> None:
        """Go on with the first picture behind the gap whose beginning is here."""
        behind = sorted(number for number in self._packets if number > self._gap())
        starts = (number + 1 for number in behind if self._ends(number))
        self._forget_before(next(starts, behind[-1] + 1))

    def _key_wanted(self, now: float) -> bool:
        """Pictures after a loss are smeared until one comes that needs no other."""
        if self._asked_for_key is None or now - self._asked_for_key < ASK_FOR_KEY:
            return False
        self._asked_for_key = now
        return True


def _data(packet: RtpPacket) -> bytes:
    """Its part of the picture, which aiortc leaves there."""
    part: bytes = packet._data  # type: ignore[attr-defined]
    return part


def _needs_no_other(picture: bytes) -> bool:
    """Whether an encoded picture, VP8 or H.264, can be decoded alone."""
    if picture.startswith(H264_START):
        return len(picture) > 4 and picture[4] & 31 in H264_KEYS
    return picture[3:6] == VP8_KEY
