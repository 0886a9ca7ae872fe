"""Textures of a look lie in the same places after an interruption, although the camera moves."""

from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from turbolens.filter import FilterSettings, FrameFilter, MediaError, TurboModel
from turbolens.pipelines.scene.frames import TestScene
from turbolens.pipelines.video.job import VideoJob, VideoOptions
from turbolens.pipelines.video.report import VideoReport
from turbolens.pipelines.video.segments.manifest import Manifest, Segment
from turbolens.pipelines.video.segments.run_up import run_up_frames
from turbolens.pipelines.video.segments.segmentation import Segmentation

from .films import LOSSLESS, parts_of, pictures_of, psnr

pytestmark = pytest.mark.slow

SECONDS = Fraction(8, 5)  # of a segment; without a scene cut it is 100 frames long
RATE, FRAMES, SEAM = 50, 280, 200
FAILURE = 270  # a frame after which the second segment is written, as the queues hold 64 frames
SIZE = (320, 180)
SETTINGS = FilterSettings(prompt="pencil sketch", size=64)


@pytest.fixture(scope="module")
def panned(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The test scene, over which the camera moves without a cut."""
    path = tmp_path_factory.mktemp("film") / "pan.mkv"
    with av.open(str(path), "w") as output:
        video: Any = output.add_stream("ffv1", rate=RATE)
        video.width, video.height, video.pix_fmt = *SIZE, "yuv420p"
        for index, each in enumerate(TestScene(*SIZE, rate=12, frames=FRAMES, cuts=False)):
            frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(each.picture), format="rgb24")
            frame.pts, frame.time_base = index, Fraction(1, RATE)
            output.mux(video.encode(frame))
        output.mux(video.encode(None))
    return path


@pytest.fixture(scope="module")
def model() -> TurboModel:
    """The embedded model, whose looks have textures. Rounding in bfloat16 would not fade."""
    return TurboModel.load(dtype="float32")


class Interrupted(FrameFilter):
    """A filter that fails at frame `FAILURE`."""

    def batch(self, frames: Any) -> Any:
        """The filtered frames. Raises `MediaError`."""
        if frames[-1].time * RATE >= FAILURE:
            raise MediaError("out of ideas")
        return super().batch(frames)

    def frames(self, frames: Any) -> Any:
        """The same for a stream."""
        return super().frames(self._until_the_failure(frames))

    def _until_the_failure(self, frames: Any) -> Iterator[Any]:
        for frame in frames:
            if frame.time * RATE >= FAILURE:
                raise MediaError("out of ideas")
            yield frame


def run(film: Path, target: Path, frame_filter: Any, *, whole: bool = False) -> VideoReport:
    """Filter the film, in segments of `SECONDS` or in one piece."""
    job = VideoJob.prepare(str(film), str(target), VideoOptions(encoding=LOSSLESS))
    run_up = run_up_frames(SETTINGS)
    return job.run(
        frame_filter, segmentation=None if whole else Segmentation(SECONDS, run_up=run_up)
    )


def interrupt(film: Path, target: Path, model: TurboModel) -> None:
    """Run until the second segment is finished."""
    with pytest.raises(MediaError, match="are kept in"):
        run(film, target, Interrupted(model, SETTINGS))
    assert parts_of(target)[:3] == ["00000.packets", "00001.packets", "lock"]


def worst(whole: Path, target: Path) -> float:
    """The PSNR of the picture that differs most, in dB."""
    pairs = zip(pictures_of(whole), pictures_of(target), strict=True)
    return min(psnr(*pair) for pair in pairs)


def forget_textures(segment: Segment) -> Segment:
    """A segment as older versions have stored it."""
    assert segment.following is not None
    return replace(segment, following=replace(segment.following, textures=()))


@pytest.fixture(scope="module")
def whole(panned: Path, model: TurboModel, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The film, filtered in one piece."""
    target = tmp_path_factory.mktemp("whole") / "whole.mkv"
    run(panned, target, FrameFilter(model, SETTINGS), whole=True)
    return target


@pytest.mark.parametrize("processors", [1, 2], ids=["in batches", "overlapping"])
def test_textures_are_where_they_were_after_an_interruption(
    panned: Path,
    whole: Path,
    model: TurboModel,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    processors: int,
) -> None:
    monkeypatch.setattr("turbolens.filter.batching.overlap.processors", lambda: processors)
    monkeypatch.setattr("turbolens.filter.beside.processors", lambda: processors)
    target = tmp_path / "out.mkv"
    interrupt(panned, target, model)
    assert run(panned, target, FrameFilter(model, SETTINGS)).resumed == SEAM
    assert worst(whole, target) >= 40


def test_a_run_goes_on_after_segments_that_do_not_tell_where_textures_were(
    panned: Path, whole: Path, model: TurboModel, tmp_path: Path
) -> None:
    target = tmp_path / "out.mkv"
    interrupt(panned, target, model)
    stored = tmp_path / "out.mkv.parts" / "manifest.json"
    manifest = Manifest.from_bytes(stored.read_bytes())
    old = replace(manifest, segments=tuple(map(forget_textures, manifest.segments)))
    stored.write_bytes(old.to_bytes().replace(b',\n    "textures": []', b""))
    assert b"textures" not in stored.read_bytes()
    assert run(panned, target, FrameFilter(model, SETTINGS)).resumed == SEAM
    assert worst(whole, target) < 40
