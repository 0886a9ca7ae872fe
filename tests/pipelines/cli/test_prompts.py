"""Prompts that the embedded model does not know: an error for files, a notice in live commands."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.pipelines.conftest import started
from turbolens.filter import FilterSettings
from turbolens.filter.settings import DEFAULT_PROMPT
from turbolens.pipelines.webcam.presets import save_preset

from .test_cli import COMMAND, clip, one_line, turbolens

__all__ = ["clip", "turbolens"]  # fixtures


@pytest.mark.parametrize("prompt", ["zombie", "claymation", "painting"])
def test_a_video_is_not_filtered_by_a_prompt_without_a_look(
    turbolens: Any, clip: Path, prompt: str
) -> None:
    code, _, err = turbolens("video", clip, "out.mp4", "-p", prompt)
    line = one_line(err)
    assert code == 2
    assert f"prompt {prompt!r} names no look of this model" in line
    assert "nearest looks: " in line
    assert "the looks are " in line
    assert not Path("out.mp4").exists()


def test_one_unknown_prompt_of_a_mixture_is_an_error(turbolens: Any, clip: Path) -> None:
    code, _, err = turbolens("video", clip, "out.mp4", "-p", "neon", "-p", "zombie:0.5")
    assert code == 2
    assert "'zombie'" in one_line(err)


def test_a_preset_is_read_like_a_prompt(
    turbolens: Any, clip: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(clip.parent))
    save_preset("old", FilterSettings(prompt="zombie"))
    code, _, err = turbolens("video", clip, "out.mp4", "--preset", "old")
    assert code == 2
    assert "'zombie'" in one_line(err)


@pytest.mark.slow
def test_a_video_says_what_a_prompt_was_read_as(turbolens: Any, clip: Path) -> None:
    given = ("-p", "a dragon made of glass", "--size", 64, "--codec", "ffv1")
    assert turbolens("video", clip, "plain.mkv", "-p", "stained glass", *given[2:]).code == 0
    code, _, err = turbolens("video", clip, "out.mkv", *given)
    assert code == 0
    assert "read as stained glass; unknown words: dragon" in err
    assert Path("out.mkv").stat().st_size == Path("plain.mkv").stat().st_size


@pytest.mark.slow
@pytest.mark.parametrize("prompt", ["photo", ""])
def test_a_photograph_may_stay_as_it_is(turbolens: Any, clip: Path, prompt: str) -> None:
    assert turbolens("video", clip, "out.mp4", "-p", prompt, "--size", 64).code == 0


WEBCAM = ["webcam", "--camera", "test-scene", "--camera-size", "64x48", "--virtual-camera", "none",
          "--json", "--size", "64", "-p", "zombie"]  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("command", ["webcam", "stream"])
def test_a_call_shows_the_default_look_and_says_so(clip: Path, command: str) -> None:
    stream = ["stream", str(clip), str(clip.with_name("out.mkv")), "--until-end", "--json",
              "--size", "64", "-p", "zombie"]  # fmt: skip
    line = [*COMMAND, *(WEBCAM if command == "webcam" else stream)]
    with started(line, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
        assert process.stdout is not None
        events = (json.loads(line) for line in process.stdout)
        notice = next(each["text"] for each in events if "names no look" in each.get("text", ""))
    assert (
        f"prompt 'zombie' names no look of this model (unknown words: zombie); {DEFAULT_PROMPT!r}"
        in notice
    )


@pytest.mark.slow
def test_a_server_says_so_on_stderr() -> None:
    line = [*COMMAND, "serve", "--port", "0", "--size", "64", "-p", "zombie"]
    with started(line, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        assert any("names no look of this model" in each for each in process.stderr)


def test_the_command_starts_without_torch_to_read_a_prompt() -> None:
    code = (
        "import sys; from turbolens.pipelines.model_choice import *; "
        "vocabulary_of(ModelChoice()).read('zombie'); assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)  # noqa: S603
