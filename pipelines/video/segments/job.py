"""Filters one file in segments, going on after those that are finished, and joins them."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import turbolens
from turbolens.filter.errors import MediaError
from turbolens.pipelines.base import FilterCallable, Notify
from turbolens.pipelines.video.media import MediaOptions, OpenInput
from turbolens.pipelines.video.outputs import Output, VideoOutput
from turbolens.pipelines.video.pipeline import FilterPipeline, OnFrames

from .assembly import write_output
from .cutter import InputCutter
from .encoder import EncoderSetup
from .identity import Identity, file_identity
from .manifest import ResumePoint, Segment
from .parts import Parts
from .reader import FrameReader
from .run_up import RunUpTracker, place_textures, tracked
from .segmentation import Segmentation
from .writer import SegmentWriter


@dataclass(frozen=True)
class Running:
    """How the pipeline runs. See `FilterPipeline`."""

    batch: int | None = None
    keep_partial: bool = False


@dataclass(frozen=True)
class Filtered:
    """What was filtered.

    tail: the last segment if the video ends early after Ctrl-C; it is not listed in the manifest.
    end: where the last frame ends, in seconds.
    """

    damaged: int = 0
    seconds: float = 0.0
    complete: bool = True
    tail: Segment | None = None
    end: Fraction = Fraction(0)
    frames: int = 0


class SegmentedJob:
    """One file, filtered in segments.

    The segments follow one another in one stream: the input is decoded once, the filter keeps its
    state, and only the encoder begins anew. Another pass over the input copies its other streams.

    resumed: frames of the output that an earlier run has finished. kept_frames: how many frames are
    in finished segments after a run that has not completed. replaces_partial: True if the output
    exists and may be replaced only by a video that it is the beginning of.
    """

    def __init__(
        self,
        opened: OpenInput,
        output: Output,
        segmentation: Segmentation,
        options: MediaOptions,
        *,
        running: Running,
        replaces_partial: bool = False,
        notify: Notify,
    ) -> None:
        assert opened.container is not None  # noqa: S101 - see `Segmentation.divides`
        assert isinstance(output, VideoOutput)  # noqa: S101
        self._container = opened.container
        self._output, self._segmentation, self._options = output, segmentation, options
        self._running, self._notify = running, once(notify)
        self._replaces_partial = replaces_partial
        self.resumed = self.kept_frames = 0

    def run(self, frame_filter: FilterCallable, on_frames: OnFrames | None) -> Filtered:
        """Filter what is missing and write the output. Closes the input.

        on_frames: called with the number of finished frames, those of earlier runs included, and
        the seconds since the start. Raises `MediaError`; finished segments are kept then.
        """
        with self._open_parts() as parts:
            self.resumed = parts.manifest.frames
            if self.resumed:
                self._notify(f"going on after {self.resumed} frames, finished in {parts.folder}")
            filtered = self._filter(parts, frame_filter, on_frames)
            self._join(parts, filtered)
            if filtered.complete:
                parts.remove()
            elif parts.manifest.segments:
                parts.note_partial_output()
        return filtered

    @contextmanager
    def _open_parts(self) -> Iterator[Parts]:
        """The folder of segments, which is closed in the end. Errors say what it has."""
        try:
            identity = job_identity(
                self._container.name, self._options, self._segmentation.identity
            )
            parts = Parts(
                self._output.destination.final, identity, notify=self._notify,
                resume=self._segmentation.resume, must_resume=self._replaces_partial,
            )  # fmt: skip
        except BaseException:
            self._container.close()
            raise
        try:
            yield parts
        except MediaError as error:
            if not parts.manifest.segments:
                raise
            raise MediaError(
                f"{error}; {parts.manifest.frames} frames are kept in {parts.folder}, and the same"
                " command goes on after them"
            ) from error
        finally:
            self.kept_frames = parts.manifest.frames if parts.folder.exists() else 0
            parts.close()

    def _filter(
        self, parts: Parts, frame_filter: FilterCallable, on_frames: OnFrames | None
    ) -> Filtered:
        """Filter the frames that are missing."""
        finished = parts.manifest
        damaged = finished.segments[-1].damaged if finished.segments else 0
        if finished.is_complete:  # the last run ended while it joined the segments
            self._container.close()
            return Filtered(damaged, frames=finished.frames)
        begin = finished.resume_point
        if begin is not None and not begin.packet:
            damaged = 0  # what is damaged will be met again
        if begin is not None:
            place_textures(frame_filter, begin.textures)
        reader = FrameReader.open_at(self._container, begin, self._notify)
        tracker = RunUpTracker(self._segmentation.run_up or 0)
        cutter = InputCutter(self._segmentation.seconds, None if begin is None else begin.pts)
        writer = SegmentWriter(
            parts, EncoderSetup.of(self._output.destination, self._output.encoding, reader.info),
            cutter, notify=self._notify,
            resume_point_at=lambda pts: _resume_point(pts, tracker, reader),
            damaged=lambda: damaged + reader.damaged,
        )  # fmt: skip
        pipeline = FilterPipeline(
            reader, tracked(frame_filter, tracker, cutter.look), writer,
            batch=self._running.batch, keep_partial=self._running.keep_partial,
            on_frames=_with_finished(on_frames, finished.frames, reader),
        )  # fmt: skip
        complete = pipeline.run()
        if complete and writer.last is not None:
            parts.append(writer.last)
        tail = None if complete else writer.last
        frames = parts.manifest.frames + (tail.frames if tail is not None else 0)
        return Filtered(
            damaged + reader.damaged, pipeline.seconds, complete, tail, writer.end, frames
        )

    def _join(self, parts: Parts, filtered: Filtered) -> None:
        write_output(
            parts, self._container.name, self._output, self._options, tail=filtered.tail,
            end=None if filtered.complete else filtered.end, notify=self._notify,
        )  # fmt: skip


def job_identity(source: str, options: MediaOptions, of_filter: Identity) -> dict[str, str]:
    """What the segments of a video are made from. source: a file's name."""
    named = {**vars(options.encoding), "start": options.start, "duration": options.duration,
             "input format": options.input_format}  # fmt: skip
    return {
        "version of turbolens": turbolens.__version__,
        "input": file_identity(Path(source)),
        **of_filter,
        **{name.replace("_", " "): str(value) for name, value in named.items()},
    }


def once(notify: Notify) -> Notify:
    """Notices of which each is told once: both passes over an input give the same ones."""
    told: set[str] = set()

    def tell(text: str) -> None:
        if text not in told:
            told.add(text)
            notify(text)

    return tell


def _resume_point(pts: int, tracker: RunUpTracker, reader: FrameReader) -> ResumePoint:
    begin = tracker.begin_before(pts)
    textures = tracker.textures_before(pts)
    return ResumePoint(pts, begin, reader.key_frame_before(begin), textures)


def _with_finished(
    on_frames: OnFrames | None, finished: int, reader: FrameReader
) -> OnFrames | None:
    """Count the frames that were finished before, and not those of the run-up."""
    if on_frames is None:
        return None
    return lambda frames, seconds: on_frames(finished + max(0, frames - reader.run_up), seconds)
