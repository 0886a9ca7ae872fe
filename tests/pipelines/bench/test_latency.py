"""The number in each frame, and the latency measured by it."""

import json
from fractions import Fraction

import av
import numpy as np
import pytest
from numpy.typing import NDArray
from typer.testing import CliRunner

from turbolens.pipelines.bench.barcode import BITS, draw_number, read_number
from turbolens.pipelines.bench.latency import (
    NumberedCamera,
    NumberReader,
    Sighting,
    measure_latency,
    report,
)
from turbolens.pipelines.cli.app import app
from turbolens.pipelines.statistics import Stats


def luma_with(number: int, width: int = 320, height: int = 180) -> NDArray[np.uint8]:
    luma = np.full((height, width), 90, np.uint8)
    draw_number(luma, number)
    return luma


@pytest.mark.parametrize("number", [0, 1, 2, 77, 4095, 40000, (1 << BITS) - 1])
@pytest.mark.parametrize("size", [(320, 180), (72, 40), (641, 359)])
def test_a_number_is_read_back(number: int, size: tuple[int, int]) -> None:
    assert read_number(luma_with(number, *size)) == number


def test_a_number_is_read_after_a_filter_changed_the_frame() -> None:
    luma = luma_with(12345).astype(np.float32)
    dull = (luma * 0.3 + 60 + np.random.default_rng(0).normal(0, 8, luma.shape)).clip(0, 255)
    assert read_number(dull.astype(np.uint8)) == 12345
    assert read_number(255 - luma_with(12345)) == 12345
    blurred = (luma_with(12345)[::4, ::4]).repeat(4, 0).repeat(4, 1)
    assert read_number(blurred) == 12345


def test_a_frame_without_a_number_gives_none() -> None:
    assert read_number(np.full((180, 320), 90, np.uint8)) is None
    assert read_number(np.zeros((180, 320), np.uint8)) is None


def test_numbers_wrap_around() -> None:
    assert read_number(luma_with(1 << BITS)) == 0


def test_the_sink_reads_the_numbers_that_the_camera_draws() -> None:
    camera, sink = NumberedCamera(144, 80, rate=Fraction(100)), NumberReader(Fraction(100))
    for frame in camera:
        sink.write(frame)
        if len(sink.seen) == 5:
            camera.close()
    assert [sighting.number for sighting in sink.seen] == [0, 1, 2, 3, 4]
    assert set(camera.captured) >= {0, 1, 2, 3, 4}


def test_the_report_has_the_figures_of_the_sightings() -> None:
    camera = NumberedCamera(144, 80, rate=Fraction(10))
    camera.captured = {0: 10.0, 1: 10.1, 2: 10.2}
    seen = [Sighting(10.05, 0), Sighting(10.15, 0), Sighting(10.25, 2), Sighting(10.35, 9),
            Sighting(10.45, None)]  # fmt: skip
    found = report(camera, seen, Stats())
    assert (found.shown, found.repeated, found.unreadable) == (5, 1, 2)
    assert (found.fresh_p50_ms, found.age_p95_ms) == (50.0, 150.0)
    assert found.jitter_p95_ms == pytest.approx(0, abs=0.01)
    assert found.gap_max_ms == pytest.approx(200)


@pytest.mark.slow
def test_a_live_pipeline_is_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("turbolens.pipelines.bench.latency.SETTLING", 0.1)

    def unchanged(frame: av.VideoFrame) -> av.VideoFrame:
        return frame

    found = measure_latency(unchanged, width=144, height=80, rate=Fraction(50), seconds=0.5)
    assert found.shown > 0
    assert found.unreadable == 0
    assert found.fresh_p50_ms is not None


@pytest.mark.slow
def test_the_command_prints_words_or_json(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("turbolens.pipelines.bench.latency.SETTLING", 0.1)
    arguments = ["bench", "latency", "--model", "none", "--width", "144", "--height", "80"]
    plain = CliRunner().invoke(app, [*arguments, "--seconds", "0.3"])
    assert plain.exit_code == 0, plain.output
    assert "capture to send" in plain.output
    machine = CliRunner().invoke(app, [*arguments, "--seconds", "0.3", "--json"])
    assert json.loads(machine.output)["stats"]["failures"] == 0
