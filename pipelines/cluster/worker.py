"""A worker: holds the model, and filters and encodes one segment after the other."""

import os
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any, TypeAlias

import av
import cv2

from turbolens.filter import FilterSettings
from turbolens.filter.errors import MediaError, TurbolensError
from turbolens.pipelines.base import (
    BatchFilter,
    FilterCallable,
    FrameOrPacket,
    Notify,
    prefers_streams,
)
from turbolens.pipelines.filter_identity import filter_identity
from turbolens.pipelines.model_choice import ModelChoice, load_filter, require_looks
from turbolens.pipelines.video.pipeline import FilterPipeline
from turbolens.pipelines.video.segments.encoder import SegmentEncoder
from turbolens.pipelines.video.segments.first_frame import FirstFrame
from turbolens.pipelines.video.segments.identity import Identity
from turbolens.pipelines.video.segments.packet_file import PacketBuffer
from turbolens.pipelines.video.segments.run_up import place_textures, run_up_frames
from turbolens.pipelines.video.segments.writer import OpenSegment

from .motion import SegmentMotion, motion_of
from .parcels import EncodedSegment, Parcel, ParcelReader


@dataclass(frozen=True)
class LoadedFilter:
    """A frame filter with a method `reset`, and what is known of it.

    identity: what its results depend on besides the frames, see `filter_identity`. run_up: see
    `run_up_frames`. has_textures: see `FrameFilter`.
    """

    frame_filter: Any
    identity: Identity
    run_up: int | None = 0
    has_textures: bool = False


NO_DTYPES: Mapping[str, str] = MappingProxyType({})

Load: TypeAlias = Callable[[Mapping[str, str]], LoadedFilter]
"""Makes a frame filter on a worker's machine. It must be possible to pickle it.

It is given the dtypes that other workers have chosen, by device, see `ModelChoice.with_dtypes`.
"""


@dataclass(frozen=True)
class WorkerReport:
    """What a worker is once it has started.

    process: its number on its node, by which a restart is noticed. refusal: why it cannot work.
    identity, run_up, has_textures: see `LoadedFilter`.
    """

    process: int
    refusal: str = ""
    identity: Identity | None = None
    run_up: int | None = None
    has_textures: bool = False


class SegmentWorker:
    """Filters and encodes segments. It remembers nothing of one for the next.

    load: makes the frame filter.
    """

    def __init__(self, load: Load) -> None:
        self._load = load
        self._filter: Any = None

    def process(self) -> int:
        """The number of its process."""
        return os.getpid()

    def report(self, dtypes: Mapping[str, str] = NO_DTYPES) -> WorkerReport:
        """Load the model and tell of it. dtypes: see `Load`."""
        try:
            loaded = self._load(dtypes)
        except TurbolensError as error:
            return WorkerReport(os.getpid(), refusal=str(error))
        self._filter = loaded.frame_filter
        return WorkerReport(os.getpid(), "", loaded.identity, loaded.run_up, loaded.has_textures)

    def _prepare(self, dtypes: Mapping[str, str]) -> None:
        """Forget the past. A worker that was restarted while it was idle loads its model here."""
        if self._filter is None:
            self._filter = self._load(dtypes).frame_filter
        self._filter.reset()

    def first_frame(self, parcel: Parcel, dtypes: Mapping[str, str] = NO_DTYPES) -> FirstFrame:
        """What the video's first frame becomes. parcel: with the packets up to that frame."""
        self._prepare(dtypes)
        for frame in ParcelReader(parcel, None, lambda _: None):
            filtered = self._filter(frame)
            filtered.pts, filtered.time_base = frame.pts, frame.time_base
            return FirstFrame.of(filtered)
        raise MediaError(f"{parcel.setup.info.name} holds no frame that could be decoded")

    def follow(self, parcel: Parcel, dtypes: Mapping[str, str] = NO_DTYPES) -> SegmentMotion:
        """How textures move in a segment, found without filtering. Raises `MediaError`."""
        begun, used = time.monotonic(), time.process_time()
        self._prepare(dtypes)
        motion = motion_of(self._filter, parcel)
        return replace(
            motion, seconds=time.monotonic() - begun, processor_seconds=time.process_time() - used
        )

    def encode(self, parcel: Parcel, dtypes: Mapping[str, str] = NO_DTYPES) -> EncodedSegment:
        """Filter and encode a segment.

        If the run-up has too many repetitions, a longer one is tried. Raises `MediaError`.
        """
        begun, used = time.monotonic(), time.process_time()
        self._prepare(dtypes)
        *shorter, longest = parcel.run_ups or (None,)
        for run_up in shorter:
            encoded = self._encode(parcel, run_up, new_frames=parcel.new_frames)
            if encoded is not None:
                break
        else:
            encoded = self._encode(parcel, longest, new_frames=0)
        assert encoded is not None  # noqa: S101 - without a demand for new frames
        return replace(
            encoded, seconds=time.monotonic() - begun, processor_seconds=time.process_time() - used
        )

    def _batch_of(self, parcel: Parcel) -> int | None:
        """As for a run in one piece, so that pictures are the same bit for bit."""
        is_stream = parcel.batch is None and prefers_streams(self._filter)
        return 1 if is_stream else parcel.batch

    def _encode(
        self, parcel: Parcel, run_up: int | None, *, new_frames: int
    ) -> EncodedSegment | None:
        """`None` if the run-up has too few new frames."""
        notices: list[str] = []
        self._filter.reset()
        place_textures(self._filter, parcel.textures)
        reader = ParcelReader(parcel, run_up, notices.append)
        writer = _SegmentCollector(parcel, notices.append)
        frame_filter = _observed(self._filter, _RunUp(parcel.begin, new_frames))
        try:
            FilterPipeline(reader, frame_filter, writer, batch=self._batch_of(parcel)).run()
        except _TooFewNewFrames:
            return None
        assert writer.segment is not None  # noqa: S101 - `finish` has checked it
        assert writer.first is not None  # noqa: S101
        return EncodedSegment(
            writer.segment.file.content, writer.segment.frames, writer.parameters, writer.first,
            reader.damaged, frame_filter.seconds, notices=tuple(dict.fromkeys(notices)),
        )  # fmt: skip


