"""`Workload`: how many frames a module still gets, and whether a preparation pays for them."""

# What a backend costs that was never tried here, measured with OpenVINO on two cores. The embedded
# UNet took 1.0 s to convert, 0.8 s to try in another process, 0.3 s to compile, 0.7 s to compare.
_NEW_COST_S = 2.5
_NEW_COST_FRAMES = 10.0  # in addition, in frames so far: large networks take longer
_FEWEST = 16  # frames for which it is worth to look for results of trials: 0.1 s
_MARGIN = 1.5  # by which the time saved must exceed the cost


class Workload:
    """Counts the frames of one module. expected: how many come in all, as far as known."""

    def __init__(self, expected: int) -> None:
        self._expected, self._done = expected, 0

    def count(self, frames: int) -> None:
        """Add the frames of a call."""
        self._done += frames

    @property
    def remaining(self) -> int:
        """The frames to come. After more than were expected: as many again."""
        return self._expected - self._done if self._done < self._expected else self._done

    @property
    def nearly_done(self) -> bool:
        """True if so few frames remain that no preparation pays."""
        return self.remaining < _FEWEST

    def pays_again(self, prepare_s: float, saved_s: float) -> bool:
        """True if a backend that won before is worth its preparation. saved_s: for each frame."""
        return saved_s * self.remaining > _MARGIN * prepare_s

    def pays_to_try(self, frame_s: float | None, saving: float) -> bool:
        """True if a backend that was never tried here is likely to save more than it costs.

        frame_s: seconds for a frame so far, `None` if not yet measured. saving: the share of it
        that the backend is likely to save.
        """
        if frame_s is None:
            return False
        cost_s = _NEW_COST_S + _NEW_COST_FRAMES * frame_s
        return self.pays_again(cost_s, saving * frame_s)
