"""Frame filters that load in no time on a worker, and a run of a file's tasks in this process."""

import os
import signal
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import av
import av.filter
import numpy as np

from turbolens.filter import ModelNotFoundError, TextureShift, TextureStep
from turbolens.filter.errors import NotEnoughMemoryError
from turbolens.pipelines.cluster.file_job import ClusterFile, SegmentTask
from turbolens.pipelines.cluster.motion import SegmentMotion
from turbolens.pipelines.cluster.worker import LoadedFilter, SegmentWorker
from turbolens.pipelines.video.job import VideoJob, VideoOptions
from turbolens.pipelines.video.report import VideoReport
from turbolens.pipelines.video.segments.segmentation import Segmentation
from turbolens.pipelines.video.writer import Encoding

CHUNK = 256 << 20  # bytes
LIMIT = 30.0  # seconds in which a process that takes too much must be ended
LOSSLESS = Encoding(codec="ffv1")  # x264 gives other bytes on each run


class Inverting:
    """Inverts every colour. It has no memory."""

    def __call__(self, frame: av.VideoFrame) -> av.VideoFrame:
        """The inverted frame."""
        graph = av.filter.Graph()
        source = graph.add_buffer(
            width=frame.width, height=frame.height, format=frame.format, time_base=frame.time_base
        )
        graph.link_nodes(source, graph.add("negate"), graph.add("buffersink")).configure()
        graph.vpush(frame)
        return graph.vpull()

    def reset(self) -> None:
        """There is nothing to forget."""


class Fading:
    """Blends each result with the one before. A frame equal to the last one is not filtered again.

    reused: how many those were.
    """

    def __init__(self) -> None:
        self.reused = 0
        self.reset()

    def reset(self) -> None:
        """Forget the past."""
        self._past: Any = None
        self._last: Any = None

    def __call__(self, frame: av.VideoFrame) -> av.VideoFrame:
        """The blended frame."""
        pixels = frame.to_ndarray(format="rgb24").astype(float)
        if self._last is not None and np.abs(pixels - self._last).max() < 1:
            self.reused += 1
        else:
            self._past = pixels if self._past is None else 0.9 * self._past + 0.1 * pixels
        self._last = pixels
        return av.VideoFrame.from_ndarray(self._past.round().astype(np.uint8), format="rgb24")


@dataclass
class KillingOnce(Inverting):
    """Ends its own process at a frame, unless the file `spared` exists, which it makes then."""

    spared: Path
    pts: int
    always: bool = False

    def __call__(self, frame: av.VideoFrame) -> av.VideoFrame:
        """The inverted frame."""
        if frame.pts == self.pts and (self.always or not self.spared.exists()):
            self.spared.touch()
            os.kill(os.getpid(), signal.SIGKILL)
        return super().__call__(frame)


@dataclass
class FailingOnce(Inverting):
    """Has not enough memory at a frame, unless the file `spared` exists, which it makes then."""

    spared: Path
    pts: int

    def __call__(self, frame: av.VideoFrame) -> av.VideoFrame:
        """The inverted frame. Raises `NotEnoughMemoryError`."""
        if frame.pts == self.pts and not self.spared.exists():
            self.spared.touch()
            raise NotEnoughMemoryError("not enough device memory")
        return super().__call__(frame)