def load_chosen(
    choice: ModelChoice, settings: FilterSettings, dtypes: Mapping[str, str] = NO_DTYPES
) -> LoadedFilter:
    """The frame filter of this choice. Raises as `load_filter`."""
    _keep_to_the_cores()
    choice = choice.with_dtypes(dtypes)
    require_looks(choice, settings)
    frame_filter = load_filter(choice, settings)
    identity = filter_identity(frame_filter, choice, {})
    return LoadedFilter(
        frame_filter, dict(identity), run_up_frames(frame_filter.settings),
        frame_filter.has_textures,
    )  # fmt: skip


def _keep_to_the_cores() -> None:
    """Let OpenCV use the cores that the worker has. Ray tells only torch how many these are."""
    cores = os.environ.get("OMP_NUM_THREADS", "")
    if cores.isdecimal():
        cv2.setNumThreads(int(cores))


class _TooFewNewFrames(Exception):  # noqa: N818 - not an error
    """The run-up has too many frames that repeat the one before."""


class _RunUp:
    """Counts the new frames before a segment. begin: the `pts` of its first frame."""

    def __init__(self, begin: int | None, wanted: int) -> None:
        self._begin, self._wanted, self._new = begin, wanted, 0

    def check(self, frames: Sequence[av.VideoFrame]) -> None:
        """Raise `_TooFewNewFrames` if the segment begins among these frames too early."""
        if self._begin is None or (frames[-1].pts or 0) < self._begin:
            return
        self._begin = None
        if self._new < self._wanted:
            raise _TooFewNewFrames

    def add(self, new: int) -> None:
        """Add frames that were filtered."""
        self._new += new


def _observed(frame_filter: FilterCallable, run_up: _RunUp) -> "_Observed":
    if isinstance(frame_filter, BatchFilter):
        return _ObservedBatches(frame_filter, run_up)
    return _Observed(frame_filter, run_up)


class _Observed:
    """A frame filter that counts new frames and takes the time. seconds: spent in the filter."""

    def __init__(self, frame_filter: Any, run_up: _RunUp) -> None:
        self._filter, self._run_up = frame_filter, run_up
        self.seconds = 0.0

    def __call__(self, frame: av.VideoFrame) -> av.VideoFrame:
        return self._observe([frame], lambda: [self._filter(frame)])[0]

    def _observe(
        self, frames: Sequence[av.VideoFrame], call: Callable[[], list[av.VideoFrame]]
    ) -> list[av.VideoFrame]:
        self._run_up.check(frames)
        begun, reused = time.monotonic(), getattr(self._filter, "reused", 0)
        filtered = call()
        self.seconds += time.monotonic() - begun
        self._run_up.add(len(frames) - (getattr(self._filter, "reused", 0) - reused))
        return filtered


class _ObservedBatches(_Observed):
    def batch(self, frames: Sequence[av.VideoFrame]) -> list[av.VideoFrame]:
        """The filtered frames, in order."""
        return self._observe(frames, lambda: self._filter.batch(frames))


class _SegmentCollector:
    """A `Writer` that encodes the frames of a segment into memory. first: see `FirstFrame`."""

    def __init__(self, parcel: Parcel, notify: Notify) -> None:
        self._parcel, self._notify = parcel, notify
        self.first = parcel.first
        self.segment: OpenSegment[PacketBuffer] | None = None
        self.parameters = ""

    def write(self, item: FrameOrPacket) -> None:
        """Encode a frame, unless it belongs to the run-up."""
        assert isinstance(item, av.VideoFrame)  # noqa: S101 - a parcel has one stream
        begin, pts = self._parcel.begin, item.pts or 0
        if begin is not None and pts < begin:
            return
        if self.segment is None:
            if begin is not None and pts > begin:
                raise MediaError(
                    f"{self._parcel.setup.info.name}: the frame at which a segment begins cannot be"
                    " decoded there; filter this file without --cluster"
                )
            self.first = self.first or FirstFrame.of(item)
            encoder = SegmentEncoder(self._parcel.setup, self.first, self._notify)
            self.segment = OpenSegment(encoder, PacketBuffer())
        self.segment.write(item)

    def finish(self) -> None:
        """Flush and close the encoder. Raises `MediaError` if there was no frame."""
        if self.segment is None:
            raise MediaError(f"{self._parcel.setup.info.name} holds no frame that could be decoded")
        self.segment.write(None)
        self.parameters = self.segment.encoder.parameters
        self.segment.encoder.close()

    def discard(self) -> None:
        """Close the encoder."""
        if self.segment is not None:
            self.segment.encoder.close()
