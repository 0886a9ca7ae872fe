"""The largest working picture that a machine holds at a live rate, found by measuring once."""

from collections.abc import Sequence
from math import inf

from turbolens.pipelines.statistics import quantile

SIZES = (512, 448, 384, 320, 256)  # pixels of the longer side, multiples of 64
LEAST_FPS = 24.0
WARM_UP = 2  # calls at a new size that allocate and choose algorithms
MEASURED = 12  # calls that are timed
HOPELESS = 2.0  # times too slow: no need to measure further
SETTLING = 2  # calls that are looked at while something faster is being prepared, at least
OUT_OF_REACH = 4.0  # the same while something faster is being prepared: more it has never gained
SHARE = 0.75  # of the calls must be fast enough: more than half of them, but not the very last
HEADROOM = 0.95  # share of the time of a frame that the filter may take


class SizeSearch:
    """Goes down from the largest size until the filter holds `fps`, then stays for ever.

    It never goes up again or on: a picture that changes its sharpness all the time is worse than
    one that is a little slow.
    """

    def __init__(self, sizes: Sequence[int] = SIZES, *, fps: float = LEAST_FPS) -> None:
        self._sizes, self._limit = list(sizes), HEADROOM / fps
        self._calls, self._quickest = 0, inf
        self._times: list[float] = []
        self.seconds: float | None = None

    @property
    def size(self) -> int:
        """The size to use now."""
        return self._sizes[0]

    @property
    def found(self) -> bool:
        """Whether it is decided; `seconds` is then the time of a call, if it was measured."""
        return len(self._sizes) == 1 or self.seconds is not None

    def note(self, seconds: float, *, settling: bool = False) -> None:
        """A call at `size` took so long; settling: calls will soon be faster than this one."""
        if self.found:
            return
        self._calls += 1
        if self._calls <= WARM_UP:
            return
        if settling:
            self._quickest = min(seconds, self._quickest)
            if self._calls > WARM_UP + SETTLING and self._quickest > OUT_OF_REACH * self._limit:
                self._smaller()
            return
        self._times.append(seconds)
        taken = quantile(self._times, SHARE) or 0.0
        if len(self._times) >= MEASURED and taken <= self._limit:
            self.seconds = taken
        elif len(self._times) >= MEASURED or min(self._times) > HOPELESS * self._limit:
            self._smaller()

    def _smaller(self) -> None:
        del self._sizes[0]
        self._calls, self._times, self._quickest = 0, [], inf
