"""Measure a file: the frame rate of decoding, filtering and encoding together, and of each alone.

All parts are measured in one run on the same frames. The filter alone is measured before and after
the whole, so that a change in the machine's speed affects both.
"""

import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import chain, cycle, islice
from pathlib import Path
from time import perf_counter, process_time
from typing import Any

import av

from turbolens.filter import FrameFilter
from turbolens.filter.beside import bound_processors
from turbolens.pipelines.base import Notify, ignore
from turbolens.pipelines.scene.frames import TestScene
from turbolens.pipelines.video.job import VideoOptions, filter_video
from turbolens.pipelines.video.media import MediaOptions, open_reader
from turbolens.pipelines.video.outputs import check_output
from turbolens.pipelines.video.pipeline import AUTO_BATCH
from turbolens.pipelines.video.writer import Encoding

from .machine import device_name

RATE = 30
DIFFERENT_FRAMES = 30  # of the test scene, played to and fro
WARM_UP = 3  # batches, or as many frames: backends are prepared and tried


@dataclass(frozen=True)
class Cost:
    """Milliseconds per frame: of time, and of time of all processors together."""

    ms: float
    cpu_ms: float


@dataclass(frozen=True)
class FileReport:
    """The costs of a file of the test scene, and what they were measured on.

    single: the filter alone, frame by frame as `turbolens bench` measures it. stream: the filter
    alone, with frames that overlap or in batches, as a file has them. whole: decoding, filtering
    and encoding at the same time. processors: how many this process may use.
    """

    model: str
    device: str
    dtype: str
    accelerations: dict[str, str]
    width: int
    height: int
    frames: int
    processors: int
    decode: Cost
    encode: Cost
    single: Cost
    stream: Cost
    whole: Cost

    @property
    def fps(self) -> float:
        """Frames per second of the whole."""
        return 1000 / self.whole.ms

    @property
    def share_of_filter(self) -> float:
        """The frame rate of the whole, as a share of that of the filter alone in a stream."""
        return self.stream.ms / self.whole.ms

    @property
    def share_of_single(self) -> float:
        """The frame rate of the whole, as a share of that of the filter alone, frame by frame."""
        return self.single.ms / self.whole.ms

    @property
    def bound_fps(self) -> float:
        """The frame rate at which the parts would keep all processors busy all the time."""
        cpu_ms = self.decode.cpu_ms + self.stream.cpu_ms + self.encode.cpu_ms
        return 1000 * self.processors / cpu_ms


def measure_file(
    frame_filter: FrameFilter,
    *,
    width: int,
    height: int,
    frames: int,
    encoding: Encoding,
    notify: Notify = lambda _: None,
) -> FileReport:
    """Measure an H.264 file of the test scene with so many frames.

    encoding: of the result. notify: called with the name of each part when it begins. Raises
    `MediaError` if the encoder does not work here.
    """
    with tempfile.TemporaryDirectory() as folder:
        parts = _Parts(frame_filter, Path(folder), encoding)
        notify("clip")
        parts.write_clip(width, height, frames)
        notify("decode")
        decode = _cost(parts.decode, frames)
        notify("warm-up")
        parts.warm_up()
        notify("filter")
        half = frames // 2
        single = _cost(lambda: parts.filter_singly(half), half)
        before = _cost(lambda: parts.filter_stream(0, half), half)
        notify("whole")
        whole = _cost(parts.run_whole, frames)
        notify("filter")
        after = _cost(lambda: parts.filter_stream(half, frames), frames - half)
        notify("encode")
        encode = _cost(parts.encode, frames)
    model = frame_filter.model
    return FileReport(
        model=model.name, device=device_name(model.device),
        dtype=str(model.dtype).removeprefix("torch."), accelerations=model.accelerations,
        width=width, height=height, frames=frames, processors=bound_processors(),
        decode=decode, encode=encode, single=single, stream=_mean(before, after), whole=whole,
    )  # fmt: skip


class _Parts:
    """The parts of the work on one clip. The results of the filter are kept for the encoder."""

    def __init__(self, frame_filter: FrameFilter, folder: Path, encoding: Encoding) -> None:
        self._filter, self._encoding = frame_filter, encoding
        self._clip, self._result = str(folder / "clip.mp4"), str(folder / "result.mp4")
        self._decoded: list[av.VideoFrame] = []
        self._filtered: list[av.VideoFrame] = []

    def write_clip(self, width: int, height: int, frames: int) -> None:
        options = {"preset": "veryfast", "crf": "18"}
        with av.open(self._clip, "w") as output:
            stream: Any = output.add_stream("libx264", RATE, options=options)
            stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
            for number, frame in enumerate(_to_and_fro(width, height, frames)):
                frame.pts, frame.time_base = number, Fraction(1, RATE)
                output.mux(stream.encode(frame))
            output.mux(stream.encode(None))

    def decode(self) -> None:
        with_packets = open_reader(self._clip, MediaOptions(), ignore)
        self._decoded = [item for item in with_packets if isinstance(item, av.VideoFrame)]
        with_packets.close()

    def warm_up(self) -> None:
        self._filter(self._decoded[0])
        self.filter_stream(0, WARM_UP * AUTO_BATCH)
        self._filtered.clear()

    def filter_singly(self, count: int) -> None:
        for frame in self._decoded[:count]:
            self._filter(frame)

    def filter_stream(self, start: int, end: int) -> None:
        if self._filter.prefers_streams:
            self._filtered += self._filter.frames(self._decoded[start:end])
            return
        end = min(end, len(self._decoded))
        for first in range(start, end, AUTO_BATCH):
            self._filtered += self._filter.batch(
                self._decoded[first : min(end, first + AUTO_BATCH)]
            )

    def run_whole(self) -> None:
        options = VideoOptions(encoding=self._encoding, overwrite=True)
        filter_video(self._clip, self._result, self._filter, options)

    def encode(self) -> None:
        options = MediaOptions(encoding=self._encoding, overwrite=True)
        reader = open_reader(self._clip, options, ignore)
        writer = check_output(self._result, self._clip, options).writer(reader.info, ignore)
        for before, filtered in zip(self._decoded, self._filtered, strict=True):
            filtered.pts, filtered.time_base = before.pts, before.time_base
            writer.write(filtered)
        writer.finish()
        reader.close()


def _to_and_fro(width: int, height: int, frames: int) -> Iterator[av.VideoFrame]:
    """Frames of the test scene without a cut, in yuv420p."""
    scene = TestScene(width, height, frames=min(frames, DIFFERENT_FRAMES), cuts=False)
    drawn: Sequence[av.VideoFrame] = [each.frame.reformat(format="yuv420p") for each in scene]
    return islice(cycle(chain(drawn, drawn[-2:0:-1])), frames)


def _cost(run: Callable[[], object], frames: int) -> Cost:
    began, cpu_began = perf_counter(), process_time()
    run()
    scale = 1000 / max(1, frames)
    return Cost((perf_counter() - began) * scale, (process_time() - cpu_began) * scale)


def _mean(first: Cost, second: Cost) -> Cost:
    return Cost((first.ms + second.ms) / 2, (first.cpu_ms + second.cpu_ms) / 2)
