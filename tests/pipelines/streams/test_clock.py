"""Timestamps of a live stream: an hour of them at once, with jumps, jitter, drift and loss."""

from fractions import Fraction

import numpy as np
import pytest

from turbolens.pipelines.streams.clock import MIN_STEP, FrameClock, SampleClock, SourceClock

RATE = 48_000
BLOCK = 1024


class WallClock:
    """A virtual clock, in seconds."""

    def __init__(self) -> None:
        self.seconds = 1000.0

    def __call__(self) -> float:
        return self.seconds


@pytest.fixture
def wall() -> WallClock:
    return WallClock()


def test_times_begin_at_zero_and_keep_their_intervals(wall: WallClock) -> None:
    clock = SourceClock(wall)
    wall.seconds += 4  # before the first packet
    assert [clock(Fraction(time)) for time in (77, 78, 80)] == [0, 1, 3]


def test_a_timestamp_before_the_first_one_is_at_zero_too(wall: WallClock) -> None:
    clock = SourceClock(wall)
    assert clock(Fraction(5)) == 0
    assert clock(Fraction(49, 10)) == 0


def test_a_jump_is_closed_and_late_packets_from_before_it_keep_their_place(wall: WallClock) -> None:
    clock = SourceClock(wall)
    times = [clock(Fraction(time)) for time in (100, 101, 5000, 102, 5001)]
    assert times == [0, 1, 1 + MIN_STEP, 2, 2 + MIN_STEP]


def test_after_a_long_pause_times_continue_by_what_has_passed(wall: WallClock) -> None:
    """Also if five seconds of the source were read at once, for example after loading a model."""
    clock, sent = SourceClock(wall), FrameClock()
    timestamps = [sent(clock(Fraction(time)), Fraction(0)) for time in range(6)]
    timestamps += [
        sent(Fraction(5), Fraction(now)) for now in range(1, 15)
    ]  # the source has paused
    wall.seconds += 15
    timestamps += [sent(clock(Fraction(20 + more)), Fraction(15 + more)) for more in range(3)]
    assert timestamps == list(range(23))


def test_after_a_reconnection_times_continue_by_what_has_passed(wall: WallClock) -> None:
    clock = SourceClock(wall)
    clock(Fraction(100))
    clock(Fraction(103))
    wall.seconds += 5
    clock.reconnected()
    assert [clock(Fraction(time)) for time in (0, 1)] == [8, 9]
    clock.reconnected()  # at once: times still rise
    assert clock(Fraction(0)) == 9 + MIN_STEP


def test_new_frames_keep_their_time_and_repeated_ones_get_the_time_of_sending() -> None:
    clock = FrameClock()
    interval = Fraction(1, 25)
    assert clock(None, Fraction(50)) == 0  # a slate before anything
    assert clock(interval, 50 + interval) == interval
    assert clock(interval, 50 + 2 * interval) == 2 * interval
    assert clock(None, 50 + 3 * interval) == 3 * interval
    late = clock(2 * interval, 50 + 3 * interval)
    assert late == 3 * interval + MIN_STEP
    assert clock(5 * interval, 50 + 4 * interval) == 5 * interval


@pytest.mark.slow
@pytest.mark.parametrize("drift", [Fraction(0), Fraction(1, 10_000), Fraction(-1, 10_000)])
def test_audio_stays_within_40_ms_of_its_time_over_an_hour(drift: Fraction) -> None:
    """With a drift of 100 ppm, jittering timestamps and lost packets."""
    clock, random = SampleClock(RATE), np.random.default_rng(1)
    jitter = random.integers(-4, 5, 3600 * RATE // BLOCK)
    lost = set(random.integers(0, len(jitter), 200).tolist())
    worst, changes = 0.0, 0
    for index, shake in enumerate(jitter.tolist()):
        if index in lost:
            continue
        true = index * BLOCK * (1 + drift) / RATE
        change = clock.add(true + Fraction(shake, 1000), BLOCK)
        changes += change != 0
        begins = Fraction(clock.position - BLOCK, RATE)
        worst = max(worst, abs(float(begins - true)))
    assert worst <= 0.040
    assert changes <= 2 * len(lost) + 40  # corrected only where needed


@pytest.mark.slow
def test_frames_keep_their_time_over_an_hour_of_a_filter_that_is_too_slow() -> None:
    """Every third frame is filtered, 70 ms late, and sent again for the two after it."""
    clock, interval, worst = FrameClock(), Fraction(1, 25), Fraction(0)
    for index in range(3600 * 25):
        newest = index // 3 * 3
        timestamp = clock(newest * interval, index * interval + Fraction(70, 1000))
        worst = max(worst, abs(timestamp - index * interval))
    assert worst <= Fraction(40, 1000)
