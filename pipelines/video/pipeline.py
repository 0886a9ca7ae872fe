"""Decoding, filtering and encoding at the same time, each on its own thread."""

import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from threading import Thread
from typing import TypeAlias

import av

from turbolens.filter.acceleration.thread_priority import lower_thread_priority
from turbolens.pipelines.base import (
    BatchFilter,
    FilterCallable,
    FrameOrPacket,
    Reader,
    StreamFilter,
    Writer,
    checked_result,
    prefers_streams,
)
from turbolens.pipelines.interrupts import DeferredInterrupts

from .bounded_queue import POLL, BoundedQueue, ConsumerGone

AUTO_BATCH = 4
AUTO_BATCH_PIXELS = 16 << 20  # limit of a batch's size in pixels: 8K frames go one at a time
ENCODER_NICENESS = 5  # added to that of the encoder's threads on Linux
READER_GRACE = 1.0  # seconds; a reader may hang in a pipe that sends nothing more

Compose: TypeAlias = Callable[[av.VideoFrame, av.VideoFrame], av.VideoFrame]
"""(original, filtered) → the frame to write."""
OnFrames: TypeAlias = Callable[[int, float], None]
"""Called after each batch with the number of frames so far and the seconds since the start."""


class FilterPipeline:
    """Connects a reader, a frame filter and a writer. The filter runs on the calling thread.

    Packets of other streams pass by the filter. batch: frames filtered at a time; `None` for a
    stream of single ones where the filter prefers that, else to choose by their size. keep_partial:
    after Ctrl-C complete the output with the frames done so far.
    """

    def __init__(
        self,
        reader: Reader,
        frame_filter: FilterCallable,
        writer: Writer,
        *,
        batch: int | None = None,
        compose: Compose | None = None,
        keep_partial: bool = False,
        on_frames: OnFrames | None = None,
    ) -> None:
        self._reader, self._filter, self._writer = reader, frame_filter, writer
        self._batch, self._compose = batch, compose
        self._keep_partial, self._on_frames = keep_partial, on_frames
        self._decoded: BoundedQueue[FrameOrPacket] = BoundedQueue()
        self._filtered: BoundedQueue[FrameOrPacket] = BoundedQueue()
        self._interrupts = DeferredInterrupts()
        self._began = time.monotonic()
        self.frames = 0

    @property
    def seconds(self) -> float:
        """Seconds since the start."""
        return time.monotonic() - self._began

    def run(self) -> bool:
        """Filter everything. Returns True if the input was filtered to its end, False after Ctrl-C.

        Raises the error of any of the three parts; the output is then discarded.
        """
        with self._interrupts:
            return self._run()

    def _run(self) -> bool:
        reading = Thread(target=self._read, name="decode", daemon=True)
        writing = Thread(target=self._write, name="encode", daemon=True)
        reading.start()
        writing.start()
        try:
            complete = self._filter_until_interrupted()
            self._filtered.end()
            self._join(writing)
            self._filtered.raise_error()
            self._writer.finish()
        except BaseException:
            self._filtered.abandon()
            writing.join()
            self._writer.discard()
            raise
        finally:
            self._decoded.abandon()
            reading.join(timeout=READER_GRACE)
            if not reading.is_alive():
                self._reader.close()
        return complete

    def _join(self, thread: Thread) -> None:
        while thread.is_alive():
            self._interrupts.check()
            thread.join(timeout=POLL)

    def _filter_until_interrupted(self) -> bool:
        try:
            self._filter_all()
        except KeyboardInterrupt:
            if not self._keep_partial or not self.frames:
                raise
            return False
        return True

    def _read(self) -> None:
        try:
            for item in self._reader:
                self._decoded.put(item, _size_in_bytes(item))
            self._decoded.end()
        except ConsumerGone:
            pass
        except BaseException as error:  # noqa: BLE001 - edge of a thread: raised in the caller's
            self._decoded.end(error)

    def _write(self) -> None:
        # The filter's threads wait for one another between layers, so a turn that the encoder takes
        # from one of them delays all. The encoder uses what they leave. Its threads inherit this.
        lower_thread_priority(ENCODER_NICENESS)
        try:
            for item in self._filtered.items():
                self._writer.write(item)
        except BaseException as error:  # noqa: BLE001 - edge of a thread: raised in the caller's
            self._filtered.abandon(error)

    def _filter_all(self) -> None:
        frame_filter = self._filter
        if self._batch is None and prefers_streams(frame_filter):
            self._filter_stream(frame_filter)
        else:
            self._filter_in_batches()

    def _filter_stream(self, frame_filter: StreamFilter) -> None:
        waiting: deque[av.VideoFrame] = deque()

        def frames() -> Iterator[av.VideoFrame]:
            for item in self._decoded.items(self._interrupts.check):
                if isinstance(item, av.VideoFrame):
                    waiting.append(item)
                    yield item
                else:
                    self._pass_on(item)

        for filtered in frame_filter.frames(frames()):
            self._pass_on_filtered(waiting.popleft(), filtered)
            self._report()

    def _filter_in_batches(self) -> None:
        batch: list[av.VideoFrame] = []
        for item in self._decoded.items(self._interrupts.check):
            if not isinstance(item, av.VideoFrame):
                self._pass_on(item)
                continue
            batch.append(item)
            if len(batch) >= self._batch_size(item):
                self._filter_batch(batch)
                batch = []
        if batch:
            self._filter_batch(batch)

    def _batch_size(self, frame: av.VideoFrame) -> int:
        if not isinstance(self._filter, BatchFilter):
            return 1
        if self._batch is not None:
            return self._batch
        return max(1, min(AUTO_BATCH, AUTO_BATCH_PIXELS // (frame.width * frame.height)))

    def _filter_batch(self, frames: Sequence[av.VideoFrame]) -> None:
        if len(frames) > 1 and isinstance(self._filter, BatchFilter):
            filtered = self._filter.batch(frames)
        else:
            filtered = [self._filter(frame) for frame in frames]
        for before, after in zip(frames, filtered, strict=True):
            self._pass_on_filtered(before, after)
        self._report()

    def _pass_on_filtered(self, before: av.VideoFrame, result: object) -> None:
        after = checked_result(result)
        after.pts, after.time_base = before.pts, before.time_base
        after.duration = before.duration
        self._pass_on(self._compose(before, after) if self._compose else after)
        self.frames += 1

    def _report(self) -> None:
        if self._on_frames is not None:
            self._on_frames(self.frames, self.seconds)

    def _pass_on(self, item: FrameOrPacket) -> None:
        self._filtered.put(item, _size_in_bytes(item), self._interrupts.check)


def _size_in_bytes(item: FrameOrPacket) -> int:
    """Approximate for frames: row padding is not counted."""
    if isinstance(item, av.VideoFrame):
        return item.width * item.height * item.format.bits_per_pixel // 8
    return item.size
