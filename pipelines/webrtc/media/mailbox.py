"""`Mailbox`: a hand-over between two tasks of one event loop. The newest wins, the rest counts."""

from asyncio import Event
from collections import deque
from typing import Generic, TypeVar

T = TypeVar("T")


class Closed(Exception):  # noqa: N818 - not an error: the other side has ended
    """Nothing more will come."""


class Mailbox(Generic[T]):
    """Holds at most `capacity` items; one more pushes out the oldest, which is counted."""

    def __init__(self, capacity: int = 1) -> None:
        self._items: deque[T] = deque()
        self._capacity = capacity
        self._closed = False
        self._filled, self._emptied = Event(), Event()
        self._emptied.set()
        self.dropped = 0

    def __len__(self) -> int:
        return len(self._items)

    def put(self, item: T) -> None:
        """Never waits. Does nothing once the mailbox is closed."""
        if self._closed:
            return
        if len(self._items) >= self._capacity:
            self._items.popleft()
            self.dropped += 1
        self._items.append(item)
        self._emptied.clear()
        self._filled.set()

    async def take(self) -> T:
        """The oldest item, once there is one. Raises `Closed` when it was the last."""
        while not self._items:
            if self._closed:
                raise Closed
            self._filled.clear()
            await self._filled.wait()
        item = self._items.popleft()
        if not self._items:
            self._emptied.set()
        return item

    async def room(self) -> None:
        """Wait until everything was taken. Raises `Closed`."""
        await self._emptied.wait()
        if self._closed:
            raise Closed

    def close(self) -> None:
        """Nothing more will come; what is in it can still be taken."""
        self._closed = True
        self._filled.set()
        self._emptied.set()

    def clear(self) -> None:
        """Throw away what is in it, uncounted."""
        self._items.clear()
        self._emptied.set()
