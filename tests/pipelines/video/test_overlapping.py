"""Files whose frames overlap in the filter: the same pictures, and the same run-ups."""

from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from turbolens.filter import FilterSettings, FrameFilter, TurboModel
from turbolens.pipelines.scene.frames import TestScene
from turbolens.pipelines.video.job import VideoOptions, filter_video
from turbolens.pipelines.video.segments.run_up import Batch, RunUpTracker, tracked
from turbolens.pipelines.video.writer import Encoding

pytestmark = pytest.mark.slow

LOSSLESS = Encoding(codec="ffv1", format_name="matroska")
SETTINGS = FilterSettings(prompt="van gogh", size=96)


@pytest.fixture(autouse=True)
def two_processors(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("turbolens.filter.batching.overlap.processors", lambda: 2)
    monkeypatch.setattr("turbolens.filter.beside.processors", lambda: 2)


@pytest.fixture(scope="module")
def model() -> TurboModel:
    return TurboModel.load(dtype="float32")


def _frames(count: int) -> Iterator[av.VideoFrame]:
    """A pan of the test scene, in which the third frame is shown three times."""
    scene = [each.picture for each in TestScene(160, 64, frames=count)]
    pictures = [
        np.ascontiguousarray(each[:, 2 * index : 2 * index + 96])
        for index, each in enumerate(scene)
    ]
    for index, picture in enumerate([*pictures[:3], pictures[2], pictures[2], *pictures[3:]]):
        frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
        frame.pts, frame.time_base = index, Fraction(1, 30)
        yield frame


def _pictures(path: Path) -> list[np.ndarray]:
    with av.open(str(path)) as container:
        return [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]


@pytest.mark.parametrize("compare", [False, True])
def test_a_file_has_the_pictures_of_one_frame_at_a_time(
    model: TurboModel, tmp_path: Path, *, compare: bool
) -> None:
    results = []
    for name, batch in (("overlapping", None), ("alone", 1)):
        target = tmp_path / f"{name}.mkv"
        options = VideoOptions(
            encoding=LOSSLESS, batch=batch, compare=compare, duration=Fraction(1, 2)
        )
        report = filter_video("test-scene", str(target), FrameFilter(model, SETTINGS), options)
        assert report.frames == 15
        results.append(_pictures(target))
    assert len(results[0]) == 15
    np.testing.assert_array_equal(results[0], results[1])


def test_run_ups_begin_where_they_do_for_one_frame_at_a_time(model: TurboModel) -> None:
    added: list[list[Batch]] = []
    seen: list[list[int | None]] = []

    class Noting(RunUpTracker):
        def add(self, batch: Batch) -> None:
            added[-1].append(batch)

    def look(frame: av.VideoFrame) -> None:
        seen[-1].append(frame.pts)

    film = list(_frames(12))
    for overlapping in (False, True):
        added.append([])
        seen.append([])
        watched = tracked(FrameFilter(model, SETTINGS), Noting(4), look)
        if overlapping:
            assert len(list(watched.frames(film))) == 14  # type: ignore[attr-defined]
        else:
            for frame in film:
                watched(frame)
        assert seen[-1] == list(range(14))
    assert added[0] == added[1]
    assert [each.new for each in added[0]][2:6] == [1, 0, 0, 1]
    assert added[0][-1].shift is not None
