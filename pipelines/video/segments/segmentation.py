"""Which videos are divided into segments, and how."""

from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path

from turbolens.pipelines.video.media import OpenInput
from turbolens.pipelines.video.outputs import Output, VideoOutput

from .identity import Identity

SEGMENT_SECONDS = Fraction(20)
MIN_SEGMENTS = 3  # shorter inputs stay in one piece


@dataclass(frozen=True)
class Segmentation:
    """How a long video is divided, and when an interrupted run goes on.

    seconds: the length of a segment; 0: one piece. resume: False to begin anew. run_up: the number
    of frames that the filter needs to know of the past, `None` if no number is enough, so that the
    video stays in one piece. identity: what the frame filter's results depend on besides the input.
    """

    seconds: Fraction = SEGMENT_SECONDS
    resume: bool = True
    run_up: int | None = 0
    identity: Identity = field(default_factory=dict)

    def divides(self, opened: OpenInput, output: Output) -> bool:
        """True if this input is a video file that is long enough, and becomes a file."""
        container = opened.container
        if container is None or opened.total_frames is None:
            return False
        if not self.seconds or self.run_up is None or not isinstance(output, VideoOutput):
            return False
        is_file = Path(container.name).is_file() and output.destination.is_regular
        return is_file and opened.total_frames / container.rate >= MIN_SEGMENTS * self.seconds
