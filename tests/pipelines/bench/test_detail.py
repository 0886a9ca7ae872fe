"""`turbolens bench detail`."""

import json

import numpy as np
import pytest
from typer.testing import CliRunner

from turbolens.filter import FilterSettings, TurboModel
from turbolens.pipelines.bench.detail import measure_detail
from turbolens.pipelines.cli.app import app
from turbolens.pipelines.cli.bench import detail as command
from turbolens.pipelines.scene.frames import TestScene


def test_more_detail_has_more_of_the_edges_and_little_of_the_noise() -> None:
    picture = TestScene(640, 360)[20].picture
    settings = FilterSettings(prompt="photo", size=128)
    plain, full = measure_detail(TurboModel.load("embedded"), settings, picture, (0.0, 1.0))
    assert (plain.amount, full.amount) == (0.0, 1.0)
    assert full.edges > plain.edges + 0.1
    assert plain.noise < full.noise < 0.35


@pytest.mark.slow
def test_the_command_prints_each_size(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(command, "SIZES", ((320, 180),))
    monkeypatch.setattr(command, "AMOUNTS", (0.5,))
    result = CliRunner().invoke(app, ["bench", "detail", "--json", "--acceleration", "none"])
    (rows,) = json.loads(result.stdout).values()
    assert [row["amount"] for row in rows] == [0.5]
    assert np.isfinite([row["edges"] for row in rows]).all()
