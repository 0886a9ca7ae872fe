"""Cuts files one after the other, on a thread, a few segments ahead of the workers."""

import queue
from collections.abc import Callable, Iterable
from threading import Event, Thread
from typing import TypeAlias

from turbolens.filter.errors import TurbolensError
from turbolens.pipelines.video.job import VideoJob

from .file_job import ClusterFile, SegmentTask

Tasks: TypeAlias = Iterable[SegmentTask]

AHEAD = 2  # segments that are cut before a worker is free
POLL = 0.2  # seconds between two looks whether to stop
GRACE = 5.0  # seconds; an iterator of jobs may wait for files


class PlannerThread:
    """Gives tasks while the files are read. At most `AHEAD` of them wait in memory.

    notice: called with a file and a text. files: those that are begun and not ended. cut_segments:
    how many tasks for segments there were.
    """

    def __init__(self, notice: Callable[[ClusterFile | None, str], None]) -> None:
        self._notice = notice
        self._tasks: queue.Queue[SegmentTask] = queue.Queue(AHEAD)
        self._failures: queue.SimpleQueue[tuple[ClusterFile, Exception]] = queue.SimpleQueue()
        self._stopped, self._thread = Event(), Thread()
        self._error: BaseException | None = None
        self._ended_frames = 0
        self.has_begun = False
        self.cut_segments = 0
        self.files: list[ClusterFile] = []

    def begin(self, jobs: Iterable[VideoJob], tasks: Callable[[ClusterFile], Tasks]) -> None:
        """Begin to cut. tasks: of a file."""
        self.has_begun = True
        self._thread = Thread(target=self._run, args=(jobs, tasks), name="plan", daemon=True)
        self._thread.start()

    @property
    def is_over(self) -> bool:
        """True once all tasks were taken. Raises the error that has ended the thread."""
        if not self.has_begun or self._thread.is_alive():
            return False
        if self._error is not None:
            raise self._error
        return self._tasks.empty() and self._failures.empty()

    @property
    def has_waiting(self) -> bool:
        """True if a task waits for a worker."""
        return not self._tasks.empty()

    def get(self) -> SegmentTask | None:
        """The next task, `None` if there is none yet."""
        try:
            return self._tasks.get_nowait()
        except queue.Empty:
            return None

    def failures(self) -> Iterable[tuple[ClusterFile, Exception]]:
        """The files that could not be cut since the last call, and why."""
        while not self._failures.empty():
            yield self._failures.get()

    @property
    def frames(self) -> tuple[int, int]:
        """How many frames are finished, and how many there are in the files known so far."""
        done = self._ended_frames + sum(file.frames for file in self.files)
        return done, self._ended_frames + sum(file.total_frames for file in self.files)

    def end(self, file: ClusterFile) -> None:
        """Close a file that is finished or has failed."""
        self.files.remove(file)
        self._ended_frames += file.frames
        file.close()

    def stop(self) -> None:
        """End the thread."""
        self._stopped.set()
        if self.has_begun:
            self._thread.join(GRACE)

    def _run(self, jobs: Iterable[VideoJob], tasks: Callable[[ClusterFile], Tasks]) -> None:
        try:
            for job in jobs:
                if self._stopped.is_set():
                    return
                file = ClusterFile(job, self._notice)
                self.files.append(file)
                self._cut(file, tasks(file))
        except BaseException as error:  # noqa: BLE001 - edge of a thread: raised in the caller's
            self._error = error

    def _cut(self, file: ClusterFile, tasks: Tasks) -> None:
        try:
            for task in tasks:
                self.cut_segments += task.planned is not None
                if not self._put(task):
                    return
        except (TurbolensError, OSError) as error:
            self._failures.put((file, error))

    def _put(self, task: SegmentTask) -> bool:
        """Wait until there is room. False if the task is not wanted any more."""
        while not (self._stopped.is_set() or task.file.failed):
            try:
                self._tasks.put(task, timeout=POLL)
            except queue.Full:
                continue
            return True
        return False
