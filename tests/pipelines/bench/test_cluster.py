"""`turbolens bench cluster`: it measures one and two workers, and prints JSON."""

import json

import pytest
from typer.testing import CliRunner

from turbolens.pipelines.bench.cluster import ClusterReport
from turbolens.pipelines.cli.app import app
from turbolens.pipelines.cluster.driver import ClusterSummary


def run_of(seconds: float) -> ClusterSummary:
    return ClusterSummary(
        segments=4, worker_seconds=8, filter_seconds=5, motion_seconds=2, seconds=seconds,
        worker_processor_seconds=6, driver_processor_seconds=2,
    )  # fmt: skip


def test_the_speed_up_is_the_median_of_the_rounds() -> None:
    ones, twos = (8.0, 9.0, 30.0), (4.0, 9.0, 16.0)
    report = ClusterReport(9, tuple(map(run_of, ones)), tuple(map(run_of, twos)), 50.0)
    assert report.speed_up == 30 / 16  # of 2, 1 and 1.875
    assert (report.one.seconds, report.two.seconds) == (9, 9)
    assert (report.overhead_s, report.transport_s, report.driver_s) == (0.25, 0.25, 0.5)
    assert report.motion_s == 0.5
    assert report.possible_speed_up == 12 / 8


@pytest.mark.slow
def test_the_command_prints_json() -> None:
    options = ["bench", "cluster", "--seconds", "6", "--size", "64", "--rounds", "1", "--json"]
    result = CliRunner().invoke(app, options)
    assert result.exit_code == 0, result.output
    report = json.loads(result.output)
    assert report["frames"] == 180
    assert report["ones"][0]["segments"] == report["twos"][0]["segments"] > 1
    assert report["ones"][0]["sent_bytes"] > 10_000
    assert report["seam_db"] >= 40
    assert report["speed_up"] > 0
    assert 0 < report["possible_speed_up"] < 2.5
    assert report["driver_s"] > 0
