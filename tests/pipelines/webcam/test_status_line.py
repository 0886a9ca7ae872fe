"""The status line of a call on a narrow terminal, its JSON lines, and the words on the slate."""

import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from rich.console import Console
from rich.text import Text

from tests.pipelines.cli.test_cli import turbolens
from turbolens.filter import FilterSettings
from turbolens.filter.settings import DEFAULT_PROMPT
from turbolens.pipelines.cli.live_status import LiveReporter, status_line
from turbolens.pipelines.live.slate import slate
from turbolens.pipelines.statistics import Stats
from turbolens.pipelines.webcam.call import Webcam
from turbolens.pipelines.webcam.options import WebcamOptions
from turbolens.pipelines.webcam.preview import Preview
from turbolens.pipelines.webcam.setup import open_devices, prepare_call

__all__ = ["turbolens"]  # the fixture that calls the command

STATS = Stats(
    fps_in=30, fps_filtered=30, fps_out=30, dropped=12345, latency_p50_ms=1000, latency_p95_ms=2000
)
LONG = "an oil painting of a harbour in the evening with boats and gulls and nets"
COMMAND = ["webcam", "--camera", "test-scene", "--camera-size", "64x36", "--virtual-camera", "none"]


@pytest.fixture
def webcam(tmp_path: Path) -> Webcam:
    """A call that is not running, with a long prompt."""
    options = WebcamOptions(camera="test-scene", size=(64, 36), virtual_camera="none")
    devices = open_devices(options, lambda _: None)
    settings = FilterSettings(prompt=LONG, size=256)
    return prepare_call(options, settings, devices, notify=lambda _: None)


def shown(webcam: Webcam, width: int = 80) -> str:
    """The status line as a terminal of this width shows it."""
    reporter = LiveReporter(as_json=False)
    reporter.run = webcam
    console = Console(width=width, color_system=None)
    with console.capture() as captured:
        console.print(Text(reporter.status(STATS), no_wrap=True, overflow="ellipsis"))
    return captured.get()


def test_what_must_be_seen_is_seen_on_80_columns(webcam: Webcam) -> None:
    webcam.press(" ")
    webcam.press("f")
    line = shown(webcam)
    assert line.startswith("OFF · frozen · ")
    assert "0.70 · 256 px · an oil painting" in line


def test_the_status_line_names_the_look_that_takes_the_place_of_an_unknown_prompt(
    webcam: Webcam,
) -> None:
    webcam.filter.update(prompt="zombie")
    assert f"256 px · {DEFAULT_PROMPT}" in shown(webcam)


@pytest.mark.parametrize("key", [" ", "f"])
def test_nothing_is_called_filtered_while_the_filter_does_nothing(webcam: Webcam, key: str) -> None:
    assert "filtered 30.0" in shown(webcam, 200)
    webcam.press(key)
    assert "filtered" not in shown(webcam, 200)
    assert status_line(STATS, filtering=False).startswith("in 30.0  out 30.0 fps")


@pytest.mark.slow
def test_json_lines_have_the_working_size(turbolens: Any) -> None:
    result = turbolens(*COMMAND, "--json", "--no-enabled", "--size", 128, "--duration", 1.5)
    lines = [json.loads(line) for line in result.out.splitlines()]
    sizes = {each["size"] for each in lines if each["event"] in ("stats", "done")}
    assert (result.code, sizes) == (0, {128})


def test_one_frame_is_counted_as_one(capsys: pytest.CaptureFixture[str]) -> None:
    with LiveReporter(as_json=False) as reporter:
        reporter.done(Stats(seconds=1.0, sent=1))
    assert "1 frame shown" in capsys.readouterr().err


@pytest.mark.parametrize("size", [(1280, 720), (640, 360), (64, 36)])
def test_the_slate_says_what_is_waited_for(size: tuple[int, int]) -> None:
    plain, loading = (slate(*size, text).to_ndarray(format="gray") for text in ("", "loading"))
    rows, columns = np.nonzero(plain != loading)
    assert rows.min() > size[1] / 2
    assert rows.max() < size[1] - 1
    assert abs(columns.min() + columns.max() - size[0]) <= size[0] / 20  # centred
    assert loading.max() < 128


@pytest.mark.skipif(os.name != "posix", reason="needs a system where a display has a name")
def test_without_a_display_the_preview_is_refused(
    turbolens: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("DISPLAY", "WAYLAND_DISPLAY", "SDL_VIDEODRIVER"):
        monkeypatch.setenv(name, "")
    monkeypatch.delenv("SDL_VIDEODRIVER")
    code, _, err = turbolens(*COMMAND, "--preview")
    assert code == 1
    assert err.startswith("turbolens: --preview needs a display")
    assert len(err.splitlines()) == 1


@pytest.mark.slow
@pytest.mark.skipif(not Path("/usr/bin/ffplay").exists(), reason="needs ffplay")
def test_a_display_that_does_not_answer_ends_the_preview_with_its_reason(
    turbolens: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DISPLAY", ":987")
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    monkeypatch.delenv("SDL_VIDEODRIVER", raising=False)
    code, _, err = turbolens(*COMMAND, "--preview", "--no-enabled", "--duration", 4)
    assert code == 0
    assert "the preview failed and is left out: ffplay could not open a window" in err
    assert "Traceback" not in err


def test_a_preview_that_is_closed_while_it_starts_raises_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An error of its thread would be a warning, which fails the test."""
    program = tmp_path / "ffplay"
    program.write_text("#!/bin/sh\nexit 1\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    for _ in range(20):
        preview = Preview()
        preview.write(slate(64, 36))
        preview.close()
