"""A small bounded queue between two threads, which also carries the end and the errors."""

from collections import deque
from collections.abc import Callable, Iterator
from threading import Condition
from typing import Generic, TypeVar

T = TypeVar("T")

POLL = 0.1  # seconds between two calls of `check`


def _nothing() -> None:
    """No check."""


class Abandoned(Exception):  # noqa: N818 - not an error: the other side has gone away
    """The other side of the conveyor wants nothing more."""


class Conveyor(Generic[T]):
    """Items in order from one thread to another, bounded by weight (bytes) and by count.

    An item heavier than the bound travels alone, so that any size of picture gets through.
    `check` is called before each wait and ten times a second in it; what it raises ends the wait.
    """

    def __init__(self, *, weight: int = 96 << 20, count: int = 64) -> None:
        self._items: deque[tuple[T, int]] = deque()
        self._room, self._count, self._load = weight, count, 0
        self._changed = Condition()
        self._ended = False
        self._abandoned = False
        self._error: BaseException | None = None

    def put(self, item: T, weight: int = 0, check: Callable[[], None] = _nothing) -> None:
        """Wait for room and add the item. Raises `Abandoned`, or the receiver's error."""
        with self._changed:
            self._wait_for(lambda: self._abandoned or self._has_room(weight), check)
            if self._error is not None:
                raise self._error
            if self._abandoned:
                raise Abandoned
            self._items.append((item, weight))
            self._load += weight
            self._changed.notify_all()

    def _has_room(self, weight: int) -> bool:
        return not self._items or (
            self._load + weight <= self._room and len(self._items) < self._count
        )

    def end(self, error: BaseException | None = None) -> None:
        """The sender is done, with an error or without: the receiver gets what is left, then it."""
        with self._changed:
            self._ended = True
            self._error = self._error or error
            self._changed.notify_all()

    def abandon(self, error: BaseException | None = None) -> None:
        """The receiver is done: what waits is dropped and the sender stopped."""
        with self._changed:
            self._abandoned = True
            self._error = self._error or error
            self._items.clear()
            self._load = 0
            self._changed.notify_all()

    def check(self) -> None:
        """Raise the error of either side, if there was one."""
        if self._error is not None:
            raise self._error

    def _wait_for(self, state: Callable[[], bool], check: Callable[[], None]) -> None:
        check()
        while not self._changed.wait_for(state, timeout=None if check is _nothing else POLL):
            check()

    def items(self, check: Callable[[], None] = _nothing) -> Iterator[T]:
        """Items until the end. Raises the sender's error."""
        while True:
            with self._changed:
                self._wait_for(lambda: bool(self._items) or self._ended or self._abandoned, check)
                if not self._items:
                    if self._error is not None:
                        raise self._error
                    return
                item, weight = self._items.popleft()
                self._load -= weight
                self._changed.notify_all()
            yield item
