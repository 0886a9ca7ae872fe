"""How far a job on a cluster is: frames a second by node, and the time that is left."""

import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

WINDOW = 60.0  # seconds over which rates are taken


@dataclass(frozen=True)
class ClusterProgress:
    """A moment of a job.

    files: finished or failed. segments: finished in this run; cut_segments: sent or waiting to be
    sent as well. frames, total_frames: of the files
    known so far. fps: of all nodes; nodes: of each. working: how many workers have a segment.
    seconds_left: `None` if unknown.
    """

    files: int
    total_files: int | None
    segments: int
    cut_segments: int
    frames: int
    total_frames: int
    fps: float
    nodes: Mapping[str, float]
    working: int
    seconds_left: float | None


@dataclass
class Rates:
    """Frames a second by node, over the last minute. clock: seconds."""

    clock: Callable[[], float] = time.monotonic
    _finished: deque[tuple[float, str, int]] = field(default_factory=deque, init=False)

    def __post_init__(self) -> None:
        self._begun = self.clock()

    def add(self, node: str, frames: int) -> None:
        """Add frames that a node has finished now."""
        self._finished.append((self.clock(), node, frames))

    def by_node(self) -> dict[str, float]:
        """Frames a second of each node that has finished anything lately."""
        now = self.clock()
        while self._finished and self._finished[0][0] < now - WINDOW:
            self._finished.popleft()
        seconds = max(min(WINDOW, now - self._begun), 1e-3)
        rates: dict[str, float] = {}
        for _, node, frames in self._finished:
            rates[node] = rates.get(node, 0.0) + frames / seconds
        return dict(sorted(rates.items()))
