"""`turbolens bench coherence`, on the embedded model and a handful of frames."""

import json
from pathlib import Path

import av
import numpy as np
import pytest
from typer.testing import CliRunner

from turbolens.filter import FilterSettings, MediaError, TurboModel
from turbolens.pipelines.bench.coherence import Extent, count_cuts, measure
from turbolens.pipelines.bench.coherence_clips import flow_between, measure_clips, measure_flow
from turbolens.pipelines.bench.coherence_methods import METHODS, make_method
from turbolens.pipelines.cli.bench.coherence import as_data
from turbolens.pipelines.cli.bench.command import app
from turbolens.pipelines.scene.frames import TestScene

pytestmark = pytest.mark.slow

SMALL = Extent(
    width=128, height=96, frames=14, still_frames=15, cut_frames=95, cuts=2, timed_frames=2,
    timed_side=128,
)  # fmt: skip


@pytest.fixture(scope="module")
def embedded() -> TurboModel:
    return TurboModel.load("embedded", device="cpu", dtype="float32")


def test_turbolens_is_steadier_than_the_same_network_with_fixed_noise_alone(
    embedded: TurboModel,
) -> None:
    report = measure(embedded, FilterSettings(), SMALL, methods=("fixed", "ours"))
    rows = {row.name: row for row in report.rows}
    assert rows["ours"].static_gain[4.0] < 0.8 * rows["fixed"].static_gain[4.0]
    assert rows["ours"].warp_error < 0.8 * rows["fixed"].warp_error
    assert rows["fixed"].ghosting == 0.0
    assert rows["fixed"].detail == 1.0
    assert rows["ours"].response == 1
    assert rows["ours"].cuts_identical == report.cuts
    assert report.reprojection.error < 0.8 * report.reprojection.repeated_error
    assert json.dumps(as_data(report, [], []))


def test_other_methods_flicker_or_respond_slowly(embedded: TurboModel) -> None:
    still = TestScene(64, 64, cuts=False)[0].picture
    settings = FilterSettings(strength=1.0, texture=0.0)  # strokes of one colour hide such changes
    methods = {name: make_method(name, embedded, settings) for name in METHODS}
    shown = {name: [method(still) for _ in range(3)] for name, method in methods.items()}
    assert list(methods) == ["anew", "fixed", "one weight", "ours"]
    assert not np.array_equal(shown["anew"][1], shown["anew"][2])
    assert np.array_equal(shown["fixed"][1], shown["fixed"][2])
    for method in methods.values():
        method.update(prompt="pencil sketch")
    changed = {name: [method(still) for _ in range(3)] for name, method in methods.items()}
    assert not np.array_equal(changed["one weight"][0], changed["one weight"][2])
    assert np.array_equal(changed["ours"][0], changed["ours"][2])


def test_true_cuts_are_found_and_no_others(embedded: TurboModel) -> None:
    assert count_cuts(embedded, FilterSettings(), SMALL) == (1, 1, 0)


def test_clips_and_image_pairs_of_a_folder_are_measured(
    embedded: TurboModel, tmp_path: Path
) -> None:
    scene = TestScene(256, 144, cuts=False, seed=2, shake=4.0)
    (tmp_path / "flow").mkdir()
    (tmp_path / "clips").mkdir()
    for letter, index in (("a", 3), ("b", 2)):
        with av.open(str(tmp_path / "flow" / f"scene_{letter}.png"), "w", format="image2") as out:
            stream = out.add_stream("png", width=256, height=144, pix_fmt="rgb24")
            out.mux(stream.encode(scene[index].frame))
            out.mux(stream.encode(None))
    np.savez(tmp_path / "flow" / "scene_flow.npz", flow=scene[3].flow, valid=scene[3].visible)
    with av.open(str(tmp_path / "clips" / "scene.mkv"), "w") as out:
        stream = out.add_stream("ffv1", rate=30, width=256, height=144, pix_fmt="bgr0")
        for index in range(4):
            out.mux(stream.encode(scene[index].frame.reformat(format="bgr0")))
        out.mux(stream.encode(None))
    flow = measure_flow(tmp_path)[0]
    assert flow.ours < flow.length
    clip = measure_clips(embedded, FilterSettings(), tmp_path, frames=4, notify=lambda _: None)[0]
    assert clip.ours < clip.fixed


def test_our_flow_of_a_shift_is_the_shift() -> None:
    wide = TestScene(320, 160, cuts=False)[0].picture
    flow = flow_between(wide[:, 6:262], wide[:, :256])
    assert np.abs(np.median(flow.reshape(-1, 2), axis=0) - (6, 0)).max() < 0.2


def test_a_missing_folder_is_a_media_error() -> None:
    with pytest.raises(MediaError, match="--data must be a folder"):
        CliRunner().invoke(app, ["coherence", "--data", "nowhere"], catch_exceptions=False)
