"""Fixtures of the webcam's tests: the command, a virtual camera, an empty configuration."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.pipelines.camera.virtual_backend import KeepingBackend, keeping_backend
from tests.pipelines.cli.test_cli import turbolens

__all__ = ["turbolens"]  # the fixture that calls the command


@pytest.fixture
def backend() -> Iterator[type[KeepingBackend]]:
    with keeping_backend() as made:
        yield made


@pytest.fixture(autouse=True)
def _own_configuration(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "configuration"))
