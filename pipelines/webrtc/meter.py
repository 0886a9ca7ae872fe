"""How fast and how late frames go: rates over the last seconds, and smoothed times."""

from collections import deque
from collections.abc import Callable
from time import monotonic

Clock = Callable[[], float]
WINDOW = 2.0  # seconds
SMOOTHING = 0.1  # share of the newest value in a smoothed one


class Rate:
    """Events a second over the last two seconds."""

    def __init__(self, clock: Clock = monotonic) -> None:
        self._clock, self._times = clock, deque[float]()
        self._began: float | None = None
        self.total = 0

    def count(self) -> None:
        """One more, now."""
        now = self._clock()
        self._began = now if self._began is None else self._began
        self._times.append(now)
        self.total += 1
        self._forget(now)

    def __float__(self) -> float:
        now = self._clock()
        self._forget(now)
        span = min(WINDOW, now - self._began) if self._began is not None else 0.0
        return len(self._times) / span if span > 0 else 0.0

    def _forget(self, now: float) -> None:
        while self._times and self._times[0] <= now - WINDOW:
            self._times.popleft()


class Smoothed:
    """A value without its jitter; 0 before the first."""

    def __init__(self) -> None:
        self._value: float | None = None

    def add(self, value: float) -> None:
        """One more measurement."""
        if self._value is None:
            self._value = value
        self._value += SMOOTHING * (value - self._value)

    def __float__(self) -> float:
        return self._value or 0.0
