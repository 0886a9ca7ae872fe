"""How far a job is, and what it did."""

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Progress:
    """How much of a file is done. total_frames: `None` if unknown.

    resumed: frames that an earlier run has filtered.
    """

    frames: int
    total_frames: int | None
    seconds: float
    dropped: int = 0
    resumed: int = 0

    @property
    def fps(self) -> float:
        """Frames per second since the start."""
        return (self.frames - self.resumed) / self.seconds if self.seconds > 0 else 0.0


OnProgress = Callable[[Progress], None]


@dataclass(frozen=True)
class VideoReport:
    """The result of a job.

    damaged: pieces of the input that could not be decoded. reused: frames equal to the one before,
    which were not filtered again. complete: False if Ctrl-C ended it early. resumed: frames that an
    earlier run has filtered.
    """

    source: str
    destination: str
    frames: int
    damaged: int
    seconds: float
    complete: bool = True
    reused: int = 0
    notices: tuple[str, ...] = ()
    resumed: int = 0
