"""One input filtered into one output: checked and opened first, then run."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from fractions import Fraction
from os import PathLike, fspath
from pathlib import Path

import av

from turbolens.filter.errors import FrameError, MediaError
from turbolens.pipelines.base import FilterCallable, Notify, SizeChecker

from .contact_sheet import ContactSheet, sheet_name
from .destination import Destination, is_piped
from .media import MediaOptions, OpenInput, open_input
from .outputs import Output, check_output
from .pipeline import Compose, FilterPipeline, OnFrames
from .report import OnProgress, Progress, VideoReport
from .segments.job import Running, SegmentedJob
from .segments.parts import has_partial_output
from .segments.segmentation import Segmentation
from .side_by_side import SideBySide


@dataclass(frozen=True)
class VideoOptions(MediaOptions):
    """How a file is read, filtered and written.

    compare: original and filtered frame side by side. sheet: number of frames on a contact sheet,
    which is written beside the output. batch: frames filtered at a time, `None` as for
    `FilterPipeline`. keep_partial: after Ctrl-C keep what is done as a shorter file.
    """

    compare: bool = False
    sheet: int = 0
    batch: int | None = None
    keep_partial: bool = False


class VideoJob:
    """One input and its checked output. The input is opened once: by `open`, or else by `run`.

    kept_frames: how many frames are in finished segments after a run that has not completed; the
    same job goes on after them.
    """

    def __init__(
        self, source: str, output: Output, options: VideoOptions, *, sheet: Destination | None
    ) -> None:
        self.source, self._output, self._options = source, output, options
        self._sheet_target = sheet
        self._sheet = ContactSheet(options.sheet) if sheet else None
        self._input: OpenInput | None = None
        self._notices: list[str] = []
        self._on_notice: Notify | None = None
        self.kept_frames = 0
        self._replaces_partial = False

    @property
    def destination(self) -> str:
        """The name of the output."""
        return self._output.name

    @property
    def output(self) -> Output:
        """Where the result goes."""
        return self._output

    @property
    def options(self) -> VideoOptions:
        """How the input is read, filtered and written."""
        return self._options

    @property
    def replaces_partial(self) -> bool:
        """True if the output exists and may be replaced only by going on. See `SegmentedJob`."""
        return self._replaces_partial

    def take_input(self) -> OpenInput:
        """The input, opened if need be, which the caller closes. Raises `MediaError`."""
        self.open()
        assert self._input is not None  # noqa: S101 - just opened
        opened, self._input = self._input, None
        return opened

    @classmethod
    def prepare(cls, source: str, destination: str, options: VideoOptions) -> "VideoJob":
        """A job whose output can be written. Raises `MediaError` if it cannot."""
        partial = not options.overwrite and has_partial_output(Path(destination))
        options = replace(options, overwrite=options.overwrite or partial)
        output = check_output(destination, source, options)
        job = cls(source, output, options, sheet=_check_sheet(destination, options))
        job._replaces_partial = partial
        return job

    def open(self) -> int | None:
        """Open the input and return its number of frames, `None` if unknown.

        Raises `MediaError` if it cannot be read.
        """
        if self._input is None:
            self._input = open_input(self.source, self._options)
        return self._input.total_frames

    @property
    def duration(self) -> Fraction | None:
        """Seconds of an input that was opened, by its header; `None` if unknown."""
        return None if self._input is None else self._input.duration

    def close(self) -> None:
        """Close an input that was opened and not run."""
        if self._input is not None:
            self._input.close()
            self._input = None

    def run(
        self,
        frame_filter: FilterCallable,
        *,
        segmentation: Segmentation | None = None,
        on_progress: OnProgress | None = None,
        on_notice: Notify | None = None,
    ) -> VideoReport:
        """Filter the input. Once only.

        segmentation: how a long video is divided, so that an interrupted run can go on; `None`: not
        at all. Raises `MediaError` for what cannot be read or written, and whatever `frame_filter`
        raises.
        """
        self._on_notice = on_notice
        self.open()
        assert self._input is not None  # noqa: S101 - just opened
        self._check_size(self._input, frame_filter)
        reused_before = getattr(frame_filter, "reused", 0)
        if segmentation is not None and self._is_divided(segmentation, self._input):
            opened, self._input = self._input, None  # from here on the job closes it
            report = self._run_in_segments(opened, frame_filter, segmentation, on_progress)
            return replace(report, reused=getattr(frame_filter, "reused", 0) - reused_before)
        self._keep_partial_output()
        reader = self._input.reader(self._notify)
        self._input = None  # from here on the reader closes it
        writer = self._output.writer(reader.info, self._notify)
        pipeline = FilterPipeline(
            reader, frame_filter, writer,
            batch=self._options.batch, keep_partial=self._options.keep_partial,
            compose=self._compose(), on_frames=_reporting(on_progress, reader.info.total_frames),
        )  # fmt: skip
        complete = pipeline.run()
        self._notify_damage(reader.damaged)
        self._save_sheet()
        return VideoReport(
            self.source, self.destination, pipeline.frames, reader.damaged, pipeline.seconds,
            complete, getattr(frame_filter, "reused", 0) - reused_before, tuple(self._notices),
        )  # fmt: skip

    def _is_divided(self, segmentation: Segmentation, opened: OpenInput) -> bool:
        shown = self._options.compare or self._sheet is not None
        return not shown and segmentation.divides(opened, self._output)

    def _run_in_segments(
        self,
        opened: OpenInput,
        frame_filter: FilterCallable,
        segmentation: Segmentation,
        on_progress: OnProgress | None,
    ) -> VideoReport:
        job = SegmentedJob(
            opened, self._output, segmentation, self._options,
            running=Running(self._options.batch, self._options.keep_partial),
            replaces_partial=self._replaces_partial, notify=self._notify,
        )  # fmt: skip
        try:
            result = job.run(
                frame_filter, _reporting(on_progress, opened.total_frames, lambda: job.resumed)
            )
        finally:
            self.kept_frames = job.kept_frames
        self._notify_damage(result.damaged)
        return VideoReport(
            self.source, self.destination, result.frames, result.damaged, result.seconds,
            result.complete, notices=tuple(self._notices), resumed=job.resumed,
        )  # fmt: skip

    def _keep_partial_output(self) -> None:
        """Refuse to replace a shorter output by anything but what it is the beginning of."""
        if self._replaces_partial:
            raise MediaError(f"{self.destination} exists; --overwrite replaces it")

    def _notify_damage(self, damaged: int) -> None:
        if damaged:
            self._notify(
                f"damaged input: {damaged} pieces could not be decoded; the rest is filtered"
            )

    def _check_size(self, opened: OpenInput, frame_filter: FilterCallable) -> None:
        """Refuse a size that cannot be filtered before a frame is decoded and prepared."""
        if opened.size is None or not isinstance(frame_filter, SizeChecker):
            return
        try:
            frame_filter.check_size(*opened.size)
        except FrameError:
            self.close()
            raise

    def _notify(self, text: str) -> None:
        self._notices.append(text)
        if self._on_notice is not None:
            self._on_notice(text)

    def _compose(self) -> Compose:
        side_by_side = SideBySide() if self._options.compare else None

        def compose(original: av.VideoFrame, filtered: av.VideoFrame) -> av.VideoFrame:
            if self._sheet is not None:
                self._sheet.add(original, filtered)
            return side_by_side.join(original, filtered) if side_by_side else filtered

        return compose

    def _save_sheet(self) -> None:
        if self._sheet is not None and self._sheet_target is not None:
            self._sheet.save(self._sheet_target)
            self._notify(f"contact sheet, before above after: {self._sheet_target.final}")


def filter_video(
    source: str | PathLike[str],
    destination: str | PathLike[str],
    frame_filter: FilterCallable,
    options: VideoOptions | None = None,
    *,
    on_progress: OnProgress | None = None,
    on_notice: Notify | None = None,
) -> VideoReport:
    """Filter a video file, pipe (`-`), image or sequence of images into another.

    Raises `MediaError` for what cannot be read or written, and whatever `frame_filter` raises; then
    there is no output. Ctrl-C leaves no output either, or with `keep_partial` a shorter file.
    """
    job = VideoJob.prepare(fspath(source), fspath(destination), options or VideoOptions())
    return job.run(frame_filter, on_progress=on_progress, on_notice=on_notice)


def _check_sheet(destination: str, options: VideoOptions) -> Destination | None:
    if not options.sheet:
        return None
    if is_piped(destination):
        raise MediaError("a contact sheet lies beside the output, so it needs one that is a file")
    return Destination(sheet_name(destination), overwrite=options.overwrite)


def _reporting(
    on_progress: OnProgress | None,
    total_frames: int | None,
    resumed: Callable[[], int] = lambda: 0,
) -> OnFrames | None:
    if on_progress is None:
        return None
    return lambda frames, seconds: on_progress(
        Progress(frames, total_frames, seconds, resumed=resumed())
    )
