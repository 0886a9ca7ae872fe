"""How long the stages of a frame take: by the processor's clock, on a GPU by its own events."""

from collections.abc import Callable
from time import perf_counter
from typing import Any, TypeAlias

import torch

from .machine import wait_for

Mark: TypeAlias = Any
"""A moment: seconds, or an event of a CUDA stream."""


class StageClock:
    """Called with the name of each stage when it ends; `seconds` has the times by name.

    On CUDA an event is put into the stream where a stage ends, and read when the frame is done:
    nothing waits meanwhile, so that stages follow each other as they do without a clock. What the
    host does while the GPU is idle is in the times, too. Other GPUs are waited for.
    """

    def __init__(self, device: torch.device) -> None:
        self.seconds: dict[str, list[float]] = {}
        self._mark, self._between = _ways(device)
        self._marks: list[tuple[str, Mark]] = []

    def start(self) -> None:
        """A frame begins."""
        self._marks = [("", self._mark())]

    def __call__(self, stage: str) -> None:
        self._marks.append((stage, self._mark()))

    def read(self) -> None:
        """The frame is done: add its times."""
        for (_, before), (stage, after) in zip(self._marks, self._marks[1:], strict=False):
            self.seconds.setdefault(stage, []).append(self._between(before, after))

    def clear(self) -> None:
        """Forget what was measured."""
        self.seconds.clear()


def _ways(device: torch.device) -> tuple[Callable[[], Mark], Callable[[Mark, Mark], float]]:
    """How to mark a moment, and how many seconds lie between two."""
    if device.type != "cuda":
        return lambda: _now(device), lambda before, after: float(after - before)

    def mark() -> Mark:
        event = torch.cuda.Event(enable_timing=True)  # type: ignore[no-untyped-call]
        event.record(torch.cuda.current_stream(device))
        return event

    def between(before: Mark, after: Mark) -> float:
        after.synchronize()
        return float(before.elapsed_time(after)) / 1000

    return mark, between


def _now(device: torch.device) -> float:
    wait_for(device)
    return perf_counter()
