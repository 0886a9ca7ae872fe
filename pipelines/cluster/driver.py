"""Sends the segments of many files to the workers of a cluster, and puts them together again."""

import time
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

from turbolens.filter.errors import MediaError, NotEnoughMemoryError, TurbolensError
from turbolens.pipelines.interrupts import DeferredInterrupts
from turbolens.pipelines.video.job import VideoJob
from turbolens.pipelines.video.report import VideoReport
from turbolens.pipelines.video.segments.identity import Identity
from turbolens.pipelines.video.segments.segmentation import Segmentation

from .connection import Connection, connected
from .file_job import ClusterFile, SegmentTask
from .motion import SegmentMotion
from .nodes import Node, Share
from .parcels import EncodedSegment, UnknownTimesError
from .planner_thread import PlannerThread
from .pool import LOAD_SECONDS, Worker, WorkerPool
from .progress import ClusterProgress, Rates
from .worker import Load

POLL = 0.2  # seconds
ATTEMPTS = 3  # of a segment that fails for the same reason
KILLED = "its worker was killed"


@dataclass(frozen=True)
class ClusterOptions:
    """What a job on a cluster needs to know.

    segmentation: its identity and run-up are those of the workers' filters. dtypes: in which an
    interrupted run has made segments, by device, see `ModelChoice.with_dtypes`. expected: a part of
    that identity, known before; without it the first worker decides. load_seconds: for a worker to
    load its model; then its node is left out.
    """

    connection: Connection
    load: Load
    segmentation: Segmentation
    share: Share = field(default_factory=Share)
    dtypes: Mapping[str, str] = field(default_factory=dict)
    expected: Identity = field(default_factory=dict)
    load_seconds: float = LOAD_SECONDS


@dataclass(frozen=True)
class Listener:
    """Called by the driver, on its own threads. done, failed: once for every file."""

    notice: Callable[[ClusterFile | None, str], None]
    progress: Callable[[ClusterProgress], None]
    done: Callable[[VideoJob, VideoReport], None]
    failed: Callable[[VideoJob, Exception], None]


@dataclass(frozen=True)
class ClusterSummary:
    """What a job met, and what it cost.

    retries: of segments. lost_workers, lost_nodes: how many. segments: how many were encoded, for
    which the driver has sent and received so many bytes, and the workers have worked for
    `worker_seconds`, `filter_seconds` of them in the filter and `motion_seconds` to follow
    textures. seconds: from the first segment that
    was sent to the last one that was stored. worker_processor_seconds, driver_processor_seconds:
    of all threads together; of the driver, in these seconds.
    """

    retries: int = 0
    lost_workers: int = 0
    lost_nodes: int = 0
    segments: int = 0
    sent_bytes: int = 0
    received_bytes: int = 0
    worker_seconds: float = 0.0
    filter_seconds: float = 0.0
    motion_seconds: float = 0.0
    seconds: float = 0.0
    worker_processor_seconds: float = 0.0
    driver_processor_seconds: float = 0.0


@dataclass(frozen=True)
class _Begun:
    """When the first segment was sent, and how much processor time was used before."""

    at: float = field(default_factory=time.monotonic)
    used: float = field(default_factory=time.process_time)


