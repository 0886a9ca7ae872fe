"""`ParallelConversion`: converts the frames of a batch on several threads."""

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from threading import local
from typing import TypeVar

from turbolens.filter.frames.conversion import FrameConverter

_MAX_THREADS = 8

ItemT = TypeVar("ItemT")
ResultT = TypeVar("ResultT")


class ParallelConversion:
    """Runs conversions on up to `threads` threads, each with its own `FrameConverter`.

    Converted one after the other, the frames of a batch would make a fast GPU wait. swscale
    releases the GIL. Threads start with the first batch and end with this object.
    """

    def __init__(self, threads: int) -> None:
        self._threads = threads
        self._converter = FrameConverter()
        self._of_thread = local()
        self._pool: ThreadPoolExecutor | None = None

    def __call__(
        self, convert: Callable[[FrameConverter, ItemT], ResultT], items: Sequence[ItemT]
    ) -> list[ResultT]:
        """`convert` of each item, in order. Raises the exception of the first item that fails."""
        if len(items) < 2 or self._threads < 2:
            return [convert(self._converter, item) for item in items]
        if self._pool is None:
            self._pool = ThreadPoolExecutor(self._threads, thread_name_prefix="turbolens-convert")
        return list(self._pool.map(lambda item: convert(self._thread_converter(), item), items))

    def _thread_converter(self) -> FrameConverter:
        if not hasattr(self._of_thread, "converter"):
            self._of_thread.converter = FrameConverter()
        converter: FrameConverter = self._of_thread.converter
        return converter


def conversion_threads(device_type: str) -> int:
    """How many threads convert frames while networks run on this type of device.

    One on a CPU, which the networks keep busy.
    """
    return 1 if device_type == "cpu" else min(_MAX_THREADS, os.cpu_count() or 1)