@dataclass
class Growing(Inverting):
    """Takes so many bytes at a frame, unless the file `spared` exists, which it makes then."""

    spared: Path
    pts: int
    most: int

    def __call__(self, frame: av.VideoFrame) -> av.VideoFrame:
        """The inverted frame."""
        if frame.pts == self.pts and not self.spared.exists():
            self.spared.touch()
            taken = [np.ones(CHUNK, np.uint8) for _ in range(self.most // CHUNK)]
            time.sleep(LIMIT)
            del taken
        return super().__call__(frame)


@dataclass
class Waiting(Inverting):
    """Waits at each frame from `pts` on until the file `go` exists."""

    go: Path
    pts: int

    def __call__(self, frame: av.VideoFrame) -> av.VideoFrame:
        """The inverted frame."""
        while (frame.pts or 0) >= self.pts and not self.go.exists():
            time.sleep(0.05)
        return super().__call__(frame)


class Textured:
    """Shows how far its texture has moved, which differs from frame to frame.

    cuts: the `pts` of frames that begin a scene. killing: if given, the process ends by following
    the frame of this `pts`, unless the file `spared` exists, which it makes then.
    """

    def __init__(
        self, cuts: Sequence[int] = (), killing: int | None = None, spared: Path | None = None
    ) -> None:
        self._cuts, self._killing, self._spared = cuts, killing, spared
        self.reset()

    def reset(self) -> None:
        """Forget the past."""
        self._moved: float | None = None
        self._places: dict[int, float] = {}

    @property
    def texture_shift(self) -> TextureShift | None:
        """The sum of what the frames since a cut have moved."""
        return None if self._moved is None else TextureShift(self._moved, -self._moved)

    def place_textures(self, shift: TextureShift, *, begin: int) -> None:
        """Let this be the shift from a frame on."""
        self._places[begin] = shift.x

    def follow(self, frames: Sequence[av.VideoFrame]) -> list[TextureStep]:
        """The shift after each frame."""
        return [self._step(frame.pts or 0) for frame in frames]

    def _step(self, pts: int) -> TextureStep:
        if pts == self._killing and self._spared is not None and not self._spared.exists():
            self._spared.touch()
            os.kill(os.getpid(), signal.SIGKILL)
        is_new = self._moved is None or pts in self._cuts
        moved = 0.0 if is_new or self._moved is None else self._places.get(pts, self._moved)
        self._moved = moved if is_new else moved + (pts // 20 % 5 + 1) / 1024
        return TextureStep(TextureShift(self._moved, -self._moved), is_new)

    def __call__(self, frame: av.VideoFrame) -> av.VideoFrame:
        """A frame whose levels are the shift."""
        killing, self._killing = self._killing, None
        level = round(self._step(frame.pts or 0).shift.x * 1024) % 65536
        self._killing = killing
        pixels = np.zeros((frame.height, frame.width, 3), np.uint8)
        pixels[...] = (*divmod(level, 256), 128)
        return av.VideoFrame.from_ndarray(pixels, format="rgb24")


@dataclass(frozen=True)
class Make:
    """Makes a frame filter on a worker.

    variable: in a node's environment it names the weights there, or is "missing", or "hanging" for
    a process that stops itself. dtypes: a folder in which every process writes its dtype, which
    each chooses differently if it may.
    """

    frame_filter: Any = field(default_factory=Inverting)
    run_up: int = 0
    variable: str = ""
    missing_by_default: bool = False
    dtypes: Path | None = None
    has_textures: bool = False

    def __call__(self, dtypes: Mapping[str, str]) -> LoadedFilter:
        """The filter, or an error that says what is missing on this node."""
        default = "missing" if self.missing_by_default else "the same"
        value = os.environ.get(self.variable, default)
        if value == "missing":
            raise ModelNotFoundError("`turbolens models pull sd-turbo` downloads it")
        if value == "hanging":
            os.kill(os.getpid(), signal.SIGSTOP)
        identity = {"model's files": value}
        if self.dtypes is not None:
            identity |= {"device": "cpu", "dtype": dtypes.get("cpu", f"chosen by {os.getpid()}")}
            (self.dtypes / str(os.getpid())).write_text(identity["dtype"])
        return LoadedFilter(self.frame_filter, identity, self.run_up, self.has_textures)


def run_tasks(
    source: Path, target: Path, make: Any, *, shuffled: bool = False, **properties: Any
) -> VideoReport:
    """Filter a file by the tasks of a cluster, in this process.

    make: as `Make`. shuffled: the last segment first. properties: of `VideoOptions` or
    `Segmentation`.
    """
    file, tasks, segmentation = planned(source, target, make, **properties)
    worker = SegmentWorker(make)
    store_all(file, worker, reversed(tasks) if shuffled else tasks)
    report = file.finish()
    file.close()
    assert segmentation.seconds
    return report


def planned(
    source: Path, target: Path, make: Any, **properties: Any
) -> tuple[ClusterFile, list[SegmentTask], Segmentation]:
    """A file and its tasks."""
    segmentation = Segmentation(properties.pop("seconds", 2), properties.pop("resume", True))
    options = VideoOptions(**{"encoding": LOSSLESS, **properties})
    file = ClusterFile(VideoJob.prepare(str(source), str(target), options), lambda *_: None)
    tasks = file.tasks(segmentation, run_up=make.run_up, has_textures=make.has_textures)
    return file, list(tasks), segmentation


def store_all(file: ClusterFile, worker: SegmentWorker, tasks: Iterable[SegmentTask]) -> None:
    """Run tasks, each as soon as it is ready."""
    waiting = list(tasks)
    while waiting:
        task = next(each for each in waiting if each.is_ready)
        waiting.remove(task)
        result = getattr(worker, task.method)(task.argument)
        if isinstance(result, SegmentMotion):
            file.follow(task, result)
            waiting.append(task)
        else:
            file.store(task, result)
