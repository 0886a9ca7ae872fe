"""Packets that are lost, late or never come: what is asked for, and which pictures come out."""

from itertools import pairwise

from aiortc.jitterbuffer import JitterFrame
from aiortc.rtp import RtpPacket
from hypothesis import given
from hypothesis import strategies as st

from turbolens.pipelines.webrtc.peer.losses import (
    ASK_AGAIN,
    ASK_FOR_KEY,
    GIVE_UP,
    H264_START,
    MOST_ASKED,
    MOST_KEPT,
    VP8_KEY,
    Pictures,
    Requests,
)

KEY = b"\0\0\0" + VP8_KEY
STEP = 1 / 60  # seconds from packet to packet: two a picture, thirty pictures a second


def packet(number: int, *, data: bytes = b"", marker: bool = True) -> RtpPacket:
    """The packet of this number: two make a picture, the second has the marker."""
    made = RtpPacket(
        payload_type=96, marker=number % 2 if marker else 0, sequence_number=number & 0xFFFF,
        timestamp=number // 2 * 3000, ssrc=1,
    )  # fmt: skip
    made._data = data or b"%d " % number  # type: ignore[attr-defined]
    return made


class Line:
    """A receiver's two parts on a virtual clock."""

    def __init__(self) -> None:
        self.now = 0.0
        self.pictures: list[bytes] = []
        self.asked: list[tuple[float, list[int]]] = []
        self.keys: list[float] = []
        self.requests = Requests(lambda: self.now)
        self.buffer = Pictures(lambda _, each: self._took(each), lambda: self.now)

    def _took(self, picture: JitterFrame) -> None:
        self.pictures.append(picture.data)

    def comes(self, *packets: RtpPacket) -> None:
        """One after the other."""
        for each in packets:
            if self.requests.add(each):
                self.asked.append((self.now, list(self.requests.missing)))
            key, picture = self.buffer.add(each)
            if key:
                self.keys.append(self.now)
            if picture is not None:
                self._took(picture)
            self.now += STEP

    def numbers(self, *numbers: int) -> None:
        self.comes(*map(packet, numbers))


def test_a_picture_comes_with_its_last_packet() -> None:
    line = Line()
    line.numbers(0, 1)
    assert line.pictures == [b"0 1 "]


def test_without_markers_the_next_picture_tells() -> None:
    line = Line()
    line.comes(*(packet(number, marker=False) for number in range(5)))
    assert line.pictures == [b"0 1 ", b"2 3 "]


def test_a_packet_out_of_order_costs_nothing() -> None:
    line = Line()
    line.numbers(0, 2, 1, 3)
    assert line.pictures == [b"0 1 ", b"2 3 "]
    assert line.keys == []


def test_numbers_go_round() -> None:
    line = Line()
    line.numbers(65534, 65535, 65536, 65539, 65538, 65537)
    assert [len(each.split()) for each in line.pictures] == [2, 2, 2]
    assert [numbers for _, numbers in line.asked] == [[1, 2]]


def test_a_lost_packet_is_asked_for_until_it_comes() -> None:
    """aiortc asked once: where that was lost too, the picture stood for seconds."""
    line = Line()
    line.numbers(0, 1, 2, *range(4, 20), 3, *range(20, 40))
    times = [time for time, numbers in line.asked if numbers == [3]]
    assert len(times) == len(line.asked) == 3
    assert all(ASK_AGAIN <= b - a < 2 * ASK_AGAIN for a, b in pairwise(times))
    assert line.pictures == [b"%d %d " % (each, each + 1) for each in range(0, 40, 2)]
    assert line.keys == []


def test_what_waited_for_a_packet_comes_all_at_once() -> None:
    """aiortc let one picture out a packet, so that the delay stayed."""
    line = Line()
    line.numbers(0, 1, 2, *range(4, 20))
    assert len(line.pictures) == 1
    line.numbers(3)
    assert len(line.pictures) == 10


def test_a_packet_that_never_comes_is_given_up_and_a_key_picture_asked_for() -> None:
    line = Line()
    line.numbers(0, 1, 2, *range(4, 60))
    assert line.pictures[1] == b"6 7 "  # 4 may not be the first of its picture
    assert line.pictures[-1] == b"58 59 "
    lost_at = 3 * STEP
    assert GIVE_UP <= line.keys[0] - lost_at < GIVE_UP + 2 * STEP
    assert len(line.asked) == round(GIVE_UP / ASK_AGAIN)


def test_a_key_picture_is_asked_for_until_it_comes() -> None:
    line = Line()
    line.numbers(0, 1, 2, *range(4, 150))
    assert len(line.keys) > 2
    assert line.keys[1] - line.keys[0] >= ASK_FOR_KEY
    line.comes(packet(150, data=KEY), packet(151))
    asked = len(line.keys)
    line.numbers(*range(152, 300))
    assert len(line.keys) == asked


def test_h264_has_key_pictures_too() -> None:
    line = Line()
    line.numbers(0, 1, 2, *range(4, 60))
    line.comes(packet(60, data=H264_START + b"\x67"), packet(61))
    asked = len(line.keys)
    line.numbers(*range(62, 200))
    assert len(line.keys) == asked == 1


def test_padding_is_no_picture() -> None:
    line = Line()
    padding = packet(1)
    padding.sequence_number, padding.marker = 2, 0
    padding._data = b""  # type: ignore[attr-defined]
    line.comes(packet(0), packet(1), padding)
    after = [packet(2), packet(3)]
    for each in after:
        each.sequence_number += 1
    line.comes(*after)
    assert line.pictures == [b"0 1 ", b"2 3 "]


def test_a_new_stream_begins_at_once() -> None:
    line = Line()
    line.numbers(0, 1, 30_000, 30_001, 4, 5)
    assert line.pictures == [b"0 1 ", b"30000 30001 ", b"4 5 "]
    assert line.asked == []


def test_a_flood_with_gaps_is_bounded() -> None:
    line = Line()
    line.comes(*(packet(number * 900) for number in range(60)))
    assert max(len(numbers) for _, numbers in line.asked) <= MOST_ASKED
    flood = Line()
    flood.buffer = Pictures(lambda _, each: flood._took(each), lambda: 0.0)  # no time passes
    flood.numbers(0, *range(2, 3 * MOST_KEPT))
    assert len(flood.buffer._packets) <= MOST_KEPT


@given(st.lists(st.integers(0, 120), min_size=1, max_size=200))
def test_pictures_come_whole_in_order_and_once_whatever_comes(numbers: list[int]) -> None:
    line = Line()
    line.numbers(*numbers)
    first = [int(picture.split()[0]) for picture in line.pictures]
    assert first == sorted(set(first))
    assert all(len(picture.split()) == 2 for picture in line.pictures[1:])
