"""Times of a live stream: functions and small states of times alone, in seconds.

Three clocks meet: the source's time stamps, which jump when a server restarts; the machine's clock,
by which pictures are sent; and the count of the sound's samples, which drifts from both.
"""

from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction

JUMP = Fraction(10)  # a step of time stamps by more than this says nothing of how long it took
STEP = Fraction(1, 1000)  # what two pictures are apart at least; FLV counts in milliseconds
SOUND_TOLERANCE = Fraction(1, 50)  # sound further from its time is moved back to it


class SourceClock:
    """Time stamps of one source → times that rise from 0 without jumps, over reconnections too.

    now: seconds by the machine's clock. After a jump (a server that has restarted, a source that
    has paused for long) times have gone on by what that clock says, as those of the pictures that
    were shown meanwhile have, or else each later one would come too late. Stragglers from before a
    jump, which other streams of the source still send, keep their place.
    """

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self._offsets: list[Fraction] = []
        self._last = Fraction(0)
        self._heard: float | None = None

    def reconnected(self) -> None:
        """The next time stamp belongs to now, whatever it is."""
        self._offsets = []

    def __call__(self, time: Fraction) -> Fraction:
        """The place of a time stamp. Never below 0."""
        place = self._known_place(time)
        if place is None:
            place = self._resumed()
            self._offsets = [place - time, *self._offsets[:1]]
        if place >= self._last:
            self._last, self._heard = place, self._now()
        return max(place, Fraction(0))

    def _known_place(self, time: Fraction) -> Fraction | None:
        for offset in self._offsets:
            if abs(time + offset - self._last) <= JUMP:
                return time + offset
        return None

    def _resumed(self) -> Fraction:
        if self._heard is None:
            return Fraction(0)
        passed = Fraction(self._now() - self._heard).limit_denominator(1_000_000)
        return self._last + max(passed, STEP)


@dataclass
class PictureClock:
    """When a picture is to be seen: at its own time; a repeated one as late as it is sent.

    Fresh pictures carry the source's time, so that nothing can drift from the sound.
    """

    shown: Fraction | None = None
    _fresh: Fraction = Fraction(-1)
    _anchor: tuple[Fraction, Fraction] | None = None

    def __call__(self, time: Fraction | None, now: Fraction) -> Fraction:
        """The time stamp of a picture of this source time (none: a slate) that is sent now."""
        if time is not None and time > self._fresh:
            self._fresh, stamp = time, time
            self._anchor = time, now
        else:
            if self._anchor is None:
                self._anchor = Fraction(0), now
            stamp = self._anchor[0] + max(Fraction(0), now - self._anchor[1])
        if self.shown is not None:
            stamp = max(stamp, self.shown + STEP)
        self.shown = stamp
        return stamp


class SampleClock:
    """Keeps a run of sound samples at its time stamps.

    Samples are counted on, since time stamps jitter; where the count is off by more than
    `SOUND_TOLERANCE` (lost packets, another clock) silence is inserted or samples are left out.
    """

    def __init__(self, rate: int) -> None:
        self._rate = rate
        self._next: int | None = None

    @property
    def position(self) -> int:
        """Number of the next sample since time 0."""
        return self._next or 0

    def place(self, time: Fraction, samples: int) -> int:
        """Samples of silence to insert before these (below 0: to leave out), of that time."""
        wanted = round(time * self._rate)
        if self._next is None:
            self._next = wanted
        off = wanted - self._next
        if abs(off) <= SOUND_TOLERANCE * self._rate:
            off = 0
        change = max(off, -samples)
        self._next += samples + change
        return change
