"""`SizeSearch`: finds the largest working size at which this machine keeps a live frame rate."""

from collections.abc import Sequence
from math import inf

from turbolens.pipelines.statistics import quantile

SIZES = (512, 448, 384, 320, 256)  # pixels of the longer side, multiples of 64
LEAST_FPS = 24.0
WARM_UP = 2  # calls at a new size that are not timed: they allocate memory and choose algorithms
MEASURED = 12  # calls that are timed
HOPELESS = 2.0  # a size is given up at once if the fastest call exceeds the limit this many times
# While a faster version of the model is being prepared, after at least SETTLING calls:
SETTLING = 2
OUT_OF_REACH = 4.0  # the same factor: no preparation has ever gained more
SHARE = 0.75  # of the timed calls must be fast enough; a few may be slow
HEADROOM = 0.95  # share of the time of a frame that the filter may take


class SizeSearch:
    """Goes from the largest size down until the filter keeps `fps` frames per second.

    The size is then kept. It never goes up again, because a picture whose sharpness keeps changing
    is worse than one that is a little slow.
    """

    def __init__(self, sizes: Sequence[int] = SIZES, *, fps: float = LEAST_FPS) -> None:
        self._sizes, self._limit = list(sizes), HEADROOM / fps
        self._calls, self._fastest = 0, inf
        self._times: list[float] = []
        self.seconds: float | None = None

    @property
    def size(self) -> int:
        """The size to use now, in pixels of the longer side."""
        return self._sizes[0]

    @property
    def found(self) -> bool:
        """True once the size is final. `seconds` is then the time of a call, if it was measured."""
        return len(self._sizes) == 1 or self.seconds is not None

    def note(self, seconds: float, *, settling: bool = False) -> None:
        """Add the time of a call at `size`. `settling`: a faster model is being prepared."""
        if self.found:
            return
        self._calls += 1
        if self._calls <= WARM_UP:
            return
        if settling:
            self._note_settling(seconds)
            return
        self._times.append(seconds)
        measured = len(self._times) >= MEASURED
        typical = quantile(self._times, SHARE) or 0.0
        if measured and typical <= self._limit:
            self.seconds = typical
        elif measured or min(self._times) > HOPELESS * self._limit:
            self._next_smaller()

    def _note_settling(self, seconds: float) -> None:
        self._fastest = min(seconds, self._fastest)
        if self._calls > WARM_UP + SETTLING and self._fastest > OUT_OF_REACH * self._limit:
            self._next_smaller()

    def _next_smaller(self) -> None:
        del self._sizes[0]
        self._calls, self._times, self._fastest = 0, [], inf
