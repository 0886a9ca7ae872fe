"""Calls on threads beside the networks: each is made once, and its result reaches who needs it."""

import os
from collections.abc import Iterator
from threading import Barrier, Event, Thread, current_thread

import numpy as np
import pytest
import torch

from turbolens.filter import FrameFilter, TurboModel
from turbolens.filter import beside as threads
from turbolens.filter.beside import Beside, spread
from turbolens.filter.framefilter import filter_together


@pytest.fixture(autouse=True)
def two_processors(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(threads, "processors", lambda: 2)


@pytest.fixture
def busy_threads() -> Iterator[None]:
    """No thread gets to a call."""
    go_on = Event()
    waiting = [Beside(go_on.wait, 30) for _ in range(8)]
    yield
    go_on.set()
    for each in waiting:
        each.wait()


def test_a_call_is_made_on_another_thread() -> None:
    began = Event()

    def name() -> str:
        began.set()
        return current_thread().name

    call = Beside(name)
    assert began.wait(30)
    assert call.result().startswith("turbolens-beside")


def test_a_call_that_no_thread_gets_to_is_made_where_its_result_is_needed(
    busy_threads: None,
) -> None:
    assert Beside(current_thread).result() is current_thread()


@pytest.mark.parametrize(
    ("given", "expected"), [("1", 1), ("1,2", 1), ("", 3), ("x", 3), ("99", 3)]
)
def test_processors_are_those_that_the_process_may_use(
    given: str, expected: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.undo()
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0, 1, 5}, raising=False)
    monkeypatch.setenv("OMP_NUM_THREADS", given)
    assert threads.processors() == expected


def test_with_one_processor_nothing_is_computed_before_it_is_needed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(threads, "processors", lambda: 1)
    assert Beside(current_thread).result() is current_thread()


def test_threads_that_need_a_result_at_once_get_the_same_one() -> None:
    meeting, results = Barrier(3), []
    call = Beside(object)

    def ask() -> None:
        meeting.wait(30)
        results.append(call.result())

    threads = [Thread(target=ask) for _ in range(3)]
    for each in threads:
        each.start()
    for each in threads:
        each.join(30)
    assert len(results) == 3
    assert len(set(map(id, results))) == 1


def test_an_error_is_raised_each_time_that_the_result_is_needed() -> None:
    call = Beside(int, "three")
    call.wait()
    for _ in range(2):
        with pytest.raises(ValueError, match="three"):
            call.result()


def test_gradients_are_off_on_every_thread() -> None:
    assert spread(lambda _: torch.is_inference_mode_enabled(), range(6)) == [True] * 6


def test_items_are_spread_over_threads_and_stay_in_order() -> None:
    meeting = Barrier(2)

    def named(item: int) -> tuple[int, str]:
        meeting.wait(30)  # ends only if two are here at once
        return item, current_thread().name

    results = spread(named, range(6))
    assert [item for item, _ in results] == list(range(6))
    assert {name for _, name in results} > {current_thread().name}


def test_all_calls_have_ended_when_one_has_failed() -> None:
    ended = []

    def run(item: int) -> None:
        ended.append(item)
        if item == 1:
            raise LookupError("one")

    with pytest.raises(LookupError, match="one"):
        spread(run, range(5))
    assert sorted(ended) == list(range(5))


def test_calls_within_calls_end() -> None:
    def inner(item: int) -> int:
        return sum(spread(lambda each: each * item, range(4)))

    assert spread(inner, range(8)) == [6 * item for item in range(8)]


def test_streams_beside_each_other_have_the_results_of_one_after_the_other(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    model, random = TurboModel.load(), np.random.default_rng(4)
    shown = random.integers(0, 256, (3, 14, 18, 3), np.uint8).repeat(10, 1).repeat(10, 2)

    def results() -> list[np.ndarray]:
        looks = ("oil painting", "comic", "pencil sketch")
        filters = [FrameFilter(model, prompt=look, size=128) for look in looks]
        owners = [each for each in filters for _ in range(2)]
        batches = (np.roll(shown, 4 * step, 2).repeat(2, 0) for step in range(3))
        return [each for batch in batches for each in filter_together(owners, list(batch))]

    beside = results()
    monkeypatch.setattr(threads, "processors", lambda: 1)
    for one, other in zip(results(), beside, strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("region", ["all", "person"])
def test_an_enlarged_result_gets_the_same_detail_on_either_thread(
    region: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    model, random = TurboModel.load(), np.random.default_rng(5)
    shown = random.integers(0, 256, (14, 18, 3), np.uint8).repeat(20, 0).repeat(20, 1)
    sees = [True, True, False, True]  # where there is nobody, the frame is not filtered

    def results() -> list[np.ndarray]:
        seen = iter(sees)

        def mask(frame: object) -> np.ndarray:
            return np.full((14, 18), next(seen))

        filtering = FrameFilter(model, size=128, region=region, detail=1.0, mask=mask)
        frames = [np.roll(shown, 3 * step, 1) for step in range(4)]
        return [filtering(each) for each in frames]

    beside = results()
    monkeypatch.setattr(threads, "processors", lambda: 1)
    for one, other in zip(results(), beside, strict=True):
        np.testing.assert_array_equal(one, other)
