"""`FrameBatcher`: one thread that filters the frames of many sessions, in batches."""

import logging
from asyncio import AbstractEventLoop, Future, get_running_loop
from collections import Counter, deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from threading import Condition, Thread
from time import monotonic
from typing import Any, Protocol, runtime_checkable

import av

from turbolens.filter import UnavailableError
from turbolens.filter.acceleration.thread_priority import lower_thread_priority
from turbolens.pipelines.base import FilterCallable

from .reprojection import ReprojectionWorker

NICENESS = 10  # of the filter thread: packets and codecs go first
logger = logging.getLogger(__name__)


@runtime_checkable
class SharesModel(Protocol):
    """A filter whose model can filter frames of several filters in one batch, as `FrameFilter`."""

    @property
    def model(self) -> Any:
        """The model; frames of filters with the same model form a batch."""
        ...

    def batch(self, frames: Sequence[Any]) -> list[Any]:
        """The filtered frames."""
        ...


@dataclass
class Job:
    """A frame to filter, and the future of its result."""

    frame_filter: FilterCallable
    frame: av.VideoFrame
    future: "Future[av.VideoFrame]"
    loop: AbstractEventLoop

    def finish(self, result: av.VideoFrame | Exception) -> None:
        """Set the result of the future, from any thread, unless its event loop has closed."""
        with suppress(RuntimeError):
            self.loop.call_soon_threadsafe(self._settle, result)

    def _settle(self, result: av.VideoFrame | Exception) -> None:
        if self.future.done():
            return
        if isinstance(result, Exception):
            self.future.set_exception(result)
        else:
            self.future.set_result(result)


class FrameBatcher:
    """Filters frames on its own thread. Frames that wait at the same time form a batch.

    wait_ms: with several streams open (`stream`), how long the thread waits for the frames of the
    others. max_batch: frames in a batch at most.

    Filters that do not share a model run one by one. A frame that cannot be filtered fails without
    failing the rest of its batch. Methods may be called from any event loop.
    `reprojection` reprojects results on another thread.
    """

    def __init__(self, *, wait_ms: float = 2.0, max_batch: int = 8) -> None:
        self._wait, self._max_batch = wait_ms / 1000, max_batch
        self._jobs: deque[Job] = deque()
        self._changed = Condition()
        self._thread: Thread | None = None
        self._streams, self._closed = 0, False
        self.reprojection = ReprojectionWorker()
        self.sizes: Counter[int] = Counter()
        """The number of batches by their size."""
        self.busy_seconds = 0.0
        """Seconds that the thread has filtered."""

    @contextmanager
    def stream(self) -> Iterator[None]:
        """Count one more stream, whose frames a batch waits for, inside a `with` block."""
        with self._changed:
            self._streams += 1
        try:
            yield
        finally:
            with self._changed:
                self._streams -= 1

    def submit(self, frame_filter: FilterCallable, frame: av.VideoFrame) -> "Future[av.VideoFrame]":
        """A future of the filtered frame. Raises `UnavailableError` if the batcher is closed."""
        loop = get_running_loop()
        job = Job(frame_filter, frame, loop.create_future(), loop)
        with self._changed:
            if self._closed:
                raise UnavailableError("the filter is closed; no more frames are taken")
            self._jobs.append(job)
            if self._thread is None:
                self._thread = Thread(target=self._run, name="filter", daemon=True)
                self._thread.start()
            self._changed.notify()
        return job.future

    @property
    def frames(self) -> int:
        """The number of frames that were filtered."""
        return sum(size * count for size, count in list(self.sizes.items()))

    def close(self, timeout: float | None = None) -> None:
        """Filter nothing more. timeout: seconds to wait for the thread; `None` for no limit."""
        with self._changed:
            self._closed = True
            jobs, thread = list(self._jobs), self._thread
            self._jobs.clear()
            self._changed.notify()
        self.reprojection.close()
        for job in jobs:
            job.finish(UnavailableError("the filter was closed before this frame was filtered"))
        if thread is not None:
            thread.join(timeout)

    def _run(self) -> None:
        lower_thread_priority(NICENESS)  # packets, codecs and reprojection are short and urgent
        while batch := self._next_batch():
            began = monotonic()
            try:
                results = _filter_batch(batch)
            except Exception as error:  # the edge of the thread: the error is the result
                logger.debug("the filter thread failed", exc_info=True)
                results = [error] * len(batch)
            self.busy_seconds += monotonic() - began
            self.sizes[len(batch)] += 1
            for job, result in zip(batch, results, strict=True):
                job.finish(result)

    def _next_batch(self) -> list[Job]:
        """Wait for jobs. An empty list if the batcher is closed."""
        with self._changed:
            self._changed.wait_for(lambda: self._jobs or self._closed)
            deadline = monotonic() + self._wait
            while len(self._jobs) < min(self._streams, self._max_batch) and not self._closed:
                if not self._changed.wait(max(0.0, deadline - monotonic())):
                    break
            count = min(len(self._jobs), self._max_batch)
            return [self._jobs.popleft() for _ in range(count)]


def _filter_batch(batch: list[Job]) -> list[av.VideoFrame | Exception]:
    """The results of all jobs, in order: those of one model in a batch, the rest one by one."""
    results: dict[int, av.VideoFrame | Exception] = {}
    by_model: dict[int, list[Job]] = {}
    for job in batch:
        if isinstance(job.frame_filter, SharesModel):
            by_model.setdefault(id(job.frame_filter.model), []).append(job)
        else:
            results[id(job)] = _filter_one(job)
    for jobs in by_model.values():
        for job, result in zip(jobs, _filter_same_model(jobs), strict=True):
            results[id(job)] = result
    return [results[id(job)] for job in batch]


def _filter_one(job: Job) -> av.VideoFrame | Exception:
    try:
        return job.frame_filter(job.frame)
    except Exception as error:  # noqa: BLE001 - a user's filter may raise anything
        return error


def _filter_same_model(jobs: list[Job]) -> Sequence[av.VideoFrame | Exception]:
    """Frames of filters that share a model, in one batch; one by one if the batch fails."""
    if len(jobs) == 1:
        return [_filter_one(jobs[0])]
    try:
        return _filter_in_one_call(jobs)
    except Exception:  # noqa: BLE001 - one by one shows which frame has failed
        return [_filter_one(job) for job in jobs]


def _filter_in_one_call(jobs: list[Job]) -> Sequence[av.VideoFrame]:
    from turbolens.filter.framefilter import (  # noqa: PLC0415 - torch: loaded with the model
        FrameFilter,
        filter_together,
    )

    filters = [job.frame_filter for job in jobs if isinstance(job.frame_filter, FrameFilter)]
    if len(filters) < len(jobs):
        raise TypeError("only FrameFilter objects can be filtered in one batch")
    return filter_together(filters, [job.frame for job in jobs])
