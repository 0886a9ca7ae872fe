"""Cuts a file into segments, each with the packets that a worker needs for it."""

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from fractions import Fraction
from typing import Any

import av

from turbolens.filter.errors import MediaError
from turbolens.pipelines.base import Notify
from turbolens.pipelines.video.container import VideoContainer
from turbolens.pipelines.video.decoding import DecodingTimes, decoder_of
from turbolens.pipelines.video.preparation import PreparationState
from turbolens.pipelines.video.segments.cutter import InputCutter
from turbolens.pipelines.video.segments.encoder import EncoderSetup
from turbolens.pipelines.video.segments.manifest import ResumePoint
from turbolens.pipelines.video.segments.packet_file import packet_record
from turbolens.pipelines.video.segments.reader import FrameReader

from .parcels import Parcel, StreamParameters, UnknownTimesError

ALIGNMENT = 12  # frames; run-ups begin where a batch does in a run in one piece (1, 2, 3 or 4)
LONGER = (4, 16)  # times the run-up, for a scene that stands still
EXTRA_BYTES = 4 << 20  # of packets for a longer run-up, at most
MAX_BYTES = 1 << 30  # of the packets of a segment


@dataclass(frozen=True)
class PlannedSegment:
    """One segment. index: its place. following: where the next one begins, `None` for the last.

    unread: pieces of the file that could not be read.
    """

    index: int
    parcel: Parcel
    following: ResumePoint | None
    unread: int = 0

    @property
    def pts(self) -> int:
        """Of the first frame; of the first segment less than any."""
        return -(2**63) if self.parcel.begin is None else self.parcel.begin


@dataclass(frozen=True)
class PlanOptions:
    """How to cut. run_up: number of frames, `None`: one segment. batch: see `FilterPipeline`."""

    seconds: Fraction
    run_up: int | None
    batch: int | None = None

    @property
    def alignment(self) -> int:
        """Run-ups begin at multiples of this number of frames."""
        return ALIGNMENT if self.batch is None else self.batch


@dataclass(frozen=True)
class _Begin:
    """Where a segment begins; without `point`, at the video's first frame."""

    point: ResumePoint | None = None
    run_ups: tuple[int, ...] = ()
    preparation: PreparationState = field(default_factory=PreparationState)


@dataclass(frozen=True)
class _Record:
    number: int
    content: bytes
    pts: int | None
    is_discarded: bool


