"""`FrameBatcher`: one thread that filters the frames of many sessions, several at a time."""

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

NICE = 10  # levels by which the filter comes after what delivers
logger = logging.getLogger(__name__)


@runtime_checkable
class SharesModel(Protocol):
    """A filter whose model can take frames of several filters at once: `FrameFilter`."""

    @property
    def model(self) -> Any:
        """The model; filters with the same one go together."""
        ...

    def batch(self, frames: Sequence[Any]) -> list[Any]:
        """The filtered frames."""
        ...


@dataclass
class Job:
    """A frame to filter, and where the result goes."""

    frame_filter: FilterCallable
    frame: av.VideoFrame
    future: "Future[av.VideoFrame]"
    loop: AbstractEventLoop

    def done(self, result: av.VideoFrame | Exception) -> None:
        """Hand the result to the event loop, which may be gone by now."""
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
    """Filters frames on one thread of its own. Those that wait at the same moment go together.

    With several streams open (`stream`), the thread waits up to `wait_ms` milliseconds for the
    frames of the others before it begins. Filters that do not share a model go one by one. One
    frame that cannot be filtered fails alone. Methods may be called from any event loop.
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
        """How many batches there were of each size."""

    @contextmanager
    def stream(self) -> Iterator[None]:
        """While open, one more stream's frames are worth waiting for."""
        with self._changed:
            self._streams += 1
        try:
            yield
        finally:
            with self._changed:
                self._streams -= 1

    def submit(self, frame_filter: FilterCallable, frame: av.VideoFrame) -> "Future[av.VideoFrame]":
        """The filtered frame, to be awaited. Raises `UnavailableError` once closed."""
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

    def close(self, timeout: float | None = None) -> None:
        """Filter nothing more, and wait for the thread, so many seconds at most."""
        with self._changed:
            self._closed = True
            jobs, thread = list(self._jobs), self._thread
            self._jobs.clear()
            self._changed.notify()
        self.reprojection.close()
        for job in jobs:
            job.done(UnavailableError("the filter was closed before this frame"))
        if thread is not None:
            thread.join(timeout)

    def _run(self) -> None:
        lower_thread_priority(NICE)  # packets, codecs and moved pictures take little and are due
        while batch := self._next():
            self.sizes[len(batch)] += 1
            try:
                results = _filtered(batch)
            except Exception as error:  # the edge of the thread: each job is told
                logger.debug("the filter thread failed", exc_info=True)
                results = [error] * len(batch)
            for job, result in zip(batch, results, strict=True):
                job.done(result)

    def _next(self) -> list[Job]:
        """The jobs to do now; none when it is over."""
        with self._changed:
            self._changed.wait_for(lambda: self._jobs or self._closed)
            deadline = monotonic() + self._wait
            while len(self._jobs) < min(self._streams, self._max_batch) and not self._closed:
                if not self._changed.wait(max(0.0, deadline - monotonic())):
                    break
            count = min(len(self._jobs), self._max_batch)
            return [self._jobs.popleft() for _ in range(count)]


def _filtered(batch: list[Job]) -> list[av.VideoFrame | Exception]:
    """The result of every job, in order: those of one model together, the rest one by one."""
    results: dict[int, av.VideoFrame | Exception] = {}
    together: dict[int, list[Job]] = {}
    for job in batch:
        if isinstance(job.frame_filter, SharesModel):
            together.setdefault(id(job.frame_filter.model), []).append(job)
        else:
            results[id(job)] = _alone(job)
    for jobs in together.values():
        for job, result in zip(jobs, _together(jobs), strict=True):
            results[id(job)] = result
    return [results[id(job)] for job in batch]


def _alone(job: Job) -> av.VideoFrame | Exception:
    try:
        return job.frame_filter(job.frame)
    except Exception as error:  # noqa: BLE001 - anyone's filter: its session is told, and ends
        return error


def _together(jobs: list[Job]) -> Sequence[av.VideoFrame | Exception]:
    """Frames of filters that share a model; one by one where together fails."""
    if len(jobs) == 1:
        return [_alone(jobs[0])]
    try:
        return _filter_together(jobs)
    except Exception:  # noqa: BLE001 - found out one by one, which of them it is
        return [_alone(job) for job in jobs]


def _filter_together(jobs: list[Job]) -> Sequence[av.VideoFrame]:
    from turbolens.filter.framefilter import (  # noqa: PLC0415 - torch: loaded with the model
        FrameFilter,
        filter_together,
    )

    filters = [job.frame_filter for job in jobs if isinstance(job.frame_filter, FrameFilter)]
    if len(filters) < len(jobs):
        raise TypeError("only FrameFilters go through a model together")
    return filter_together(filters, [job.frame for job in jobs])
