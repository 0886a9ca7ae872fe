"""The virtual webcam example runs without changes."""

import runpy
import sys
from pathlib import Path

import pytest

from .camera.virtual_backend import keeping_backend

pytestmark = pytest.mark.slow

EXAMPLE = Path(__file__).parents[2] / "examples" / "virtual_webcam.py"


def test_the_virtual_webcam_shows_the_scene(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["virtual_webcam.py", "neon", "test-scene"])
    with keeping_backend() as backend:
        runpy.run_path(str(EXAMPLE), run_name="__main__")
    [opened] = backend.opened
    assert (opened.width, opened.height, opened.closed) == (320, 180, 1)
    assert len(opened.sent) > 0
    assert "fps" in capsys.readouterr().out
    assert len(EXAMPLE.read_text().splitlines()) <= 40
