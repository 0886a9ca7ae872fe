"""`Devices`: owns the source, the sinks and whatever else is open during a run, and closes them."""

from collections.abc import Container, Iterable
from contextlib import AbstractContextManager, ExitStack
from typing import TypeVar

from turbolens.pipelines.base import Sink, Source

T = TypeVar("T")


class Devices:
    """The source and sinks of one run, and what is open beside them, as a key listener or a server.

    They are closed here and nowhere else, at the end of a `with` block or by `close`.
    """

    def __init__(self, source: Source, sinks: Iterable[Sink] = ()) -> None:
        self.source, self.sinks = source, list(sinks)
        self._services = ExitStack()
        self._closed = False

    def enter(self, service: AbstractContextManager[T]) -> T:
        """Open something that is to be closed after the source and the sinks."""
        return self._services.enter_context(service)

    def close(self, *, in_use: Container[Source | Sink] = ()) -> None:
        """Close the sinks, the source, then the rest; all of them, even if one of them fails.

        What is `in_use` by a thread that hangs stays open: closing it could hang or crash too. Only
        the first call counts. Raises what a device raises.
        """
        if self._closed:
            return
        self._closed = True
        with ExitStack() as closing:  # closes in reverse order
            closing.callback(self._services.close)
            devices: list[Source | Sink] = [self.source, *reversed(self.sinks)]
            for device in devices:
                if device not in in_use:
                    closing.callback(device.close)

    def __enter__(self) -> "Devices":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
