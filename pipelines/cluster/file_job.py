"""One file on the driver: its segments to come, those that are finished, and the output."""

import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from fractions import Fraction
from typing import Any

from turbolens.filter.errors import MediaError
from turbolens.pipelines.video.container import VideoContainer
from turbolens.pipelines.video.job import VideoJob
from turbolens.pipelines.video.outputs import VideoOutput
from turbolens.pipelines.video.report import VideoReport
from turbolens.pipelines.video.segments.assembly import write_output
from turbolens.pipelines.video.segments.encoder import EncoderSetup
from turbolens.pipelines.video.segments.first_frame import FirstFrame
from turbolens.pipelines.video.segments.identity import Identity
from turbolens.pipelines.video.segments.job import job_identity, once
from turbolens.pipelines.video.segments.manifest import Manifest, ResumePoint, Segment, SegmentAhead
from turbolens.pipelines.video.segments.parts import Parts, name_of, stored_identity
from turbolens.pipelines.video.segments.segmentation import MIN_SEGMENTS, Segmentation

from .motion import SegmentMotion, TextureChain
from .nodes import LOCAL_ONLY
from .parcels import EncodedSegment, Parcel, UnknownTimesError
from .planning import PlannedSegment, PlanOptions, SegmentPlanner


@dataclass(eq=False)
class SegmentTask:
    """A segment that a worker is to encode, or, without `planned`, the first frame of a file.

    Where textures move with the picture, the segment's motion is followed before it is encoded.
    failures: how often it has failed, by the reason.
    """

    file: "ClusterFile"
    parcel: Parcel
    planned: PlannedSegment | None = None
    failures: Counter[str] = field(default_factory=Counter)

    @property
    def method(self) -> str:
        """The method of `SegmentWorker` that comes next."""
        if self.planned is None:
            return "first_frame"
        chain, is_last = self.file.textures, self.planned.following is None
        follows = chain is not None and not is_last and not chain.has(self.planned.index)
        return "follow" if follows else "encode"

    @property
    def is_ready(self) -> bool:
        """False if a segment before it, or the first frame, must be known first."""
        if self.planned is None or self.method == "follow":
            return True
        chain, needs_first = self.file.textures, self.parcel.begin is not None
        if needs_first and self.file.first is None:
            return False
        return chain is None or chain.before(self.planned.index) is not None

    @property
    def argument(self) -> Parcel:
        """What that method takes."""
        if self.planned is None or self.method == "follow":
            return self.parcel
        chain = self.file.textures
        places = () if chain is None else chain.before(self.planned.index) or ()
        return replace(self.parcel, first=self.file.first, textures=places)


