"""`turbolens bench sessions`: it measures each number of sessions, and prints a table or JSON."""

import json

import pytest
from rich.console import Console
from typer.testing import CliRunner

from turbolens.filter import FilterSettings, TurboModel
from turbolens.pipelines.bench.sessions import SessionsReport, measure_sessions
from turbolens.pipelines.cli.app import app
from turbolens.pipelines.cli.bench.sessions import as_data, print_report


def measured() -> SessionsReport:
    model, settings = TurboModel.load("embedded"), FilterSettings(size=64)
    return measure_sessions(model, settings, counts=(1, 3), size=64, rounds=2)


@pytest.mark.slow
def test_each_number_of_sessions_is_measured_together_with_one_alone() -> None:
    report = measured()
    assert [result.sessions for result in report.results] == [1, 3]
    for result in report.results:
        assert result.together.frames == result.alone.frames == 2
        assert result.times_one > 0
    data = as_data(report)
    assert set(data["results"][1]) >= {"sessions", "together", "alone", "times_one", "fps"}
    console = Console(record=True, width=100)
    print_report(report, console)
    assert "times one" in console.export_text()


@pytest.mark.slow
def test_the_command_prints_json() -> None:
    options = ["bench", "sessions", "--count", "2", "--size", "64", "--rounds", "2", "--json"]
    result = CliRunner().invoke(app, options)
    assert result.exit_code == 0, result.output
    assert json.loads(result.stdout)["results"][0]["sessions"] == 2
