"""`ParallelConversion`: converts the frames of a batch on several threads."""

from collections.abc import Callable, Sequence
from threading import local
from typing import TypeVar

from turbolens.filter.beside import spread
from turbolens.filter.frames.conversion import FrameConverter

ItemT = TypeVar("ItemT")
ResultT = TypeVar("ResultT")


class ParallelConversion:
    """Runs conversions on all threads beside the networks, each with its own `FrameConverter`.

    Converted one after the other, the frames of a batch would make the networks wait. swscale
    releases the GIL.
    """

    def __init__(self) -> None:
        self._converter = FrameConverter()
        self._of_thread = local()

    def __call__(
        self, convert: Callable[[FrameConverter, ItemT], ResultT], items: Sequence[ItemT]
    ) -> list[ResultT]:
        """`convert` of each item, in order. Raises the exception of the first item that fails."""
        if len(items) < 2:
            return [convert(self._converter, item) for item in items]
        return spread(lambda item: convert(self._thread_converter(), item), items)

    def _thread_converter(self) -> FrameConverter:
        if not hasattr(self._of_thread, "converter"):
            self._of_thread.converter = FrameConverter()
        converter: FrameConverter = self._of_thread.converter
        return converter
