"""A small bounded queue between two threads, which also carries the end and the errors."""

from collections import deque
from collections.abc import Iterator
from threading import Condition
from typing import Generic, TypeVar

T = TypeVar("T")


class Abandoned(Exception):  # noqa: N818 - not an error: the other side has gone away
    """The other side of the conveyor wants nothing more."""


class Conveyor(Generic[T]):
    """Items in order from one thread to another, bounded by weight (bytes) and by count.

    An item heavier than the bound travels alone, so that any size of picture gets through.
    """

    def __init__(self, *, weight: int = 96 << 20, count: int = 64) -> None:
        self._items: deque[tuple[T, int]] = deque()
        self._room, self._count, self._load = weight, count, 0
        self._changed = Condition()
        self._ended = False
        self._abandoned = False
        self._error: BaseException | None = None

    def put(self, item: T, weight: int = 0) -> None:
        """Wait for room and add the item. Raises `Abandoned`, or the receiver's error."""
        with self._changed:
            self._changed.wait_for(lambda: self._abandoned or self._has_room(weight))
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

    def __iter__(self) -> Iterator[T]:
        """Items until the end. Raises the sender's error."""
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._items or self._ended or self._abandoned)
                if not self._items:
                    if self._error is not None:
                        raise self._error
                    return
                item, weight = self._items.popleft()
                self._load -= weight
                self._changed.notify_all()
            yield item