class Driver:
    """Runs jobs on a cluster. Use `run_on_cluster`."""

    def __init__(self, ray: Any, options: ClusterOptions, listener: Listener) -> None:
        self._ray, self._options, self._listener = ray, options, listener
        self._pool: WorkerPool[SegmentTask] = WorkerPool(
            ray, options.load, options.share, on_lost=self._again,
            on_killed=self._killed, notify=lambda text: listener.notice(None, text),
            dtypes=options.dtypes, expected=options.expected,
        )  # fmt: skip
        self._pool.load_seconds = options.load_seconds
        self._planner = PlannerThread(listener.notice)
        self._waiting: list[SegmentTask] = []
        self._results: deque[tuple[SegmentTask, Node, Any]] = deque()
        self._rates = Rates()
        self._finishing: dict[Future[VideoReport], ClusterFile] = {}
        self._finisher = ThreadPoolExecutor(1, "finish")
        self._interrupts = DeferredInterrupts()
        self._summary = ClusterSummary()
        self._files_done = 0
        self._begun: _Begun | None = None
        self._total_files: int | None = None

    def run(self, jobs: Iterable[VideoJob], total_files: int | None) -> ClusterSummary:
        """Run all jobs. Raises `ClusterError`, and `KeyboardInterrupt` after Ctrl-C."""
        self._total_files = total_files
        try:
            with self._interrupts:
                while not self._planner.is_over or self._is_busy:
                    self._interrupts.check()
                    self._pool.wait(self._hear, POLL)
                    self._begin_planning(jobs)
                    self._assign()  # so that no worker waits for the disk
                    self._store_results()
                    self._assign()  # what has waited for a first frame
                    if self._planner.has_waiting or self._waiting:
                        self._pool.ask_for_more()
                    self._finish_files()
                    self._report()
        finally:
            self._planner.stop()
            self._pool.close()
            self._finisher.shutdown(cancel_futures=True)
            for file in list(self._planner.files):
                self._planner.end(file)
        return replace(
            self._summary, lost_workers=self._pool.lost_workers, lost_nodes=self._pool.lost_nodes
        )

    @property
    def _is_busy(self) -> bool:
        return bool(self._planner.files)

    def _begin_planning(self, jobs: Iterable[VideoJob]) -> None:
        """Begin once a worker has told what its results depend on."""
        identity = self._pool.identity
        if identity is None or self._planner.has_begun:
            return
        segmentation = replace(self._options.segmentation, identity=identity)
        tasks = partial(
            ClusterFile.tasks, segmentation=segmentation, run_up=self._pool.run_up,
            has_textures=self._pool.has_textures,
        )  # fmt: skip
        self._planner.begin(jobs, tasks)

    def _assign(self) -> None:
        for worker in self._pool.idle:
            task = self._next_task()
            if task is None:
                return
            self._send(worker, task)

    def _next_task(self) -> SegmentTask | None:
        """The next task of a file that has not failed, `None` if there is none yet.

        One that waits depends on tasks that were given before it, which are with a worker or ready.
        """
        self._waiting = [each for each in self._waiting if not each.file.failed]
        while True:
            ready = next((each for each in self._waiting if each.is_ready), None)
            if ready is not None:
                self._waiting.remove(ready)
                return ready
            if len(self._waiting) >= len(self._pool.idle):
                return None
            task = self._planner.get()
            if task is None:
                return None
            if not task.file.failed:
                self._waiting.append(task)

    def _send(self, worker: Worker[SegmentTask], task: SegmentTask) -> None:
        if task.planned is not None:
            self._begun = self._begun or _Begun()
        self._pool.submit(worker, task, method=task.method, parcel=task.argument)

    def _hear(self, task: SegmentTask, node: Node, result: Any) -> None:
        self._results.append((task, node, result))

    def _store_results(self) -> None:
        while self._results:
            self._store(*self._results.popleft())

    def _store(self, task: SegmentTask, node: Node, result: Any) -> None:
        if task.file.failed:
            return
        if isinstance(result, Exception):
            self._failed(task, node, result)
            return
        if isinstance(result, SegmentMotion):
            task.file.follow(task, result)
            self._waiting.insert(0, task)
            self._count_motion(task, result)
            return
        try:
            task.file.store(task, result)
        except MediaError as error:
            self._give_up(task.file, error)
            return
        if isinstance(result, EncodedSegment):
            self._rates.add(node.name, result.frames)
            self._add(task, result)

    def _add(self, task: SegmentTask, encoded: EncodedSegment) -> None:
        total, begun = self._summary, self._begun or _Begun()
        self._summary = replace(
            total,
            segments=total.segments + 1,
            sent_bytes=total.sent_bytes + len(task.parcel.packets),
            received_bytes=total.received_bytes + len(encoded.content),
            worker_seconds=total.worker_seconds + encoded.seconds,
            filter_seconds=total.filter_seconds + encoded.filter_seconds,
            seconds=time.monotonic() - begun.at,
            worker_processor_seconds=total.worker_processor_seconds + encoded.processor_seconds,
            driver_processor_seconds=time.process_time() - begun.used,
        )

    def _count_motion(self, task: SegmentTask, motion: SegmentMotion) -> None:
        total = self._summary
        self._summary = replace(
            total,
            sent_bytes=total.sent_bytes + len(task.parcel.packets),
            worker_seconds=total.worker_seconds + motion.seconds,
            motion_seconds=total.motion_seconds + motion.seconds,
            worker_processor_seconds=total.worker_processor_seconds + motion.processor_seconds,
        )

    def _failed(self, task: SegmentTask, node: Node, error: Exception) -> None:
        if isinstance(error, UnknownTimesError):
            error = task.file.unknown_times()
        is_final = isinstance(error, TurbolensError) and not isinstance(error, NotEnoughMemoryError)
        if is_final or self._count(task, type(error).__name__):
            self._give_up(task.file, error)
            return
        self._listener.notice(task.file, f"a segment failed on {node.name} ({error}): tried again")
        self._again(task)

    def _count(self, task: SegmentTask, reason: str) -> bool:
        """Count a failure. True if it was the last attempt."""
        task.failures[reason] += 1
        return task.failures[reason] >= ATTEMPTS

    def _again(self, task: SegmentTask) -> None:
        self._summary = replace(self._summary, retries=self._summary.retries + 1)
        self._waiting.append(task)

    def _killed(self, task: SegmentTask) -> None:
        if self._count(task, KILLED) and not task.file.failed:
            index = (
                "the first frame" if task.planned is None else f"segment {task.planned.index + 1}"
            )
            self._give_up(task.file, MediaError(
                f"{task.file.job.source}: {index} has ended {ATTEMPTS} workers; is there enough"
                " memory for its frames?"
            ))  # fmt: skip

    def _give_up(self, file: ClusterFile, error: Exception) -> None:
        file.failed = True
        self._end(file)
        self._listener.failed(file.job, error)

    def _end(self, file: ClusterFile) -> None:
        self._planner.end(file)
        self._files_done += 1

    def _finish_files(self) -> None:
        for file, error in self._planner.failures():
            if not file.failed:
                self._give_up(file, error)
        for file in list(self._planner.files):
            if file.is_done and file not in self._finishing.values():
                self._finishing[self._finisher.submit(file.finish)] = file
        for future in [each for each in self._finishing if each.done()]:
            file = self._finishing.pop(future)
            try:
                report = future.result()
            except (TurbolensError, OSError) as error:
                self._give_up(file, error)
                continue
            self._end(file)
            self._listener.done(file.job, report)

    def _report(self) -> None:
        nodes = self._rates.by_node()
        frames, total = self._planner.frames
        fps = sum(nodes.values())
        self._listener.progress(ClusterProgress(
            self._files_done, self._total_files, self._summary.segments,
            self._planner.cut_segments, frames, total, fps, nodes,
            sum(worker.task is not None for worker in self._pool.workers),
            (total - frames) / fps if fps and self._planner.is_over else None,
        ))  # fmt: skip


def run_on_cluster(
    jobs: Iterable[VideoJob],
    options: ClusterOptions,
    listener: Listener,
    *,
    total_files: int | None = None,
) -> ClusterSummary:
    """Filter files on a cluster. `jobs` is read on another thread, and may wait for files.

    One that fails is reported, and the others go on. Raises `ClusterError` if the cluster cannot be
    reached or none of its nodes can work, `SettingsError` without Ray, and `KeyboardInterrupt`
    after Ctrl-C. Finished segments are kept then.
    """
    with connected(options.connection) as ray:
        return Driver(ray, options, listener).run(jobs, total_files)