class ClusterFile:
    """One file whose segments are filtered by workers.

    `tasks` runs on the thread that plans, all else on the one that schedules. is_planned: True once
    all tasks were given. failed: True after an error that ended the file. textures: `None` without
    any that move.
    """

    def __init__(self, job: VideoJob, notice: Callable[["ClusterFile", str], None]) -> None:
        self.job, self._notify = job, once(self._note)
        self._notice = notice
        self.notices: list[str] = []
        self._parts: Parts | None = None
        self.textures: TextureChain | None = None
        self.is_planned = self.failed = False
        self._given = self._stored = self.resumed = 0  # of tasks; one thread counts each
        self.frames, self.total_frames = 0, 0
        self.segments = 0
        self._begun = time.monotonic()

    def _note(self, text: str) -> None:
        self.notices.append(text)
        self._notice(self, text)

    @property
    def parts(self) -> Parts:
        """Its finished segments. Known once the first task was given."""
        assert self._parts is not None  # noqa: S101
        return self._parts

    @property
    def first(self) -> FirstFrame | None:
        """What the first frame becomes, `None` if no worker has told yet."""
        return self.parts.manifest.first_frame

    def tasks(
        self, segmentation: Segmentation, *, run_up: int | None, has_textures: bool = False
    ) -> Iterator[SegmentTask]:
        """Open the file and give the tasks that are not done. Raises `MediaError`.

        run_up, has_textures: see `LoadedFilter`.
        """
        container = self._container()
        try:
            self._open_parts(container, segmentation.identity, resume=segmentation.resume)
            self.textures = _chain(self.parts.manifest) if has_textures else None
            yield from self._tasks(container, segmentation, run_up)
        except UnknownTimesError as error:
            raise self.unknown_times() from error
        finally:
            container.close()
        self.is_planned = True

    def unknown_times(self) -> MediaError:
        """The error for a file that can be decoded only from its beginning."""
        return MediaError(
            f"{self.job.source} has frames whose times are missing or wrong, so that it must be"
            " read in one piece; filter it without --cluster"
        )

    def _container(self) -> VideoContainer:
        opened = self.job.take_input()
        container, output = opened.container, self.job.output
        is_file = isinstance(output, VideoOutput) and output.destination.is_regular
        if container is None or opened.total_frames is None or not is_file:
            opened.close()
            raise MediaError(
                f"a cluster takes video files and makes video files; filter {self.job.source}"
                " without --cluster"
            )
        self.total_frames = opened.total_frames
        return container

    def _open_parts(self, container: VideoContainer, identity: Identity, *, resume: bool) -> None:
        job, output = self.job, self._output.destination.final
        found = stored_identity(output) or {}
        machine = {name: found[name] for name in LOCAL_ONLY if name in found}
        self._parts = Parts(
            output, {**job_identity(container.name, job.options, identity), **machine},
            resume=resume, must_resume=job.replaces_partial, notify=self._notify,
        )  # fmt: skip
        self.resumed = self.frames = self._stored_frames
        if self.resumed:
            self._notify(f"going on after {self.resumed} frames, finished in {self.parts.folder}")

    @property
    def _output(self) -> VideoOutput:
        output = self.job.output
        assert isinstance(output, VideoOutput)  # noqa: S101 - checked by `_container`
        return output

    @property
    def _stored_frames(self) -> int:
        manifest = self.parts.manifest
        return manifest.frames + sum(each.segment.frames for each in manifest.ahead)

    def _tasks(
        self, container: VideoContainer, segmentation: Segmentation, run_up: int | None
    ) -> Iterator[SegmentTask]:
        manifest = self.parts.manifest
        if manifest.is_complete:
            return
        planner = SegmentPlanner.open_at(container, manifest.resume_point, self._notify)
        assert isinstance(planner, SegmentPlanner)  # noqa: S101 - for the type checker
        output = self._output
        setup = EncoderSetup.of(output.destination, output.encoding, planner.info)
        is_long = self.total_frames / container.rate >= MIN_SEGMENTS * segmentation.seconds
        if not (is_long and segmentation.seconds and container.has_pts):
            run_up = None
        if run_up is not None and manifest.first_frame is None:
            yield self._count(SegmentTask(self, planner.opening(setup)))
        options = PlanOptions(segmentation.seconds or Fraction(1), run_up, self.job.options.batch)
        for planned in planner.segments(
            setup, options, index=len(manifest.segments), frames=manifest.frames
        ):
            self.segments = planned.index + 1
            if not self.parts.holds(planned.index, planned.pts, planned.following):
                yield self._count(SegmentTask(self, planned.parcel, planned))

    def _count(self, task: SegmentTask) -> SegmentTask:
        self._given += 1
        return task

    def store(self, task: SegmentTask, result: Any) -> None:
        """Keep what a worker has made, on the disk. Raises `MediaError` if that fails."""
        first = result if isinstance(result, FirstFrame) else result.first
        if self.first is None:
            self.parts.set_first_frame(first)
        if isinstance(result, EncodedSegment):
            self._store(task, result)
        self._stored += 1

    def follow(self, task: SegmentTask, motion: SegmentMotion) -> None:
        """Keep how textures move in a segment, in memory."""
        assert task.planned is not None  # noqa: S101 - the motion of a segment
        assert self.textures is not None  # noqa: S101
        self.textures.add(task.planned.index, motion)

    def _store(self, task: SegmentTask, encoded: EncodedSegment) -> None:
        planned = task.planned
        assert planned is not None  # noqa: S101 - the result of a segment
        for notice in encoded.notices:
            self._notify(notice)
        name = name_of(planned.index)
        try:
            checksum = self.parts.store(name, encoded.content)
            segment = Segment(
                name, encoded.frames, checksum, encoded.parameters, self._following(planned),
                encoded.damaged + planned.unread,
            )  # fmt: skip
            self.parts.place(SegmentAhead(planned.index, planned.pts, segment))
        except OSError as error:
            raise MediaError(
                f"cannot write {self.parts.folder}: {error.strerror or error}"
            ) from error
        self.frames = self._stored_frames

    def _following(self, planned: PlannedSegment) -> ResumePoint | None:
        """Where the next segment begins, and where textures are there."""
        if planned.following is None or self.textures is None:
            return planned.following
        places = self.textures.before(planned.index + 1)
        return replace(planned.following, textures=places or ())

    @property
    def is_done(self) -> bool:
        """True if all its segments are stored."""
        return self.is_planned and self._stored == self._given and not self.failed

    def finish(self) -> VideoReport:
        """Write the output and remove the parts. Raises `MediaError`."""
        parts, job = self.parts, self.job
        write_output(parts, job.source, self._output, job.options, notify=self._notify)
        damaged = parts.manifest.segments[-1].damaged
        if damaged:
            self._notify(
                f"damaged input: {damaged} pieces could not be decoded; the rest is filtered"
            )
        frames = parts.manifest.frames
        parts.remove()
        return VideoReport(
            job.source, job.destination, frames, damaged, time.monotonic() - self._begun,
            notices=tuple(self.notices), resumed=self.resumed,
        )  # fmt: skip

    def close(self) -> None:
        """Let go of the parts, which stay for another run."""
        self.job.close()
        if self._parts is not None:
            self.job.kept_frames = self._stored_frames if self.parts.folder.exists() else 0
            self._parts.close()


def _chain(manifest: Manifest) -> TextureChain:
    """What is known of the places of textures. Older manifests do not tell."""
    index, point = len(manifest.segments), manifest.resume_point
    known = {} if point is None else {index: point.textures}
    following = {each.index + 1: each.segment.following for each in manifest.ahead}
    known |= {each: point.textures for each, point in following.items() if point is not None}
    return TextureChain(known)
