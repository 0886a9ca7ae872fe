"""Times of a live stream: an hour of them in a moment, with jumps, jitter, drift and loss."""

from fractions import Fraction

import numpy as np
import pytest

from turbolens.pipelines.streams.clock import STEP, PictureClock, SampleClock, SourceClock

RATE = 48_000
BLOCK = 1024


class WallClock:
    """Seconds, as the test says."""

    def __init__(self) -> None:
        self.seconds = 1000.0

    def __call__(self) -> float:
        return self.seconds


@pytest.fixture
def wall() -> WallClock:
    return WallClock()


def test_the_source_begins_at_zero_and_keeps_its_distances(wall: WallClock) -> None:
    clock = SourceClock(wall)
    wall.seconds += 4  # it took so long until something came
    assert [clock(Fraction(time)) for time in (77, 78, 80)] == [0, 1, 3]


def test_a_stream_that_begins_before_the_first_one_is_at_zero_too(wall: WallClock) -> None:
    clock = SourceClock(wall)
    assert clock(Fraction(5)) == 0
    assert clock(Fraction(49, 10)) == 0


def test_a_jump_is_closed_and_stragglers_of_before_keep_their_place(wall: WallClock) -> None:
    clock = SourceClock(wall)
    times = [clock(Fraction(time)) for time in (100, 101, 5000, 102, 5001)]
    assert times == [0, 1, 1 + STEP, 2, 2 + STEP]


def test_after_a_long_pause_times_go_on_where_the_wall_clock_is(wall: WallClock) -> None:
    """Also where five seconds of the source were read at once, while a model was loaded, say."""
    clock, shown = SourceClock(wall), PictureClock()
    stamps = [shown(clock(Fraction(time)), Fraction(0)) for time in range(6)]
    stamps += [shown(Fraction(5), Fraction(now)) for now in range(1, 15)]  # it has paused
    wall.seconds += 15
    stamps += [shown(clock(Fraction(20 + more)), Fraction(15 + more)) for more in range(3)]
    assert stamps == list(range(23))


def test_after_a_reconnection_times_go_on_where_the_wall_clock_is(wall: WallClock) -> None:
    clock = SourceClock(wall)
    clock(Fraction(100))
    clock(Fraction(103))
    wall.seconds += 5
    clock.reconnected()
    assert [clock(Fraction(time)) for time in (0, 1)] == [8, 9]
    clock.reconnected()  # at once: never back
    assert clock(Fraction(0)) == 9 + STEP


def test_fresh_pictures_have_their_own_time_and_repeated_ones_the_moment_they_are_sent() -> None:
    clock = PictureClock()
    beat = Fraction(1, 25)
    assert clock(None, Fraction(50)) == 0  # a slate before anything
    assert clock(beat, 50 + beat) == beat
    assert clock(beat, 50 + 2 * beat) == 2 * beat
    assert clock(None, 50 + 3 * beat) == 3 * beat
    assert clock(2 * beat, 50 + 3 * beat) == 3 * beat + STEP  # too late for its time
    assert clock(5 * beat, 50 + 4 * beat) == 5 * beat


@pytest.mark.slow
@pytest.mark.parametrize("drift", [Fraction(0), Fraction(1, 10_000), Fraction(-1, 10_000)])
def test_sound_stays_within_40_ms_of_its_time_over_an_hour(drift: Fraction) -> None:
    """Its samples are 100 ppm too many or too few, its time stamps jitter, and packets are lost."""
    clock, random = SampleClock(RATE), np.random.default_rng(1)
    jitter = random.integers(-4, 5, 3600 * RATE // BLOCK)
    lost = set(random.integers(0, len(jitter), 200).tolist())
    worst, changes = 0.0, 0
    for index, shake in enumerate(jitter.tolist()):
        if index in lost:
            continue
        true = index * BLOCK * (1 + drift) / RATE
        change = clock.place(true + Fraction(shake, 1000), BLOCK)
        changes += change != 0
        begins = Fraction(clock.position - BLOCK, RATE)
        worst = max(worst, abs(float(begins - true)))
    assert worst <= 0.040
    assert changes <= 2 * len(lost) + 40  # it is left alone where it may be


@pytest.mark.slow
def test_pictures_keep_their_time_over_an_hour_of_a_filter_that_is_too_slow() -> None:
    """Every third picture is filtered, 70 ms late, and the beats between show it again."""
    clock, beat, worst = PictureClock(), Fraction(1, 25), Fraction(0)
    for index in range(3600 * 25):
        fresh = index // 3 * 3
        stamp = clock(fresh * beat, index * beat + Fraction(70, 1000))
        worst = max(worst, abs(stamp - index * beat))
    assert worst <= Fraction(40, 1000)
