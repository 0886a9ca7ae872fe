"""`SizeSearch`: the largest working size that holds the frame rate."""

from collections.abc import Callable

import pytest

from turbolens.pipelines.live.working_size import (
    GROWTH_CALLS,
    HEADROOM,
    LEAST_FPS,
    MEASURED,
    SIZES,
    SLOW_CALLS,
    SizeSearch,
)

BUDGET = HEADROOM / LEAST_FPS


def searched(seconds_at: Callable[[int], float], calls: int = 500) -> SizeSearch:
    search = SizeSearch()
    for _ in range(calls):
        search.note(seconds_at(search.size))
    return search


@pytest.mark.parametrize("expected", SIZES)
def test_the_largest_size_that_holds_the_rate_is_taken(expected: int) -> None:
    search = searched(lambda size: BUDGET * (0.99 if size <= expected else 1.2))
    assert (search.size, search.found) == (expected, True)


def test_a_few_slow_seconds_do_not_change_a_size_that_was_found() -> None:
    search = searched(lambda _: BUDGET / 2)
    for _ in range(SLOW_CALLS // 2 - 1):
        search.note(10.0)
    assert search.size == SIZES[0]


def test_a_size_shrinks_when_the_machine_has_become_slower() -> None:
    """As when the program of the call starts, which needs processors, too."""
    search = searched(lambda _: BUDGET / 2)
    for _ in range(2 * SLOW_CALLS):
        search.note(BUDGET * (1.5 if search.size > SIZES[1] else 0.9))
    assert (search.size, search.found) == (SIZES[1], True)
    slower = searched(lambda _: BUDGET / 2)
    for _ in range(10 * SLOW_CALLS):
        slower.note(10 * BUDGET)
    assert slower.size == SIZES[-1]


def test_after_each_shrinking_it_takes_longer_until_a_larger_size_is_tried() -> None:
    search, waits = SizeSearch((512, 256)), []
    for _ in range(3):
        while search.size == 512:
            search.note(1.5 * BUDGET if search.found else BUDGET / 8)
        calls = 0
        while search.size == 256:
            search.note(BUDGET / 8)
            calls += 1
        waits.append(calls)
    assert waits[1] > 3 * waits[0]
    assert waits[2] > 3 * waits[1]


def test_a_slow_machine_soon_gets_the_smallest_size() -> None:
    search, calls = SizeSearch(), 0
    while not search.found:
        search.note(1.0)
        calls += 1
    assert search.size == SIZES[-1]
    assert calls < 2 * MEASURED


def test_a_few_slow_calls_do_not_count() -> None:
    times = iter([9.0, 9.0] + [BUDGET / 2] * 10 + [BUDGET * 1.9] * 2)
    search = SizeSearch()
    for seconds in times:
        search.note(seconds)
    assert (search.size, search.found) == (SIZES[0], True)


def test_while_a_faster_model_is_prepared_only_hopeless_sizes_are_given_up() -> None:
    limit, search = HEADROOM / LEAST_FPS, SizeSearch()
    for _ in range(50):
        search.note(3 * limit, settling=True)
    assert (search.size, search.found) == (SIZES[0], False)
    for _ in range(50):
        search.note(0.9 * limit)
    assert (search.size, search.found) == (SIZES[0], True)
    slow = SizeSearch()
    for _ in range(6):
        slow.note(5 * limit, settling=True)
    assert slow.size == SIZES[1]


def after_a_slow_start(seconds_at: Callable[[int], float]) -> tuple[SizeSearch, list[int]]:
    """A search that went down to the smallest size, and the sizes of 1,000 calls after that."""
    search = searched(lambda _: 10 * BUDGET, calls=50)
    assert (search.size, search.found) == (SIZES[-1], True)
    sizes = []
    for _ in range(1000):
        sizes.append(search.size)
        search.note(seconds_at(search.size))
    return search, sizes


@pytest.mark.parametrize("expected", SIZES)
def test_a_size_grows_when_the_filter_has_become_faster(expected: int) -> None:
    search, _ = after_a_slow_start(lambda size: 0.99 * BUDGET * (size / expected) ** 2)
    assert (search.size, search.found) == (expected, True)


def test_a_size_that_is_too_slow_after_growth_is_tried_once() -> None:
    search, sizes = after_a_slow_start(lambda size: BUDGET * (0.3 if size <= 320 else 1.1))
    assert (search.size, search.found) == (320, True)
    assert search.seconds == pytest.approx(0.3 * BUDGET)
    assert sum(size == 384 for size in sizes) < 2 * MEASURED
    assert max(sizes) == 384


def test_a_size_does_not_grow_while_a_faster_model_is_prepared() -> None:
    search = searched(lambda _: 10 * BUDGET, calls=50)
    for _ in range(3 * GROWTH_CALLS):
        search.note(BUDGET / 10, settling=True)
    assert search.size == SIZES[-1]
