"""`SizeSearch`: finds the largest working size at which this machine keeps a live frame rate."""

from collections import deque
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
GROWTH_CALLS = 72  # timed calls at a size that was found, before a larger one is tried: 3 s
SLOW_CALLS = 240  # timed calls at a size that was found: if most are too slow, it shrinks: 10 s
PATIENCE = 4  # after each shrinking, it takes so many times as long before a larger size is tried


class SizeSearch:
    """Goes from the largest size down until the filter keeps `fps` frames per second.

    In the first seconds the model may still be slower than later. A size that was found therefore
    grows if its calls leave room for the next larger one, in proportion to its pixels. It shrinks
    if most calls of ten seconds are too slow: the program of the call, which starts after the
    camera, needs processors, too. A picture whose sharpness keeps changing is worse than a small
    one, so a size that turns out too slow after growth is not tried again, and after each shrinking
    it takes four times as long until a larger size is tried.
    """

    def __init__(self, sizes: Sequence[int] = SIZES, *, fps: float = LEAST_FPS) -> None:
        self._sizes, self._limit = tuple(sizes), HEADROOM / fps
        self._index = 0
        self._largest = 0  # index of the largest size that may still be tried
        self._before_growth: float | None = None  # seconds of a call at the size before
        self._calls, self._fastest = 0, inf
        self._times: list[float] = []  # at a size that is being tried
        self._recent: deque[float] = deque(maxlen=SLOW_CALLS)  # at a size that was found
        self._patience = self._until_growth = GROWTH_CALLS
        self.seconds: float | None = None

    @property
    def size(self) -> int:
        """The size to use now, in pixels of the longer side."""
        return self._sizes[self._index]

    @property
    def found(self) -> bool:
        """True while no size is being tried. `seconds` is then the time of a call, if measured."""
        return self._index == len(self._sizes) - 1 or self.seconds is not None

    def note(self, seconds: float, *, settling: bool = False) -> None:
        """Add the time of a call at `size`. `settling`: a faster model is being prepared."""
        self._calls += 1
        if self._calls <= WARM_UP:
            return
        if self.found:
            self._note_found(seconds, settling=settling)
        elif settling:
            self._note_settling(seconds)
        else:
            self._note_tried(seconds)

    def _note_found(self, seconds: float, *, settling: bool) -> None:
        """Go to the next larger size if there is room for it, to a smaller one if it is needed."""
        if settling:
            self._recent.clear()
            self._until_growth = max(self._until_growth, GROWTH_CALLS)
            return
        self._recent.append(seconds)
        self._until_growth -= 1
        if self._is_too_slow():
            self._patience *= PATIENCE
            self._try(self._index + 1)
        elif self._until_growth <= 0:
            self._until_growth = GROWTH_CALLS
            self._grow_if_there_is_room()

    def _is_too_slow(self) -> bool:
        if self._index == len(self._sizes) - 1 or len(self._recent) < SLOW_CALLS:
            return False
        return (quantile(self._recent, 0.5) or 0.0) > self._limit / HEADROOM

    def _grow_if_there_is_room(self) -> None:
        if self._index == self._largest:
            return
        typical = quantile(list(self._recent)[-GROWTH_CALLS:], SHARE) or 0.0
        growth = self._sizes[self._index - 1] / self.size
        if typical * growth**2 <= self._limit:
            self._try(self._index - 1)
            self._before_growth = typical

    def _note_tried(self, seconds: float) -> None:
        self._times.append(seconds)
        measured = len(self._times) >= MEASURED
        typical = quantile(self._times, SHARE) or 0.0
        if measured and typical <= self._limit:
            self.seconds, self._times, self._before_growth = typical, [], None
        elif measured or min(self._times) > HOPELESS * self._limit:
            self._give_up()

    def _note_settling(self, seconds: float) -> None:
        self._fastest = min(seconds, self._fastest)
        if self._calls > WARM_UP + SETTLING and self._fastest > OUT_OF_REACH * self._limit:
            self._give_up()

    def _give_up(self) -> None:
        """Go to the next smaller size. After growth it is found already, and final."""
        seconds = self._before_growth
        self._try(self._index + 1)
        if seconds is not None:
            self._largest, self.seconds = self._index, seconds

    def _try(self, index: int) -> None:
        self._index, self.seconds, self._before_growth = index, None, None
        self._calls, self._times, self._fastest = 0, [], inf
        self._recent.clear()
        self._until_growth = self._patience
