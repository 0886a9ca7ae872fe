"""`turbolens bench startup` starts the real commands."""

import json

import pytest
from typer.testing import CliRunner

from turbolens.filter import MediaError
from turbolens.pipelines.bench import startup
from turbolens.pipelines.cli.app import app


@pytest.mark.slow
def test_the_time_of_every_command_is_printed() -> None:
    result = CliRunner().invoke(app, ["bench", "startup", "--json"])
    assert result.exit_code == 0, result.output
    seconds = json.loads(result.output)
    assert set(seconds) == {"help_s", "webcam_s", "serve_s"}
    assert all(each > 0 for each in seconds.values())


@pytest.mark.slow
def test_a_command_that_ends_too_early_is_named_with_its_last_line(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(startup, "WEBCAM", ("webcam", "--camera", "no such camera", "--json"))
    with pytest.raises(MediaError, match=r"turbolens webcam ended before it was ready: turbolens:"):
        startup.measure_startup()
