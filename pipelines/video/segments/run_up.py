"""How many frames before a segment the filter must see to continue as if it had seen them all."""

import math
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from threading import Lock
from typing import Any, NamedTuple, TypeAlias, TypeVar

import av

from turbolens.filter import FilterSettings, TextureShift
from turbolens.pipelines.base import BatchFilter, FilterCallable, HasTextures, prefers_streams

from .manifest import TexturePlace

SEAM_LEVELS = 0.5  # mean difference at a seam that is allowed
FRESH_LEVELS = 16.0  # mean difference between a result without a past and one with it, at most
AHEAD = 512  # frames that may be filtered before an earlier one is written
PLACES = 8  # of textures that are remembered of a run-up
TEXTURE_FRAMES = 100  # after which textures, which follow the motion of all frames, have met
NOISE_FRAMES = 32  # frames after which the estimate of the camera's noise forgets its start

ItemT = TypeVar("ItemT")
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
    least = max(
        NOISE_FRAMES if settings.reuse_unchanged else 0,
        TEXTURE_FRAMES if settings.texture > 0 else 0,
    )
    if weight == 0.0:
        return least
    return max(least, math.ceil(math.log(SEAM_LEVELS / FRESH_LEVELS) / math.log(weight)))


class Batch(NamedTuple):
    """Frames that were filtered together.

    pts: of the first. new: how many were not reused. shift: of the textures before them.
    """

    pts: int
    new: int
    shift: TextureShift | None = None


class RunUpTracker:
    """Remembers at which frames a run-up of a given number of new frames would begin.

    frames: how many new frames a run-up has. Frames are added on one thread and may be asked for
    on another.
    """

    def __init__(self, frames: int) -> None:
        self._wanted = frames
        self._batches: deque[Batch] = deque()
        self._lock = Lock()
        self._new = 0

    def add(self, batch: Batch) -> None:
        """Add frames that were filtered together."""
        with self._lock:
            if not batch.new and self._batches:
                return  # a run-up that begins here would lack the result that was reused
            self._batches.append(batch)
            self._new += batch.new
            while self._new - self._batches[0].new > self._wanted + AHEAD:
                self._new -= self._batches.popleft().new

    def begin_before(self, pts: int) -> int:
        """The `pts` at which to begin filtering for a segment that begins at `pts`.

        The earliest frame known if there are too few new ones.
        """
        if not self._wanted:
            return pts
        with self._lock:
            batches = [each for each in self._batches if each.pts < pts]
        new = 0
        for batch in reversed(batches[:-1]):  # the last may reach beyond `pts`
            new += batch.new
            if new >= self._wanted:
                return batch.pts
        return batches[0].pts if batches else pts

    def textures_before(self, pts: int) -> tuple[TexturePlace, ...]:
        """Where textures were during the run-up of a segment that begins at `pts`.

        Several places, as the run-up's own motion is less exact at first, and what is held of the
        past should have them from the start.
        """
        begin = self.begin_before(pts)
        with self._lock:
            batches = [each for each in self._batches if begin < each.pts < pts]
        return places_of(batches)


def places_of(batches: Sequence[Batch]) -> tuple[TexturePlace, ...]:
    """Some of the places of textures, evenly spaced."""
    return tuple(
        TexturePlace(each.pts, *each.shift) for each in evenly(batches) if each.shift is not None
    )


def evenly(items: Sequence[ItemT]) -> Sequence[ItemT]:
    """At most `PLACES` of the items."""
    return items[:: math.ceil(len(items) / PLACES) or 1]


def place_textures(frame_filter: object, places: Iterable[TexturePlace]) -> None:
    """Let the textures of a filter be there when the frames come."""
    if isinstance(frame_filter, HasTextures):
        for each in places:
            frame_filter.place_textures(TextureShift(each.x, each.y), begin=each.pts)


def tracked(
    frame_filter: FilterCallable, tracker: RunUpTracker, look: Look = lambda _: None
) -> FilterCallable:
    """The same filter, whose frames are added to the tracker.

    look: called with each frame before it is filtered.
    """
    if prefers_streams(frame_filter):
        return _TrackedStream(frame_filter, tracker, look)
    if isinstance(frame_filter, BatchFilter):
        return _TrackedBatches(frame_filter, tracker, look)
    return _Tracked(frame_filter, tracker, look)


class _Tracked:
    def __init__(self, frame_filter: Any, tracker: RunUpTracker, look: Look) -> None:
        self._filter, self._tracker, self._look = frame_filter, tracker, look

    def __call__(self, frame: av.VideoFrame) -> av.VideoFrame:
        self._look(frame)
        reused, shift = self._reused, shift_of(self._filter)
        filtered: av.VideoFrame = self._filter(frame)
        self._tracker.add(Batch(frame.pts or 0, 1 - (self._reused - reused), shift))
        return filtered

    @property
    def _reused(self) -> int:
        return getattr(self._filter, "reused", 0)


class _TrackedBatches(_Tracked):
    def batch(self, frames: Sequence[av.VideoFrame]) -> list[av.VideoFrame]:
        """The filtered frames, in order."""
        for frame in frames:
            self._look(frame)
        reused, shift = self._reused, shift_of(self._filter)
        filtered: list[av.VideoFrame] = self._filter.batch(frames)
        new = len(frames) - (self._reused - reused)
        self._tracker.add(Batch(frames[0].pts or 0, new, shift))
        return filtered


class _TrackedStream(_TrackedBatches):
    """A filter whose frames overlap. When it takes a frame, all before the last are filtered."""

    prefers_streams = True

    def frames(self, frames: Iterable[av.VideoFrame]) -> Iterator[av.VideoFrame]:
        """The filtered frames, in order."""
        started: deque[_Started] = deque()

        def taken() -> Iterator[av.VideoFrame]:
            for frame in frames:
                self._note(started)
                self._look(frame)
                started.append(_Started(frame.pts or 0))
                yield frame
            self._note(started)

        yield from self._filter.frames(taken())
        self._note(started)

    def _note(self, started: "deque[_Started]") -> None:
        """Note what is known of the last two frames, before the next one is taken."""
        shift, reused = shift_of(self._filter), self._reused
        if len(started) > 1 or (started and started[0].reused is not None):
            first = started.popleft()
            assert first.reused is not None  # noqa: S101 - noted when the second was taken
            self._tracker.add(Batch(first.pts, 1 - (reused - first.reused), first.shift))
        if started:
            started[0].shift, started[0].reused = shift, reused


@dataclass
class _Started:
    """A frame that is filtered. shift, reused: before it."""

    pts: int
    shift: TextureShift | None = None
    reused: int | None = None


def shift_of(frame_filter: object) -> TextureShift | None:
    """How far a filter's textures have moved so far."""
    return frame_filter.texture_shift if isinstance(frame_filter, HasTextures) else None
