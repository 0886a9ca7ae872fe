"""Where textures lie when a segment begins, which only the segments before it can tell.

Segments are filtered at the same time, so each one's motion is followed first, without filtering.
`TextureChain` adds it up.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import av

from turbolens.pipelines.base import FrameOrPacket
from turbolens.pipelines.video.pipeline import FilterPipeline
from turbolens.pipelines.video.segments.manifest import TexturePlace
from turbolens.pipelines.video.segments.run_up import evenly

from .parcels import Parcel, ParcelReader


class Move(NamedTuple):
    """How far textures have moved before the frame of this `pts`, see `TextureShift`.

    is_whole: True if counted from a scene cut or the video's beginning, else from the beginning of
    the segment's run-up.
    """

    pts: int
    x: float
    y: float
    is_whole: bool


@dataclass(frozen=True)
class SegmentMotion:
    """How textures move in a segment.

    moves: before each frame from its run-up on, and before the one after its end. run_up: of how
    many frames the next segment needs its places. seconds: how long the worker took;
    processor_seconds: of all its threads together.
    """

    moves: tuple[Move, ...]
    run_up: int
    seconds: float = 0.0
    processor_seconds: float = 0.0


def motion_of(frame_filter: Any, parcel: Parcel) -> SegmentMotion:
    """Follow the frames of a segment that has an end. frame_filter: a fresh `FrameFilter`.

    Raises as filtering does.
    """
    assert parcel.end is not None  # noqa: S101 - nothing follows the last segment
    reader = ParcelReader(parcel, parcel.run_ups[0] if parcel.run_ups else None, lambda _: None)
    following = _Following(frame_filter, is_whole=parcel.begin is None)
    FilterPipeline(reader, following, _Nowhere(), batch=parcel.batch).run()
    moves = (*following.moves, following.before(parcel.end))
    return SegmentMotion(moves, max(1, parcel.new_frames))


class _Following:
    """A frame filter that notes how textures move, and returns the frames as they are."""

    def __init__(self, frame_filter: Any, *, is_whole: bool) -> None:
        self._filter, self._is_whole = frame_filter, is_whole
        self._x = self._y = 0.0
        self.moves: list[Move] = []

    def before(self, pts: int) -> Move:
        """The move before the next frame, which has this `pts`."""
        return Move(pts, self._x, self._y, self._is_whole)

    def __call__(self, frame: av.VideoFrame) -> av.VideoFrame:
        return self.batch([frame])[0]

    def batch(self, frames: Sequence[av.VideoFrame]) -> list[av.VideoFrame]:
        """The same frames."""
        for frame, (shift, is_new) in zip(frames, self._filter.follow(frames), strict=True):
            is_first = not self.moves
            self.moves.append(self.before(frame.pts or 0))
            self._is_whole = self._is_whole or (is_new and not is_first)
            self._x, self._y = shift
        return list(frames)


class _Nowhere:
    """A `Writer` that writes nothing."""

    def write(self, item: FrameOrPacket) -> None:
        pass

    def finish(self) -> None:
        pass

    def discard(self) -> None:
        pass


class TextureChain:
    """The places of textures before each segment of a file, as far as they are known.

    known: those before the segments of these indices; without any, textures begin anew there.
    """

    def __init__(self, known: Mapping[int, Sequence[TexturePlace]]) -> None:
        self._known = {0: (), **{index: tuple(places) for index, places in known.items()}}
        self._motions: dict[int, SegmentMotion] = {}

    def before(self, index: int) -> tuple[TexturePlace, ...] | None:
        """The places in the run-up of this segment and at its beginning; `None` if unknown."""
        return self._known.get(index)

    def has(self, index: int) -> bool:
        """True if the motion of this segment is not needed any more."""
        return index in self._motions or index + 1 in self._known

    def add(self, index: int, motion: SegmentMotion) -> None:
        """Add the motion of a segment."""
        self._motions[index] = motion
        while index in self._known and index in self._motions:
            places = _places(self._motions.pop(index), self._known[index])
            self._known.setdefault(index + 1, places)
            index += 1


def _places(motion: SegmentMotion, before: Sequence[TexturePlace]) -> tuple[TexturePlace, ...]:
    """The places at the end of a segment. before: those before it."""
    x = y = 0.0
    if before:
        known = before[-1]
        own = next((each for each in motion.moves if each.pts >= known.pts), motion.moves[-1])
        x, y = known.x - own.x, known.y - own.y
    *moves, end = motion.moves
    return tuple(
        TexturePlace(each.pts, each.x, each.y) if each.is_whole
        else TexturePlace(each.pts, each.x + x, each.y + y)
        for each in (*evenly(moves[-motion.run_up :]), end)
    )  # fmt: skip
