"""`Workload`: how many frames a module still gets, and whether a preparation pays for them."""

# What is assumed of a backend that was never tried here, measured with OpenVINO on two cores. The
# embedded UNet took 1.0 s to convert, 0.8 s to try in another process and 0.3 s to compile.
_NEW_COST_S = 1.5
_NEW_COST_CALLS = 10.0  # in addition, in calls: large networks take longer
_NEW_SAVING = 0.4  # share of the time of a call
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

    def pays_again(self, prepare_s: float, saved_s: float) -> bool:
        """True if a backend that won before is worth its preparation. saved_s: for each frame."""
        return saved_s * self.remaining > _MARGIN * prepare_s

    def pays_to_try(self, frame_s: float | None) -> bool:
        """True if a backend that was never tried here is likely to save more than it costs.

        frame_s: seconds for a frame so far, `None` if not yet measured.
        """
        if frame_s is None:
            return False
        cost_s = _NEW_COST_S + _NEW_COST_CALLS * frame_s
        return self.pays_again(cost_s, _NEW_SAVING * frame_s)
