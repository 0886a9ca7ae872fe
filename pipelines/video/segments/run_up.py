"""How many frames before a segment the filter must see to continue as if it had seen them all."""

import math
from collections import deque
from collections.abc import Callable, Sequence
from threading import Lock
from typing import Any, TypeAlias

import av

from turbolens.filter import FilterSettings
from turbolens.pipelines.base import BatchFilter, FilterCallable

SEAM_LEVELS = 0.5  # mean difference at a seam that is allowed
FRESH_LEVELS = 16.0  # mean difference between a result without a past and one with it, at most
AHEAD = 512  # frames that may be filtered before an earlier one is written
NOISE_FRAMES = 32  # frames after which the estimate of the camera's noise forgets its start

Look: TypeAlias = Callable[[av.VideoFrame], None]


def run_up_frames(settings: FilterSettings) -> int | None:
    """The number of new frames to filter before a segment. `None` if no number is enough.

    Blending with weight w leaves wⁿ of a difference after n frames. Frames that count as unchanged
    are not new. Cross-frame attention keeps an anchor frame, and advected noise its way, for as
    long as a scene lasts.
    """
    if settings.cross_frame != "off" or settings.noise == "advected" or settings.feedback > 0:
        return None
    weight = max(settings.weight_before, settings.weight_after)
    noise = NOISE_FRAMES if settings.reuse_unchanged else 0
    if weight == 0.0:
        return noise
    return max(noise, math.ceil(math.log(SEAM_LEVELS / FRESH_LEVELS) / math.log(weight)))


class RunUpTracker:
    """Remembers at which frames a run-up of a given number of new frames would begin.

    frames: how many new frames a run-up has. Frames are added on one thread and may be asked for
    on another.
    """

    def __init__(self, frames: int) -> None:
        self._wanted = frames
        self._batches: deque[tuple[int, int]] = deque()  # first pts and number of new frames
        self._lock = Lock()
        self._new = 0

    def add(self, pts: int, new: int) -> None:
        """Add frames that were filtered together. pts: of the first. new: those not reused."""
        with self._lock:
            if not new and self._batches:
                return  # a run-up that begins here would lack the result that was reused
            self._batches.append((pts, new))
            self._new += new
            while self._new - self._batches[0][1] > self._wanted + AHEAD:
                self._new -= self._batches.popleft()[1]

    def begin_before(self, pts: int) -> int:
        """The `pts` at which to begin filtering for a segment that begins at `pts`.

        The earliest frame known if there are too few new ones.
        """
        if not self._wanted:
            return pts
        with self._lock:
            batches = [each for each in self._batches if each[0] < pts]
        new = 0
        for first, count in reversed(batches[:-1]):  # the last may reach beyond `pts`
            new += count
            if new >= self._wanted:
                return first
        return batches[0][0] if batches else pts


def tracked(
    frame_filter: FilterCallable, tracker: RunUpTracker, look: Look = lambda _: None
) -> FilterCallable:
    """The same filter, whose frames are added to the tracker.

    look: called with each frame before it is filtered.
    """
    if isinstance(frame_filter, BatchFilter):
        return _TrackedBatches(frame_filter, tracker, look)
    return _Tracked(frame_filter, tracker, look)


class _Tracked:
    def __init__(self, frame_filter: Any, tracker: RunUpTracker, look: Look) -> None:
        self._filter, self._tracker, self._look = frame_filter, tracker, look

    def __call__(self, frame: av.VideoFrame) -> av.VideoFrame:
        self._look(frame)
        reused = self._reused
        filtered: av.VideoFrame = self._filter(frame)
        self._tracker.add(frame.pts or 0, 1 - (self._reused - reused))
        return filtered

    @property
    def _reused(self) -> int:
        return getattr(self._filter, "reused", 0)


class _TrackedBatches(_Tracked):
    def batch(self, frames: Sequence[av.VideoFrame]) -> list[av.VideoFrame]:
        """The filtered frames, in order."""
        for frame in frames:
            self._look(frame)
        reused, pts = self._reused, frames[0].pts or 0
        filtered: list[av.VideoFrame] = self._filter.batch(frames)
        self._tracker.add(pts, len(frames) - (self._reused - reused))
        return filtered
