"""Video files: every frame, every timestamp, the sound and the metadata, in constant memory."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from threading import Thread

import av

from turbolens.filter.errors import MediaError
from turbolens.pipelines.base import (
    BatchFilter,
    FilterCallable,
    FrameOrPacket,
    Notify,
    Reader,
    Writer,
)
from turbolens.pipelines.interrupts import DeferredInterrupts

from .bounded_queue import POLL, Abandoned, Conveyor
from .contact_sheet import ContactSheet, sheet_name
from .destination import Destination
from .media import MediaOptions, check_output, is_piped, open_reader, open_writer
from .side_by_side import SideBySide

AUTO_BATCH = 4
AUTO_BATCH_PIXELS = 16 << 20  # a batch holds no more than this, so that 8K goes one by one


@dataclass(frozen=True)
class Progress:
    """How far a file is."""

    frames: int
    total_frames: int | None
    seconds: float
    dropped: int = 0

    @property
    def fps(self) -> float:
        """Frames a second since the start."""
        return self.frames / self.seconds if self.seconds > 0 else 0.0


@dataclass(frozen=True)
class VideoReport:
    """What became of a file. reused: frames that repeated the one before and cost nothing."""

    source: str
    destination: str
    frames: int
    damaged: int
    seconds: float
    complete: bool = True
    reused: int = 0
    notices: tuple[str, ...] = ()


@dataclass(frozen=True)
class VideoOptions(MediaOptions):
    """How a file is read, filtered and written.

    compare: before and after side by side. sheet: how many frames go on a contact sheet, which is
    written beside the output. batch: frames filtered at a time, none: what suits their size.
    """

    compare: bool = False
    sheet: int = 0
    batch: int | None = None
    keep_partial: bool = False


def filter_video(
    source: str,
    destination: str,
    frame_filter: FilterCallable,
    options: VideoOptions | None = None,
    *,
    on_progress: Callable[[Progress], None] | None = None,
    on_notice: Notify | None = None,
) -> VideoReport:
    """Filter a video file, pipe (`-`), picture or picture sequence into another.

    Raises `MediaError` for files that cannot be read or written and whatever `frame_filter` raises;
    the destination then does not exist. Ctrl-C too leaves nothing, or with `keep_partial` a shorter
    file that plays.
    """
    options = options or VideoOptions()
    notices: list[str] = []

    def notify(text: str) -> None:
        notices.append(text)
        if on_notice is not None:
            on_notice(text)

    check_output(destination, source, options)
    sheet_target = check_sheet(destination, options)
    reader = open_reader(source, options, notify)
    writer = open_writer(destination, source, reader.info, options, notify)
    reused = getattr(frame_filter, "reused", 0)
    job = FilterJob(reader, writer, frame_filter, options, on_progress)
    complete = job.run()
    if reader.damaged:
        notify(f"damaged input: {reader.damaged} pieces could not be decoded; the rest is filtered")
    if job.sheet is not None and sheet_target is not None:
        job.sheet.save(sheet_target)
        notify(f"contact sheet, before above after: {sheet_target.final}")
    return VideoReport(
        source, destination, job.frames, reader.damaged, job.seconds, complete,
        getattr(frame_filter, "reused", 0) - reused, tuple(notices),
    )  # fmt: skip


def check_sheet(destination: str, options: VideoOptions) -> Destination | None:
    """Where the contact sheet goes, if there is one. Raises `MediaError` if that cannot be."""
    if not options.sheet:
        return None
    if is_piped(destination):
        raise MediaError("a contact sheet lies beside the output, so it needs one that is a file")
    return Destination(sheet_name(destination), overwrite=options.overwrite)


class FilterJob:
    """Decoding, filtering and encoding at the same time: the filter on the calling thread."""

    def __init__(
        self,
        reader: Reader,
        writer: Writer,
        frame_filter: FilterCallable,
        options: VideoOptions,
        on_progress: Callable[[Progress], None] | None = None,
    ) -> None:
        self._reader, self._writer, self._filter = reader, writer, frame_filter
        self._options, self._on_progress = options, on_progress
        self._decoded: Conveyor[FrameOrPacket] = Conveyor()
        self._filtered: Conveyor[FrameOrPacket] = Conveyor()
        self._beside = SideBySide() if options.compare else None
        self.sheet = ContactSheet(options.sheet) if options.sheet else None
        self._interrupts = DeferredInterrupts()
        self._began = time.monotonic()
        self.frames = 0

    @property
    def seconds(self) -> float:
        """Since the start."""
        return time.monotonic() - self._began

    def run(self) -> bool:
        """Do it all. True if the whole input was filtered, False if Ctrl-C cut it short."""
        with self._interrupts:
            return self._run()

    def _run(self) -> bool:
        reading = Thread(target=self._read, name="decode", daemon=True)
        writing = Thread(target=self._write, name="encode", daemon=True)
        reading.start()
        writing.start()
        try:
            whole = self._filter_until_interrupted()
            self._filtered.end()
            self._join(writing)
            self._filtered.check()
            self._writer.finish()
        except BaseException:
            self._filtered.abandon()
            writing.join()
            self._writer.discard()
            raise
        finally:
            self._decoded.abandon()
            reading.join(timeout=1.0)  # it may hang in a pipe that sends nothing more
            if not reading.is_alive():
                self._reader.close()
        return whole

    def _join(self, thread: Thread) -> None:
        while thread.is_alive():
            self._interrupts.check()
            thread.join(timeout=POLL)

    def _filter_until_interrupted(self) -> bool:
        try:
            self._filter_all()
        except KeyboardInterrupt:
            if not self._options.keep_partial or not self.frames:
                raise
            return False
        return True

    def _read(self) -> None:
        try:
            for item in self._reader:
                self._decoded.put(item, _weight(item))
            self._decoded.end()
        except Abandoned:
            pass
        except BaseException as error:  # noqa: BLE001 - the edge of a thread: raised in the caller's
            self._decoded.end(error)

    def _write(self) -> None:
        try:
            for item in self._filtered.items():
                self._writer.write(item)
        except BaseException as error:  # noqa: BLE001
            self._filtered.abandon(error)

    def _filter_all(self) -> None:
        waiting: list[av.VideoFrame] = []
        for item in self._decoded.items(self._interrupts.check):
            if not isinstance(item, av.VideoFrame):
                self._filtered.put(item, _weight(item), self._interrupts.check)
                continue
            waiting.append(item)
            if len(waiting) >= self._batch_size(item):
                self._pass_on(waiting)
                waiting = []
        if waiting:
            self._pass_on(waiting)

    def _batch_size(self, frame: av.VideoFrame) -> int:
        if not isinstance(self._filter, BatchFilter):
            return 1
        if self._options.batch is not None:
            return self._options.batch
        return max(1, min(AUTO_BATCH, AUTO_BATCH_PIXELS // (frame.width * frame.height)))

    def _pass_on(self, frames: Sequence[av.VideoFrame]) -> None:
        if len(frames) > 1 and isinstance(self._filter, BatchFilter):
            filtered = self._filter.batch(frames)
        else:
            filtered = [self._filter(frame) for frame in frames]
        for before, after in zip(frames, filtered, strict=True):
            after.pts, after.time_base = before.pts, before.time_base
            after.duration = before.duration
            if self.sheet is not None:
                self.sheet.add(before, after)
            shown = self._beside.join(before, after) if self._beside else after
            self._filtered.put(shown, _weight(shown), self._interrupts.check)
            self.frames += 1
        if self._on_progress is not None:
            total = self._reader.info.total_frames
            self._on_progress(Progress(self.frames, total, self.seconds))


def _weight(item: FrameOrPacket) -> int:
    """Bytes, near enough."""
    if isinstance(item, av.VideoFrame):
        return item.width * item.height * item.format.bits_per_pixel // 8
    return item.size
