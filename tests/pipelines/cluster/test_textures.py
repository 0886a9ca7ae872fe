"""Textures go on where they were at a seam, although segments are made at the same time."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import torch

from tests.pipelines.video.segments.films import CUTS, FRAMES, SAME, content_of, run
from tests.pipelines.video.segments.test_textures import (
    SECONDS,
    SETTINGS,
    model,
    panned,
    whole,
    worst,
)
from turbolens.filter import FrameFilter, TurboModel
from turbolens.pipelines.cluster.motion import Move, SegmentMotion, TextureChain
from turbolens.pipelines.cluster.worker import LoadedFilter, SegmentWorker
from turbolens.pipelines.video.segments.manifest import TexturePlace

from .conftest import Run
from .filters import Make, Textured, planned, run_tasks, store_all

__all__ = ["model", "panned", "whole"]  # fixtures

TICKS = 20  # of a Matroska file's times, for each frame
SCENE = 120  # frames; another cut than those at which segments begin


def cuts(film: Path) -> list[int]:
    """The `pts` of the frames at which a scene begins."""
    return [TICKS * each for each in (CUTS[0], SCENE)]


@pytest.fixture(scope="module")
def expected(film: Path) -> list[Any]:
    """The contents of the film's output in one piece."""
    target = film.with_name("textured.mkv")
    run(film, target, Textured(cuts(film)))
    return content_of(target)


def make_textured(film: Path, **properties: Any) -> Make:
    return Make(Textured(cuts(film), **properties), run_up=10, has_textures=True)


@pytest.mark.parametrize("shuffled", [False, True])
def test_each_segment_begins_where_the_one_before_it_ends(
    film: Path, expected: list[Any], tmp_path: Path, shuffled: bool
) -> None:
    run_tasks(film, tmp_path / "out.mkv", make_textured(film), shuffled=shuffled)
    assert content_of(tmp_path / "out.mkv") == expected


def test_another_run_knows_where_textures_were(
    film: Path, expected: list[Any], tmp_path: Path
) -> None:
    target, make = tmp_path / "out.mkv", make_textured(film)
    file, tasks, _ = planned(film, target, make)
    store_all(file, SegmentWorker(make), tasks[:3])
    file.close()
    again, rest, _ = planned(film, target, make)
    assert [each.planned and each.planned.index for each in rest] == [2, 3]
    store_all(again, SegmentWorker(make), rest)
    again.finish()
    again.close()
    assert content_of(target) == expected


def test_a_chain_goes_on_from_a_place_before_the_seam() -> None:
    """One machine notes places during the run-up only."""
    chain = TextureChain({4: [TexturePlace(7, 0.5, 0.25)]})
    moves = [Move(6, 0.0, 0.0, False), Move(7, 0.125, 0.0, False), Move(20, 0.25, 1.0, False)]
    chain.add(5, SegmentMotion((Move(20, 0.0, 0.0, False), Move(30, 0.5, 0.5, False)), 8))
    assert chain.before(6) is None
    chain.add(4, SegmentMotion(tuple(moves), 1))
    assert chain.before(5) == (TexturePlace(7, 0.5, 0.25), TexturePlace(20, 0.625, 1.25))
    assert chain.before(6) == (TexturePlace(20, 0.625, 1.25), TexturePlace(30, 1.125, 1.75))
    assert chain.has(5)


@dataclass(frozen=True)
class FromModel:
    """Loads the embedded model on a worker, with a look that has a texture. See `Make`."""

    run_up: int = 67
    has_textures: bool = True

    def __call__(self, dtypes: Mapping[str, str]) -> LoadedFilter:
        """The filter."""
        torch.set_num_threads(1)
        found = FrameFilter(TurboModel.load(dtype="float32"), SETTINGS)
        has_textures = self.has_textures and found.has_textures
        return LoadedFilter(found, {"model's files": "the same"}, self.run_up, has_textures)


@pytest.mark.slow
def test_a_pan_in_segments_equals_one_piece(panned: Path, whole: Path, tmp_path: Path) -> None:
    run_tasks(panned, tmp_path / "out.mkv", FromModel(), seconds=SECONDS)
    assert worst(whole, tmp_path / "out.mkv") >= 40


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::ResourceWarning")
def test_a_worker_that_is_killed_while_it_follows_textures(
    cluster: Any, film: Path, expected: list[Any], tmp_path: Path
) -> None:
    make = make_textured(film, killing=150 * TICKS, spared=tmp_path / "spared")
    heard = Run().on(cluster.address, {film: tmp_path / "out.mkv"}, make)
    assert worst(film.with_name("textured.mkv"), tmp_path / "out.mkv") >= SAME
    assert heard.reports[str(film)].frames == FRAMES
    assert heard.summary is not None
    assert (heard.summary.retries, heard.summary.lost_workers) == (1, 1)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::ResourceWarning")
def test_a_pan_on_three_nodes_equals_one_piece(
    cluster: Any, panned: Path, whole: Path, tmp_path: Path
) -> None:
    heard = Run().on(cluster.address, {panned: tmp_path / "out.mkv"}, FromModel(), seconds=SECONDS)
    assert heard.failures == {}
    assert len(heard.progress[-1].nodes) > 1
    assert worst(whole, tmp_path / "out.mkv") >= 40
