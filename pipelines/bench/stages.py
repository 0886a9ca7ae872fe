"""Times the stages of a frame, with the CPU's clock or with CUDA events."""

from collections.abc import Callable
from time import perf_counter
from typing import Any, TypeAlias

import torch

from .machine import wait_for

Mark: TypeAlias = Any
"""A point in time: seconds, or a CUDA event."""


class StageClock:
    """Call it with the name of each stage when the stage ends. `seconds` has the times by name.

    On CUDA, events are recorded in the stream and read when the frame is done. Nothing waits in
    between, so stages overlap as they do without a clock. Work of the host while the GPU is idle
    counts, too. Other GPUs are synchronised after each stage.
    """

    def __init__(self, device: torch.device) -> None:
        self.seconds: dict[str, list[float]] = {}
        self._mark, self._between = _clock(device)
        self._marks: list[tuple[str, Mark]] = []

    def start(self) -> None:
        """Begin a frame."""
        self._marks = [("", self._mark())]

    def __call__(self, stage: str) -> None:
        self._marks.append((stage, self._mark()))

    def read(self) -> None:
        """End the frame, and add its times."""
        for (_, before), (stage, after) in zip(self._marks, self._marks[1:], strict=False):
            self.seconds.setdefault(stage, []).append(self._between(before, after))

    def clear(self) -> None:
        """Remove all times."""
        self.seconds.clear()


def _clock(device: torch.device) -> tuple[Callable[[], Mark], Callable[[Mark, Mark], float]]:
    """A function that returns a mark, and one that returns the seconds between two marks."""
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
