"""How much a sender may send, from what its receiver says about the line."""

from collections.abc import Callable
from time import monotonic

from turbolens.pipelines.statistics import Clock

START = 500_000
"""Bits per second at first: most lines take it, and a wide one is used fully within seconds."""
DOUBLING_SECONDS = 2.5
SETTLING_SECONDS = 1.0  # after a fall, in which the line still has the frames before it
LONGEST = 60.0  # seconds of growth, by far enough for any limit


class GrowingBitRate:
    """Starts low, grows up to the receiver's estimate (REMB) and the limit, and falls at once.

    A receiver estimates the line from the delay that grows while its queue fills. That takes
    seconds, in which a narrow line would be full of a video at the limit; the first estimates after
    a full line may be far too high.

    least, most: return the limits in bits per second.
    """

    def __init__(
        self, least: Callable[[], int], most: Callable[[], int], clock: Clock = monotonic
    ) -> None:
        self._least, self._most, self._clock = least, most, clock
        self._estimate = float("inf")
        self._from, self._since = float(START), float("inf")

    @property
    def current(self) -> int:
        """Bits per second, for the next frame."""
        seconds = min(max(0.0, self._clock() - self._since), LONGEST)
        grown = self._from * 2 ** (seconds / DOUBLING_SECONDS)
        return round(max(self._least(), min(grown, self._estimate, self._most())))

    def sent(self, *, asked_for_key_frame: bool) -> None:
        """A frame is sent. The first one begins the growth.

        asked_for_key_frame: a frame was lost before, so this rate is too much: half of it is next.
        """
        if self._since == float("inf"):
            self._since = self._clock()
        elif asked_for_key_frame and self._clock() - self._since >= SETTLING_SECONDS:
            self._fall_to(self.current / 2)

    def estimated(self, bits: int) -> None:
        """The receiver has estimated the line."""
        current, self._estimate = self.current, bits
        self._fall_to(min(current, bits))

    def _fall_to(self, bits: float) -> None:
        self._from = max(bits, self._least())
        if self._since != float("inf"):
            self._since = self._clock()


class SetByReceiver:
    """The part of aiortc's encoders that takes the bit rate, for those with a `GrowingBitRate`."""

    _rate: GrowingBitRate  # set before aiortc's `__init__`, which sets `target_bitrate`

    @property
    def target_bitrate(self) -> int:
        """Bits per second. aiortc sets what the receiver has estimated."""
        return self._rate.current

    @target_bitrate.setter
    def target_bitrate(self, bitrate: int) -> None:
        self._rate.estimated(bitrate)
