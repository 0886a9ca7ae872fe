"""Measures what a segment costs on a cluster, on this machine: workers of one core each."""

import os
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from fractions import Fraction
from functools import partial
from pathlib import Path
from statistics import median

import av
import numpy as np
from numpy.typing import NDArray

from turbolens.filter import FilterSettings
from turbolens.filter.errors import MediaError
from turbolens.pipelines.cluster.connection import LOCAL, Connection
from turbolens.pipelines.cluster.driver import (
    ClusterOptions,
    ClusterSummary,
    Listener,
    run_on_cluster,
)
from turbolens.pipelines.cluster.nodes import Share
from turbolens.pipelines.cluster.worker import Load, LoadedFilter, load_chosen
from turbolens.pipelines.model_choice import ModelChoice, load_filter
from turbolens.pipelines.video.job import VideoJob, VideoOptions, filter_video
from turbolens.pipelines.video.segments.segmentation import Segmentation
from turbolens.pipelines.video.writer import Encoding

SEGMENT_SECONDS = Fraction(2)
OBJECT_STORE_BYTES = 128 << 20
LOSSLESS = Encoding(codec="ffv1", format_name="matroska")
SAME_DB = 100.0
POLL = 0.02  # seconds


@dataclass(frozen=True)
class ClusterReport:
    """What was measured. ones, twos: the runs with one and with two workers, in turn.

    frames: of the film. seam_db: the lowest PSNR of any frame against a run in one piece, 100 if
    all are equal.
    """

    frames: int
    ones: tuple[ClusterSummary, ...]
    twos: tuple[ClusterSummary, ...]
    seam_db: float

    @property
    def one(self) -> ClusterSummary:
        """The run with one worker that took the median time."""
        return _median(self.ones)

    @property
    def two(self) -> ClusterSummary:
        """The run with two workers that took the median time."""
        return _median(self.twos)

    @property
    def speed_up(self) -> float:
        """Of two workers over one: the median of the rounds."""
        return median(one.seconds / two.seconds
                      for one, two in zip(self.ones, self.twos, strict=True))  # fmt: skip

    @property
    def possible_speed_up(self) -> float:
        """What the second worker could bring if both cores were busy all the time.

        It is less than 2, as the driver needs a part of them.
        """
        used = self.two.worker_processor_seconds + self.two.driver_processor_seconds
        return 2 * self.one.worker_processor_seconds / used

    @property
    def driver_s(self) -> float:
        """Seconds of a core that the driver needs for a segment."""
        return self.two.driver_processor_seconds / self.two.segments

    @property
    def overhead_s(self) -> float:
        """Seconds of a segment on a worker that are not spent in the filter: decoding, encoding."""
        one = self.one
        return (one.worker_seconds - one.filter_seconds - one.motion_seconds) / one.segments

    @property
    def motion_s(self) -> float:
        """Seconds of a segment on a worker to follow its textures."""
        return self.one.motion_seconds / self.one.segments

    @property
    def transport_s(self) -> float:
        """Seconds of a segment, with one worker, in which the worker had nothing to do."""
        return (self.one.seconds - self.one.worker_seconds) / self.one.segments


def _median(runs: Sequence[ClusterSummary]) -> ClusterSummary:
    return sorted(runs, key=lambda run: run.seconds)[len(runs) // 2]


@dataclass(frozen=True)
class _LoadTogether:
    """Loads a filter on a core of its own, and waits until so many workers have done so.

    folder: for their marks. Without a core of its own, a lone worker would decode and encode on
    the cores of the others.
    """

    load: Callable[[Mapping[str, str]], LoadedFilter]
    folder: Path
    workers: int

    def __call__(self, dtypes: Mapping[str, str]) -> LoadedFilter:
        self.folder.mkdir(exist_ok=True)
        _keep_to_core(self._number())
        loaded = self.load(dtypes)
        (self.folder / f"{os.getpid()} loaded").touch()
        while len(list(self.folder.glob("* loaded"))) < self.workers:
            time.sleep(POLL)
        return loaded

    def _number(self) -> int:
        """0 for the first worker that asks, 1 for the second, and so on."""
        number = 0
        while True:
            with suppress(FileExistsError):
                (self.folder / f"worker {number}").touch(exist_ok=False)
                return number
            number += 1


def _keep_to_core(number: int) -> None:
    """Let all threads of this process run on one core, where the system can do that."""
    if sys.platform == "linux":
        cores = sorted(os.sched_getaffinity(0))
        for thread in os.listdir("/proc/self/task"):
            os.sched_setaffinity(int(thread), {cores[number % len(cores)]})


def measure_cluster(
    folder: Path, settings: FilterSettings, choice: ModelChoice, *, seconds: Fraction, rounds: int
) -> ClusterReport:
    """Filter the test scene, of this length, with one and with two workers, and in one piece.

    folder: for the files. rounds: how often with one and with two, in turn.

    Raises `ClusterError`, `SettingsError` without Ray, and `MediaError`.
    """
    film = folder / "film.mp4"
    frames = filter_video(
        "test-scene", str(film), lambda frame: frame, VideoOptions(duration=seconds)
    ).frames
    runs: dict[int, list[ClusterSummary]] = {1: [], 2: []}
    for index in range(rounds):
        for workers, those in runs.items():
            load = _LoadTogether(
                partial(load_chosen, choice, settings), folder / f"{index}-{workers}", workers
            )
            those.append(_run(film, folder / f"{index}-{workers}.mkv", workers, load))
    filter_video(
        str(film), str(folder / "whole.mkv"), load_filter(choice, settings),
        VideoOptions(encoding=LOSSLESS),
    )  # fmt: skip
    pairs = zip(_pictures(folder / "whole.mkv"), _pictures(folder / "0-2.mkv"), strict=True)
    return ClusterReport(
        frames, tuple(runs[1]), tuple(runs[2]), min(_psnr(*pair) for pair in pairs)
    )


def _run(film: Path, target: Path, workers: int, load: Load) -> ClusterSummary:
    connection = Connection(LOCAL, cores=workers, object_store_bytes=OBJECT_STORE_BYTES)
    job = VideoJob.prepare(str(film), str(target), VideoOptions(encoding=LOSSLESS))
    return run_on_cluster(
        [job],
        ClusterOptions(connection, load, Segmentation(SEGMENT_SECONDS), Share(cores=1)),
        Listener(
            lambda _, text: None, lambda _: None, lambda job, report: None, failed=_raise
        ),
    )  # fmt: skip


def _raise(job: VideoJob, error: Exception) -> None:
    raise MediaError(f"{job.source} could not be filtered: {error}") from error


def _pictures(path: Path) -> Iterator[NDArray[np.float32]]:
    with av.open(str(path)) as container:
        for frame in container.decode(video=0):
            yield frame.to_ndarray(format="rgb24").astype(np.float32)


def _psnr(first: NDArray[np.float32], second: NDArray[np.float32]) -> float:
    error = float(((first - second) ** 2).mean())
    return SAME_DB if error == 0 else min(SAME_DB, 10 * float(np.log10(255**2 / error)))
