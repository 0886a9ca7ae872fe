"""How much a sender may send, with a clock of the test."""

import pytest

from turbolens.pipelines.webrtc.media.bit_rate import (
    DOUBLING_SECONDS,
    SETTLING_SECONDS,
    START,
    GrowingBitRate,
)

LEAST, MOST = 150_000, 2_500_000


class Line:
    """A bit rate and its clock."""

    def __init__(self, most: int = MOST) -> None:
        self.now = 0.0
        self.rate = GrowingBitRate(lambda: LEAST, lambda: most, lambda: self.now)

    def after(self, seconds: float) -> int:
        """The bit rate that many seconds later."""
        self.now += seconds
        return self.rate.current


def begun(most: int = MOST) -> Line:
    line = Line(most)
    line.rate.sent(asked_for_key_frame=True)  # the first frame is always asked for
    return line


def test_it_starts_low_and_grows_from_the_first_frame_to_the_limit() -> None:
    line = Line()
    assert line.after(10) == START, "nothing was sent"
    line.rate.sent(asked_for_key_frame=False)
    assert line.after(DOUBLING_SECONDS) == 2 * START
    assert line.after(1e6) == MOST
    assert begun(most=300_000).rate.current == 300_000


def test_an_estimate_below_it_counts_at_once_and_is_the_limit() -> None:
    line = begun()
    line.after(DOUBLING_SECONDS)
    line.rate.estimated(700_000)
    assert line.rate.current == 700_000
    assert line.after(60) == 700_000
    line.rate.estimated(10)
    assert line.rate.current == LEAST


def test_an_estimate_above_it_is_reached_by_growth() -> None:
    line = begun()
    line.rate.estimated(600_000)
    line.after(60)
    line.rate.estimated(2_000_000)
    assert line.rate.current == 600_000
    assert line.after(DOUBLING_SECONDS) == pytest.approx(1_200_000)
    assert line.after(60) == 2_000_000


def test_a_lost_frame_halves_it_once_in_a_while() -> None:
    line = begun()
    before = line.after(2 * DOUBLING_SECONDS)
    line.rate.sent(asked_for_key_frame=True)
    line.rate.sent(asked_for_key_frame=True)
    assert line.rate.current == before / 2
    before = line.after(2 * SETTLING_SECONDS)
    line.rate.sent(asked_for_key_frame=True)
    assert line.rate.current == pytest.approx(before / 2, abs=1)
    assert line.after(60) == MOST, "it grows again"
