"""When frames are shown: pure functions of times."""

from itertools import pairwise

import pytest

from turbolens.pipelines.live.options import OnStall
from turbolens.pipelines.live.pacing import (
    Window,
    back_off,
    choose_stand_in,
    is_due,
    without_suspend,
)
from turbolens.pipelines.live.slate import slate

PERIOD = 1 / 30


def sent_times(arrivals: list[float], seconds: float) -> list[tuple[float, bool]]:
    """(time, fresh) of every frame that the output shows, on a virtual clock."""
    window, shown, waiting = Window(PERIOD / 2, PERIOD), [], list(arrivals)
    while window.closes < seconds:
        newest = None
        while waiting and waiting[0] <= max(window.opens, 0.0):
            newest = waiting.pop(0)
        if newest is not None:
            at, fresh = window.opens, True
        elif waiting and waiting[0] < window.closes:
            at, fresh = waiting.pop(0), True
        else:
            at, fresh = window.closes, False
        shown.append((at, fresh))
        window = window.following(at, fresh=fresh)
    return shown


@pytest.mark.parametrize("camera_rate", [29.6, 30.0, 30.4])
def test_each_frame_of_a_camera_with_another_clock_is_shown_once_and_without_delay(
    camera_rate: float,
) -> None:
    arrivals = [0.005 + n / camera_rate for n in range(3000)]
    shown = sent_times(arrivals, 90.0)
    assert all(fresh for _, fresh in shown)
    late = [at - arrival for (at, _), arrival in zip(shown, arrivals, strict=False)]
    assert max(late[60:]) < 1e-9  # once the windows have settled around the frames


def test_jitter_of_a_third_of_a_period_causes_no_repeat() -> None:
    jitter = [0.0, 0.3, -0.3, 0.1, -0.2, 0.3, 0.0, -0.3]
    arrivals = [(1 + n + jitter[n % len(jitter)]) * PERIOD for n in range(900)]
    shown = sent_times(arrivals, 29.0)
    assert sum(not fresh for _, fresh in shown[30:]) == 0


@pytest.mark.parametrize("camera_rate", [7.0, 15.0, 60.0])
def test_the_rate_of_the_sink_is_kept_whatever_the_filter_gives(camera_rate: float) -> None:
    arrivals = [n / camera_rate for n in range(round(camera_rate * 20))]
    shown = sent_times(arrivals, 19.0)
    assert len(shown) == pytest.approx(19 * 30, rel=0.06)
    gaps = [after[0] - before[0] for before, after in pairwise(shown)]
    assert max(gaps) < 2.1 * PERIOD


def test_nothing_waits_longer_than_a_period() -> None:
    for arrival in (0.0, 0.3, 0.5, 0.9):
        window = Window(10.0, PERIOD)
        came = window.opens - PERIOD + arrival * PERIOD
        assert max(window.opens, came) - came <= PERIOD


def test_after_the_machine_was_suspended_the_output_does_not_catch_up() -> None:
    window = Window(0.0, PERIOD).following(5.0, fresh=False)
    assert window.opens == pytest.approx(5.0)


@pytest.mark.parametrize(
    ("fresh_age", "camera_age", "on_stall", "expected"),
    [
        (0.1, 0.01, "slate", "reprojected"),
        (0.1, 0.2, "slate", "repeated"),
        (0.1, None, "slate", "repeated"),
        (0.7, 0.01, "slate", "repeated"),
        (3.0, 0.01, "slate", "slate"),
        (3.0, 0.01, "last", "repeated"),
        (3.0, 0.01, "passthrough", "camera"),
        (3.0, 3.0, "passthrough", "slate"),
        (None, 0.01, "slate", "slate"),
        (None, 0.01, "last", "slate"),
        (None, None, "passthrough", "slate"),
    ],
)
def test_what_is_shown_in_place_of_a_late_frame(
    fresh_age: float | None, camera_age: float | None, on_stall: OnStall, expected: str
) -> None:
    choice = choose_stand_in(
        fresh_age=fresh_age, camera_age=camera_age, reproject_for=0.5, deadline=2.0,
        on_stall=on_stall,
    )  # fmt: skip
    assert choice == expected


def test_pauses_between_attempts_double_up_to_a_limit() -> None:
    assert [back_off(n, first=1, longest=5) for n in (1, 2, 3, 4, 5000)] == [1, 2, 4, 5, 5]


def test_without_a_start_nothing_is_due() -> None:
    assert not is_due(None, 100.0, 1.0)
    assert is_due(99.0, 100.0, 1.0)


@pytest.mark.parametrize("size", [(640, 360), (321, 181), (16, 16)])
def test_a_slate_is_dark_grey_and_of_the_size_asked_for(size: tuple[int, int]) -> None:
    frame = slate(*size)
    assert (frame.width, frame.height) == size
    pixels = frame.to_ndarray(format="rgb24")
    assert pixels.max() < 128
    assert pixels.std() > 0


@pytest.mark.parametrize(("now", "expected"), [(10.1, 9.0), (10.9, 9.0), (40.1, 39.0)])
def test_the_time_of_a_suspend_does_not_count(now: float, expected: float) -> None:
    assert without_suspend(9.0, last=10.0, now=now, usual=0.1) == pytest.approx(expected)
