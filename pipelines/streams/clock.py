"""Timestamps of a live stream: small pure state machines, in seconds.

Three clocks meet: the source's timestamps, which jump when a server restarts; the machine's clock,
which paces the frames that are sent; and the count of audio samples, which drifts from both.
"""

from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction

JUMP = Fraction(10)  # timestamps that step further do not tell how much time has passed
MIN_STEP = Fraction(1, 1000)  # between two frames: FLV counts in milliseconds
AUDIO_TOLERANCE = Fraction(1, 50)  # audio that is off by more is moved back to its timestamp


class SourceClock:
    """Maps timestamps of one source to times that rise from 0 without jumps.

    After a jump (a restarted server, a long pause) times continue by as much as `now`, the
    machine's clock in seconds, says has passed. Otherwise frames would be late from then on,
    because the last frame was shown again meanwhile. Late packets of other streams from before the
    jump keep their place.
    """

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self._offsets: list[Fraction] = []
        self._last = Fraction(0)
        self._last_at: float | None = None

    def reconnected(self) -> None:
        """Map the next timestamp to the present, whatever it is."""
        self._offsets = []

    def __call__(self, timestamp: Fraction) -> Fraction:
        """The time of this timestamp. Never below 0."""
        time = self._continued(timestamp)
        if time is None:
            time = self._resumed()
            self._offsets = [time - timestamp, *self._offsets[:1]]
        if time >= self._last:
            self._last, self._last_at = time, self._now()
        return max(time, Fraction(0))

    def _continued(self, timestamp: Fraction) -> Fraction | None:
        for offset in self._offsets:
            if abs(timestamp + offset - self._last) <= JUMP:
                return timestamp + offset
        return None

    def _resumed(self) -> Fraction:
        if self._last_at is None:
            return Fraction(0)
        passed = Fraction(self._now() - self._last_at).limit_denominator(1_000_000)
        return self._last + max(passed, MIN_STEP)


@dataclass
class FrameClock:
    """Timestamps for frames that are sent, always rising.

    A new frame keeps the source's time, so that it cannot drift from the audio. A repeated frame
    gets the time at which it is sent.
    """

    last: Fraction | None = None
    _newest: Fraction = Fraction(-1)
    _anchor: tuple[Fraction, Fraction] | None = None

    def __call__(self, time: Fraction | None, now: Fraction) -> Fraction:
        """The timestamp of a frame sent now. time: its source time, `None` for a slate."""
        if time is not None and time > self._newest:
            self._newest, timestamp = time, time
            self._anchor = time, now
        else:
            if self._anchor is None:
                self._anchor = Fraction(0), now
            timestamp = self._anchor[0] + max(Fraction(0), now - self._anchor[1])
        if self.last is not None:
            timestamp = max(timestamp, self.last + MIN_STEP)
        self.last = timestamp
        return timestamp


class SampleClock:
    """Keeps a sequence of audio samples at its timestamps.

    Timestamps jitter, so samples are counted. Where the count is off by more than `AUDIO_TOLERANCE`
    (lost packets, clock drift), silence is inserted or samples are dropped.
    """

    def __init__(self, rate: int) -> None:
        self._rate = rate
        self._next: int | None = None

    @property
    def position(self) -> int:
        """Number of the next sample, counted from time 0."""
        return self._next or 0

    def add(self, time: Fraction, samples: int) -> int:
        """Count samples that belong to this time.

        Returns how many samples of silence to insert before them; if negative, how many to drop.
        """
        expected = round(time * self._rate)
        if self._next is None:
            self._next = expected
        change = expected - self._next
        if abs(change) <= AUDIO_TOLERANCE * self._rate:
            change = 0
        change = max(change, -samples)
        self._next += samples + change
        return change
