"""A bounded queue between two threads, which also passes on the end and errors."""

from collections import deque
from collections.abc import Callable, Iterator
from threading import Condition
from typing import Generic, TypeVar

T = TypeVar("T")

POLL = 0.1  # seconds between two calls of `check` during a wait


class ConsumerGone(Exception):  # noqa: N818 - a way to stop the producer, not an error
    """The consumer has stopped, so nothing more can be put into the queue."""


class BoundedQueue(Generic[T]):
    """Items in order from a producer to a consumer thread, bounded by total weight and by count.

    Weights are bytes. An item that is heavier than the bound is accepted while the queue is empty,
    so that frames of any size get through. Where a method takes `check`, it is called before a wait
    and ten times a second during the wait; an exception that it raises ends the wait.
    """

    def __init__(self, *, max_weight: int = 96 << 20, max_count: int = 64) -> None:
        self._items: deque[tuple[T, int]] = deque()
        self._max_weight, self._max_count, self._weight = max_weight, max_count, 0
        self._changed = Condition()
        self._ended = False
        self._consumer_gone = False
        self._error: BaseException | None = None

    def put(self, item: T, weight: int = 0, check: Callable[[], None] | None = None) -> None:
        """Wait for room and add the item. Raises `ConsumerGone`, or the consumer's error."""
        with self._changed:
            self._wait_for(lambda: self._consumer_gone or self._has_room(weight), check)
            if self._error is not None:
                raise self._error
            if self._consumer_gone:
                raise ConsumerGone
            self._items.append((item, weight))
            self._weight += weight
            self._changed.notify_all()

    def _has_room(self, weight: int) -> bool:
        return not self._items or (
            self._weight + weight <= self._max_weight and len(self._items) < self._max_count
        )

    def end(self, error: BaseException | None = None) -> None:
        """Called by the producer after its last item. The consumer still gets what is queued.

        `error` is then raised in the consumer.
        """
        with self._changed:
            self._ended = True
            self._error = self._error or error
            self._changed.notify_all()

    def abandon(self, error: BaseException | None = None) -> None:
        """Called by the consumer when it stops: drop what is queued, and stop the producer.

        `error` is raised in the producer by its next `put`.
        """
        with self._changed:
            self._consumer_gone = True
            self._error = self._error or error
            self._items.clear()
            self._weight = 0
            self._changed.notify_all()

    def raise_error(self) -> None:
        """Raise the error that either side has reported, if any."""
        if self._error is not None:
            raise self._error

    def _wait_for(self, state: Callable[[], bool], check: Callable[[], None] | None) -> None:
        if check is None:
            self._changed.wait_for(state)
            return
        check()
        while not self._changed.wait_for(state, timeout=POLL):
            check()

    def items(self, check: Callable[[], None] | None = None) -> Iterator[T]:
        """Items until the producer has ended. Raises the producer's error."""
        while True:
            with self._changed:
                self._wait_for(
                    lambda: bool(self._items) or self._ended or self._consumer_gone, check
                )
                if not self._items:
                    self.raise_error()
                    return
                item, weight = self._items.popleft()
                self._weight -= weight
                self._changed.notify_all()
            yield item
