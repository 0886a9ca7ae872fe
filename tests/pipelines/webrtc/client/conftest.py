"""Fixtures of the client's tests: an empty configuration folder."""

from pathlib import Path

import pytest


@pytest.fixture(autouse=True)
def configuration(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """The folder with the keys of known servers, which is empty at first."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "configuration"))
    return tmp_path / "configuration" / "turbolens"
