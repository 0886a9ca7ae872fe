"""The newest item wins: the slot for threads and the slot for tasks."""

import asyncio
from collections.abc import Awaitable, Callable
from threading import Thread

import pytest

from turbolens.pipelines.live.latest_slot import AsyncLatestSlot, Closed, LatestSlot

WAIT = 20.0  # seconds; far more than any of these tests needs


def test_the_newest_item_wins_and_the_overwritten_are_counted() -> None:
    slot: LatestSlot[int] = LatestSlot()
    for item in range(5):
        slot.put(item)
    assert (slot.take(), slot.dropped) == (4, 4)
    assert slot.take(timeout=0) is None


def test_a_closed_slot_gives_what_is_left_then_its_error() -> None:
    slot: LatestSlot[int] = LatestSlot()
    slot.put(1)
    slot.close(ValueError("of the sender"))
    slot.close()
    slot.put(2)
    assert (slot.ended, slot.take()) == (False, 1)
    with pytest.raises(ValueError, match="of the sender"):
        slot.take()


def test_closing_wakes_a_receiver_that_waits() -> None:
    slot: LatestSlot[int] = LatestSlot()
    got: list[int | None] = []
    receiver = Thread(target=lambda: got.append(slot.take()))
    receiver.start()
    slot.close()
    receiver.join(WAIT)
    assert (got, slot.ended) == ([None], True)


def within(test: Callable[[AsyncLatestSlot[int]], Awaitable[None]], capacity: int = 1) -> None:
    """Run a test of a slot for tasks in an event loop of its own, with a time limit."""

    async def run() -> None:
        await asyncio.wait_for(test(AsyncLatestSlot(capacity)), WAIT)

    asyncio.run(run())


def test_an_async_slot_gives_what_is_left_after_its_end_and_takes_nothing_more() -> None:
    async def test(slot: AsyncLatestSlot[int]) -> None:
        for number in (1, 2, 3):
            slot.put(number)
        slot.close()
        slot.put(4)
        assert [await slot.take(), await slot.take()] == [2, 3]
        assert slot.dropped == 1
        with pytest.raises(Closed):
            await slot.take()
        with pytest.raises(Closed):
            await slot.wait_empty()

    within(test, capacity=2)


def test_an_async_slot_raises_the_error_it_was_closed_with() -> None:
    async def test(slot: AsyncLatestSlot[int]) -> None:
        slot.close(ValueError("of the sender"))
        with pytest.raises(ValueError, match="of the sender"):
            await slot.take()

    within(test)


def test_one_task_waits_for_an_item_and_another_for_the_empty_slot() -> None:
    async def test(slot: AsyncLatestSlot[int]) -> None:
        async def put() -> None:
            slot.put(7)

        taken, *_ = await asyncio.gather(slot.take(), put(), slot.wait_empty())
        assert taken == 7
        slot.put(8)
        events: list[str] = []

        async def wait() -> None:
            await slot.wait_empty()
            events.append("empty")

        async def clear() -> None:
            events.append("clear")
            slot.clear()

        await asyncio.gather(wait(), clear())
        assert events == ["clear", "empty"]
        assert (len(slot), slot.dropped) == (0, 0)

    within(test)


def test_closing_wakes_the_tasks_that_wait() -> None:
    async def test(slot: AsyncLatestSlot[int]) -> None:
        async def close() -> None:
            slot.close()

        taken, _ = await asyncio.gather(slot.take(), close(), return_exceptions=True)
        assert isinstance(taken, Closed)

    within(test)
