"""Lost and late packets: which are requested again, and which frames the jitter buffer returns."""

from itertools import pairwise

from aiortc.jitterbuffer import JitterFrame
from aiortc.rtp import RtpPacket
from hypothesis import given
from hypothesis import strategies as st

from turbolens.pipelines.webrtc.peer.jitter_buffer import (
    H264_START_CODE,
    MAX_PACKETS,
    PLI_SECONDS,
    VP8_KEY_FRAME,
    JitterBuffer,
)
from turbolens.pipelines.webrtc.peer.nack_generator import (
    DEADLINE_SECONDS,
    MAX_REQUESTED,
    RETRY_SECONDS,
    NackGenerator,
)

KEY_FRAME = b"\0\0\0" + VP8_KEY_FRAME
PACKET_SECONDS = 1 / 60  # two packets per frame, thirty frames per second


def packet(number: int, *, data: bytes = b"", marker: bool = True) -> RtpPacket:
    """Packet `number` of a stream with two packets per frame; the second one has the marker."""
    made = RtpPacket(
        payload_type=96, marker=number % 2 if marker else 0, sequence_number=number & 0xFFFF,
        timestamp=number // 2 * 3000, ssrc=1,
    )  # fmt: skip
    made._data = data or b"%d " % number  # type: ignore[attr-defined]
    return made


class Receiver:
    """A NACK generator and a jitter buffer on a virtual clock."""

    def __init__(self) -> None:
        self.now = 0.0
        self.frames: list[bytes] = []
        self.nacks: list[tuple[float, list[int]]] = []
        self.plis: list[float] = []
        self.nack_generator = NackGenerator(lambda: self.now)
        self.buffer = JitterBuffer(lambda _, frame: self.deliver(frame), lambda: self.now)

    def deliver(self, frame: JitterFrame) -> None:
        self.frames.append(frame.data)

    def receive(self, *packets: RtpPacket) -> None:
        """Receive packets, one every `PACKET_SECONDS`."""
        for each in packets:
            if self.nack_generator.add(each):
                self.nacks.append((self.now, list(self.nack_generator.missing)))
            send_pli, frame = self.buffer.add(each)
            if send_pli:
                self.plis.append(self.now)
            if frame is not None:
                self.deliver(frame)
            self.now += PACKET_SECONDS

    def receive_numbers(self, *numbers: int) -> None:
        self.receive(*map(packet, numbers))


def test_a_frame_leaves_with_its_last_packet() -> None:
    receiver = Receiver()
    receiver.receive_numbers(0, 1)
    assert receiver.frames == [b"0 1 "]


def test_without_markers_a_frame_leaves_with_the_next_timestamp() -> None:
    receiver = Receiver()
    receiver.receive(*(packet(number, marker=False) for number in range(5)))
    assert receiver.frames == [b"0 1 ", b"2 3 "]


def test_a_packet_out_of_order_costs_nothing() -> None:
    receiver = Receiver()
    receiver.receive_numbers(0, 2, 1, 3)
    assert receiver.frames == [b"0 1 ", b"2 3 "]
    assert receiver.plis == []


def test_sequence_numbers_wrap_around() -> None:
    receiver = Receiver()
    receiver.receive_numbers(65534, 65535, 65536, 65539, 65538, 65537)
    assert [len(each.split()) for each in receiver.frames] == [2, 2, 2]
    assert [numbers for _, numbers in receiver.nacks] == [[1, 2]]


def test_a_lost_packet_is_requested_until_it_arrives() -> None:
    """aiortc requests it once; if the retransmission is lost, the video freezes for seconds."""
    receiver = Receiver()
    receiver.receive_numbers(0, 1, 2, *range(4, 20), 3, *range(20, 40))
    times = [time for time, numbers in receiver.nacks if numbers == [3]]
    assert len(times) == len(receiver.nacks) == 3
    assert all(RETRY_SECONDS <= b - a < 2 * RETRY_SECONDS for a, b in pairwise(times))
    assert receiver.frames == [b"%d %d " % (each, each + 1) for each in range(0, 40, 2)]
    assert receiver.plis == []


