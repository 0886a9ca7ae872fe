"""A hand-over in which the newest item wins: `LatestSlot` for threads, `AsyncLatestSlot` for tasks.

Both hold a bounded number of items, one by default, so that no delay can build up between a fast
sender and a slow receiver. They differ only in how the receiver waits.
"""

import asyncio
from collections import deque
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from threading import Condition
from typing import Any, Generic, TypeVar

T = TypeVar("T")


class Closed(Exception):  # noqa: N818 - not an error: the sender has ended
    """The slot is closed and empty."""


class _Slot(Generic[T]):
    """At most `capacity` items. One more overwrites the oldest, which is counted as dropped."""

    def __init__(
        self, capacity: int, guard: AbstractContextManager[Any], wake: Callable[[], None]
    ) -> None:
        self._items: deque[T] = deque()
        self._capacity, self._guard, self._wake = capacity, guard, wake
        self._closed = False
        self._error: BaseException | None = None
        self._dropped = 0

    def __len__(self) -> int:
        return len(self._items)

    @property
    def dropped(self) -> int:
        """Number of items that were overwritten before they were taken."""
        return self._dropped

    def put(self, item: T) -> None:
        """Add an item. Never waits. Ignored once the slot is closed."""
        with self._guard:
            if self._closed:
                return
            if len(self._items) >= self._capacity:
                self._items.popleft()
                self._dropped += 1
            self._items.append(item)
            self._wake()

    def close(self, error: BaseException | None = None) -> None:
        """Take no more items. What is left can still be taken; then `take` raises `error`, if any.

        Only the first call counts.
        """
        with self._guard:
            if not self._closed:
                self._closed, self._error = True, error
            self._wake()

    def clear(self) -> None:
        """Discard all items without counting them as dropped."""
        with self._guard:
            self._items.clear()
            self._wake()


class LatestSlot(_Slot[T]):
    """Hands items from one thread to another."""

    def __init__(self, capacity: int = 1) -> None:
        self._changed = Condition()
        super().__init__(capacity, self._changed, self._changed.notify_all)

    @property
    def ended(self) -> bool:
        """True once the slot is closed and there is nothing left to take, not even an error."""
        with self._changed:
            return self._closed and not self._items and self._error is None

    def take(self, timeout: float | None = None) -> T | None:
        """The oldest item. `None` after `timeout` seconds without one, or once the slot is closed.

        Raises the error that the slot was closed with.
        """
        with self._changed:
            self._changed.wait_for(lambda: self._items or self._closed, timeout)
            if self._items:
                return self._items.popleft()
            if self._error is not None:
                raise self._error
            return None


class AsyncLatestSlot(_Slot[T]):
    """Hands items from one task to another on the same event loop."""

    def __init__(self, capacity: int = 1) -> None:
        self._changed = asyncio.Event()
        super().__init__(capacity, nullcontext(), self._changed.set)

    async def take(self) -> T:
        """The oldest item. Raises `Closed`, or the error given to `close`, once there is none."""
        await self._wait_for(lambda: bool(self._items) or self._closed)
        if not self._items:
            raise self._error or Closed
        item = self._items.popleft()
        self._wake()
        return item

    async def wait_empty(self) -> None:
        """Wait until every item was taken. Raises `Closed` at once when the slot is closed."""
        await self._wait_for(lambda: not self._items or self._closed)
        if self._closed:
            raise Closed

    async def _wait_for(self, ready: Callable[[], bool]) -> None:
        while not ready():
            self._changed.clear()
            await self._changed.wait()
