"""The measured cost of a session, and how many a replica takes by it."""

from collections import deque
from dataclasses import dataclass

WINDOW = 10.0  # seconds of the past that count


@dataclass(frozen=True)
class _Sample:
    at: float
    busy_seconds: float
    frames: int


class FrameCost:
    """Seconds of the filter for one frame, over the last seconds in which there were frames."""

    def __init__(self) -> None:
        self._samples: deque[_Sample] = deque()
        self._last: float | None = None

    def add(self, at: float, busy_seconds: float, frames: int) -> None:
        """Add a measurement. at: its time. busy_seconds, frames: totals up to now."""
        if self._samples and frames == self._samples[-1].frames:
            return
        self._samples.append(_Sample(at, busy_seconds, frames))
        while len(self._samples) > 2 and at - self._samples[0].at > WINDOW:
            self._samples.popleft()
        first, last = self._samples[0], self._samples[-1]
        if last.frames > first.frames:
            self._last = (last.busy_seconds - first.busy_seconds) / (last.frames - first.frames)

    def seconds(self, estimate: float | None) -> float | None:
        """The cost. estimate: of the time before the first session."""
        return estimate if self._last is None else self._last


def capacity(frame_seconds: float | None, *, min_fps: float, limit: int) -> int:
    """How many sessions a replica filters at this rate each: at least one, at most `limit`.

    frame_seconds: of the filter for one frame of one session; `None` if unknown.
    """
    if frame_seconds is None or frame_seconds * min_fps * limit <= 1:
        return limit
    return max(1, int(1 / (frame_seconds * min_fps)))