def test_frames_that_waited_for_a_packet_leave_all_at_once() -> None:
    """aiortc releases one frame per packet, so the delay remains."""
    receiver = Receiver()
    receiver.receive_numbers(0, 1, 2, *range(4, 20))
    assert len(receiver.frames) == 1
    receiver.receive_numbers(3)
    assert len(receiver.frames) == 10


def test_after_the_deadline_a_frame_is_skipped_and_a_key_frame_requested() -> None:
    receiver = Receiver()
    receiver.receive_numbers(0, 1, 2, *range(4, 60))
    assert receiver.frames[1] == b"6 7 "  # 4 may not be the first packet of its frame
    assert receiver.frames[-1] == b"58 59 "
    lost_at = 3 * PACKET_SECONDS
    assert DEADLINE_SECONDS <= receiver.plis[0] - lost_at < DEADLINE_SECONDS + 2 * PACKET_SECONDS
    assert len(receiver.nacks) == round(DEADLINE_SECONDS / RETRY_SECONDS)


def test_a_key_frame_is_requested_until_it_arrives() -> None:
    receiver = Receiver()
    receiver.receive_numbers(0, 1, 2, *range(4, 150))
    assert len(receiver.plis) > 2
    assert receiver.plis[1] - receiver.plis[0] >= PLI_SECONDS
    receiver.receive(packet(150, data=KEY_FRAME), packet(151))
    sent = len(receiver.plis)
    receiver.receive_numbers(*range(152, 300))
    assert len(receiver.plis) == sent


def test_an_h264_key_frame_is_recognised() -> None:
    receiver = Receiver()
    receiver.receive_numbers(0, 1, 2, *range(4, 60))
    receiver.receive(packet(60, data=H264_START_CODE + b"\x67"), packet(61))
    sent = len(receiver.plis)
    receiver.receive_numbers(*range(62, 200))
    assert len(receiver.plis) == sent == 1


def test_padding_is_not_a_frame() -> None:
    receiver = Receiver()
    padding = packet(1)
    padding.sequence_number, padding.marker = 2, 0
    padding._data = b""  # type: ignore[attr-defined]
    receiver.receive(packet(0), packet(1), padding)
    after = [packet(2), packet(3)]
    for each in after:
        each.sequence_number += 1
    receiver.receive(*after)
    assert receiver.frames == [b"0 1 ", b"2 3 "]


def test_a_new_stream_starts_at_once() -> None:
    receiver = Receiver()
    receiver.receive_numbers(0, 1, 30_000, 30_001, 4, 5)
    assert receiver.frames == [b"0 1 ", b"30000 30001 ", b"4 5 "]
    assert receiver.nacks == []


def test_a_flood_with_gaps_is_bounded() -> None:
    receiver = Receiver()
    receiver.receive(*(packet(number * 900) for number in range(60)))
    assert max(len(numbers) for _, numbers in receiver.nacks) <= MAX_REQUESTED
    flooded = Receiver()
    flooded.buffer = JitterBuffer(lambda _, frame: flooded.deliver(frame), lambda: 0.0)
    flooded.receive_numbers(0, *range(2, 3 * MAX_PACKETS))
    assert len(flooded.buffer._buffered) <= MAX_PACKETS


def test_a_frame_that_never_ends_is_dropped() -> None:
    receiver = Receiver()
    endless = [packet(number, marker=False) for number in range(MAX_PACKETS + 10)]
    for each in endless:
        each.timestamp = 0
    receiver.receive(*endless)
    assert receiver.frames == []
    assert len(receiver.buffer._buffered) < MAX_PACKETS


@given(st.lists(st.integers(0, 120), min_size=1, max_size=200))
def test_frames_are_whole_in_order_and_unique_in_any_case(numbers: list[int]) -> None:
    receiver = Receiver()
    receiver.receive_numbers(*numbers)
    first = [int(frame.split()[0]) for frame in receiver.frames]
    assert first == sorted(set(first))
    assert all(len(frame.split()) == 2 for frame in receiver.frames[1:])
