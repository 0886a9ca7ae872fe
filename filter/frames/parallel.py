"""`Conversions`: the frames of one stream to pictures and back, several at once."""

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from threading import local
from typing import TypeVar

from .conversion import FrameConverter

_MOST_THREADS = 8

ItemT = TypeVar("ItemT")
ResultT = TypeVar("ResultT")


class Conversions:
    """Runs conversions on up to `threads` threads, each with a `FrameConverter` of its own.

    Those of a batch must not come one after the other: a fast GPU would wait for them. swscale lets
    other threads run meanwhile.
    Threads are started for the first batch and end with this object.
    """

    def __init__(self, threads: int) -> None:
        self._threads = threads
        self._own = FrameConverter()
        self._others = local()
        self._pool: ThreadPoolExecutor | None = None

    def __call__(
        self, convert: Callable[[FrameConverter, ItemT], ResultT], items: Sequence[ItemT]
    ) -> list[ResultT]:
        """`convert` of each item, in their order. Raises what the first that fails raises."""
        if len(items) < 2 or self._threads < 2:
            return [convert(self._own, item) for item in items]
        if self._pool is None:
            self._pool = ThreadPoolExecutor(self._threads, thread_name_prefix="turbolens-convert")
        return list(self._pool.map(lambda item: convert(self._here(), item), items))

    def _here(self) -> FrameConverter:
        """This thread's converter."""
        if not hasattr(self._others, "converter"):
            self._others.converter = FrameConverter()
        converter: FrameConverter = self._others.converter
        return converter


def conversion_threads(device_type: str) -> int:
    """How many threads convert beside networks on such a device.

    One where the networks keep the processors busy themselves.
    """
    return 1 if device_type == "cpu" else min(_MOST_THREADS, os.cpu_count() or 1)
