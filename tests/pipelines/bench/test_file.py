"""`turbolens bench file`: it measures a file and its parts, and prints a table or JSON."""

import json

import pytest
from rich.console import Console
from typer.testing import CliRunner

from turbolens.pipelines.bench.file import Cost, FileReport
from turbolens.pipelines.cli.app import app
from turbolens.pipelines.cli.bench.file import print_report


def test_shares_and_bound_follow_from_the_costs() -> None:
    report = FileReport(
        model="m", device="cpu", dtype="float32", accelerations={}, width=64, height=48, frames=16,
        processors=2, decode=Cost(1.0, 2.0), encode=Cost(4.0, 8.0), single=Cost(48.0, 80.0),
        stream=Cost(40.0, 70.0), whole=Cost(50.0, 90.0),
    )  # fmt: skip
    assert (report.fps, report.share_of_filter, report.share_of_single) == (20.0, 0.8, 0.96)
    assert report.bound_fps == pytest.approx(25.0)
    console = Console(record=True, width=100)
    print_report(report, console)
    assert "0.80 of the filter alone" in console.export_text()


@pytest.mark.slow
def test_the_command_prints_json() -> None:
    options = ["bench", "file", "--size", "64x64", "--frames", "18", "--json"]
    result = CliRunner().invoke(app, [*options, "--acceleration", "none"])
    assert result.exit_code == 0, result.output
    data = json.loads(result.stdout)
    assert data["frames"] == 18
    assert min(data[part]["ms"] for part in ("decode", "encode", "single", "stream", "whole")) > 0
    assert data["fps"] == pytest.approx(1000 / data["whole"]["ms"])
