"""A one-slot hand-over between two threads: the newest item wins, the overwritten are counted."""

from threading import Condition
from typing import Generic, TypeVar

T = TypeVar("T")


class Latest(Generic[T]):
    """Holds at most one item, so that no delay can build up between two threads.

    The end travels through it as well: after `close` the receiver gets what is left, then the error
    if there was one, then nothing more.
    """

    def __init__(self) -> None:
        self._item: T | None = None
        self._changed = Condition()
        self._closed = False
        self._error: BaseException | None = None
        self._dropped = 0

    @property
    def dropped(self) -> int:
        """How many items were overwritten before anybody took them."""
        return self._dropped

    @property
    def ended(self) -> bool:
        """Closed, and nothing is left to take, not even an error."""
        with self._changed:
            return self._closed and self._item is None and self._error is None

    def put(self, item: T) -> None:
        """Leave the item for the receiver in place of an older one. Ignored once closed."""
        with self._changed:
            if self._closed:
                return
            if self._item is not None:
                self._dropped += 1
            self._item = item
            self._changed.notify_all()

    def take(self, timeout: float | None = None) -> T | None:
        """The item, waiting for it up to `timeout` seconds; none when the time is up or at the end.

        Raises the error that the slot was closed with.
        """
        with self._changed:
            self._changed.wait_for(lambda: self._item is not None or self._closed, timeout)
            item, self._item = self._item, None
            if item is None and self._error is not None:
                raise self._error
            return item

    def close(self, error: BaseException | None = None) -> None:
        """Nothing more will come, because of an error or without one. The first call counts."""
        with self._changed:
            if not self._closed:
                self._closed, self._error = True, error
            self._changed.notify_all()