class SegmentPlanner(FrameReader):
    """Reads and decodes a file once, and gives its segments. Use `open_at`."""

    def __init__(self, container: VideoContainer, notify: Notify) -> None:
        super().__init__(container, notify)
        self._records: deque[_Record] = deque()
        self._bytes = 0
        self._recent: deque[int] = deque()  # pts of the last frames
        self._frames_seen = 0

    def _packets(self) -> Iterator[Any]:
        for packet in super()._packets():
            record = _Record(self._count - 1, packet_record(packet), packet.pts, packet.is_discard)
            self._records.append(record)
            self._bytes += len(record.content)
            if self._bytes > MAX_BYTES:
                raise MediaError(
                    f"{self._container.name}: a segment has more than a GiB of packets; choose a "
                    "shorter --segment-length, or filter it without --cluster"
                )
            yield packet

    def opening(self, setup: EncoderSetup) -> Parcel:
        """The packets up to the first frame."""
        return Parcel(
            self._parameters(self._preparation.state), setup.portable, self._content(0),
            self._discarded(0),
        )  # fmt: skip

    def segments(
        self, setup: EncoderSetup, options: PlanOptions, *, index: int = 0, frames: int = 0
    ) -> Iterator[PlannedSegment]:
        """The segments, from the one at which the planner was opened on.

        index: of that one. frames: how many frames of the video lie before it. Raises
        `UnknownTimesError` if a segment cannot be decoded apart from the others.
        """
        self._frames_seen, unread = frames, 0
        cutter = InputCutter(options.seconds, None if self._begin is None else self._begin.pts)
        segment = _Begin(preparation=replace(self._preparation.state, interlaced=False))
        if options.run_up is None and self._span.is_whole:
            self._decoding.is_done = True  # nothing is cut: the packets are enough
        for frame in self._frames_of_segments(self._begin):
            cutter.look(frame)
            if options.run_up is None or not cutter.begins_segment(frame):
                continue
            pts = frame.pts or 0
            if self._frames_seen - 1 > frames:
                following = self._begin_at(pts, options)
                yield PlannedSegment(
                    index, self._parcel(setup, options, segment, end=pts), following.point,
                    self._failed_reads - unread,
                )  # fmt: skip
                index, segment, unread = index + 1, following, self._failed_reads
                self._forget(self.key_frame_before(following.run_ups[-1]))
            elif self._begin is not None:
                segment = self._begin_at(pts, options)
        parcel = self._parcel(setup, options, segment, end=None)
        yield PlannedSegment(index, parcel, None, self._failed_reads - unread)

    def _frames_of_segments(self, begin: ResumePoint | None) -> Iterator[av.VideoFrame]:
        """The frames without those of the first run-up, whose times are remembered all the same."""
        for frame in self:
            assert isinstance(frame, av.VideoFrame)  # noqa: S101 - see `FrameReader`
            self._recent.append(frame.pts or 0)
            if begin is None or (frame.pts or 0) >= begin.pts:
                self._frames_seen += 1
                yield frame

    def _begin_at(self, pts: int, options: PlanOptions) -> "_Begin":
        """The beginning of a segment at the current frame."""
        if not self._exact or self._decoding.repaired:
            raise UnknownTimesError("times are missing or wrong")
        wanted = options.run_up or 0
        before = self._frames_seen - 1
        earliest = self._earliest_run_up()
        run_ups: list[int] = []
        for frames in (wanted, *(wanted * times for times in LONGER)):
            target = max(0, before - frames) // options.alignment * options.alignment
            place = max(len(self._recent) - 1 - (before - target), earliest)
            run_up = pts if not wanted else self._recent[place]
            if run_ups and (run_up == run_ups[-1] or self._is_too_much(run_ups[0], run_up)):
                break
            run_ups.append(run_up)
        self._trim_recent(wanted, options)
        point = ResumePoint(pts, run_ups[-1], self.key_frame_before(run_ups[-1]))
        return _Begin(point, tuple(run_ups), self._preparation.state)

    def _earliest_run_up(self) -> int:
        """The place among the recent frames of the first one that can be decoded."""
        number = self._records[0].number
        first = next((key for key, at in self._key_frames if at >= number), None)
        if first is None:
            return 0
        return next((place for place, pts in enumerate(self._recent) if pts >= first), 0)

    def _is_too_much(self, run_up: int, longer: int) -> bool:
        first, last = self.key_frame_before(longer), self.key_frame_before(run_up)
        extra = (len(each.content) for each in self._records if first <= each.number < last)
        return sum(extra) > EXTRA_BYTES

    def _trim_recent(self, wanted: int, options: PlanOptions) -> None:
        limit = wanted * LONGER[-1] + options.alignment + 1
        while len(self._recent) > limit:
            self._recent.popleft()

    def _forget(self, number: int) -> None:
        """Forget the packets before this one."""
        while self._records and self._records[0].number < number:
            self._bytes -= len(self._records.popleft().content)

    def _parcel(
        self,
        setup: EncoderSetup,
        options: PlanOptions,
        begin: "_Begin",
        *,
        end: int | None,
    ) -> Parcel:
        first = 0 if begin.point is None else begin.point.packet
        return Parcel(
            self._parameters(begin.preparation), setup.portable, self._content(first),
            self._discarded(first), None if begin.point is None else begin.point.pts,
            begin.run_ups, options.run_up or 0, end, batch=options.batch,
        )  # fmt: skip

    def _content(self, first: int) -> bytes:
        return b"".join(each.content for each in self._records if each.number >= first)

    def _discarded(self, first: int) -> frozenset[int]:
        return frozenset(
            each.pts for each in self._records
            if each.is_discarded and each.pts is not None and each.number >= first
        )  # fmt: skip

    def _parameters(self, preparation: PreparationState) -> StreamParameters:
        container = self._container
        return StreamParameters.of(
            decoder_of(self._video), self._video, times=DecodingTimes.of(container),
            cropping=container.cropping, preparation=preparation,
        )  # fmt: skip
