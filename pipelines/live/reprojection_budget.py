"""How often a filter's last result may be reprojected, so that it does not slow down the rest."""

from collections.abc import Callable
from time import monotonic

from turbolens.pipelines.statistics import Smoothed

LATE = 3.0  # a filter is late once it takes this many times its usual time
SHORTEST = 0.5  # seconds for which a result may be reprojected, however fast its filter is
RETRY_AFTER = 5.0  # seconds until a reprojection that was too slow is tried once more


def reprojection_seconds(usual: float) -> float:
    """How long a result may be reprojected, for a filter that usually takes `usual` seconds.

    It must end: what comes into view meanwhile is the unfiltered frame in other colours.
    """
    return max(SHORTEST, LATE * usual)


class ReprojectionBudget:
    """Measures what a reprojection costs, and allows it while it stays within a share of the time.

    `cost` averages the measured seconds. A reprojection that is too slow is allowed again every
    `RETRY_AFTER` seconds, because its cost may have fallen.
    """

    def __init__(
        self, share: float, cost: Smoothed, *, clock: Callable[[], float] = monotonic
    ) -> None:
        self._share, self._cost, self._clock = share, cost, clock
        self._last = 0.0

    @property
    def cost(self) -> float:
        """Seconds that a reprojection takes; 0 before the first measurement."""
        return float(self._cost)

    def fits(self, seconds: float) -> bool:
        """True if the cost is within the share of `seconds`."""
        return self.cost <= self._share * seconds

    def allows(self, seconds: float) -> bool:
        """True if the cost is within the share of `seconds`, or if it is time to measure again."""
        return self.fits(seconds) or self._clock() - self._last >= RETRY_AFTER

    def add(self, seconds: float, *, at: float) -> None:
        """Count a reprojection that took `seconds`. `at`: its time on the clock."""
        self._cost.add(seconds)
        self._last = at
