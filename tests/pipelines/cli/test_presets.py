"""Saved settings in every command, and the encoder's preset under its own name."""

import json
import sys
from pathlib import Path
from typing import Any

import pytest

from turbolens.filter import FilterSettings
from turbolens.pipelines.cli.options.filter import chosen_settings
from turbolens.pipelines.webcam.presets import presets_file, save_preset

from .test_cli import UNFILTERED, clip, one_line, turbolens

__all__ = ["clip", "turbolens"]  # fixtures


@pytest.fixture(autouse=True)
def _own_configuration(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "configuration"))


@pytest.mark.parametrize("command", ["video", "stream", "webcam", "serve"])
def test_every_command_takes_a_saved_preset(turbolens: Any, clip: Path, command: str) -> None:
    outputs = [clip, "out.mkv"] if command in ("video", "stream") else []
    extra = ["--json"] if command == "webcam" else []
    code, _, err = turbolens(command, *outputs, *extra, "--preset", "mine")
    assert code == 2
    assert f"there is no preset 'mine' in {presets_file()}" in one_line(err)


def test_options_take_precedence_over_the_preset() -> None:
    save_preset("mine", FilterSettings(prompt="noir", strength=0.4, size=128))
    chosen = chosen_settings({"preset": "mine", "strength": 0.9, "seed": None})
    assert FilterSettings(**chosen) == FilterSettings(prompt="noir", strength=0.9, size=128)


def test_a_video_is_filtered_with_a_saved_preset(turbolens: Any, clip: Path) -> None:
    save_preset("mine", FilterSettings(prompt="noir", size=64))
    results = []
    for name, options in (("a.mkv", ["--preset", "mine"]), ("b.mkv", ["-p", "noir", "--size", 64])):
        assert turbolens("video", clip, name, "--codec", "ffv1", *options).code == 0
        results.append(Path(name).read_bytes()[-2000:])
    assert results[0] == results[1]


@pytest.mark.parametrize("command", ["video", "stream"])
def test_an_encoders_preset_under_the_old_name_is_explained(
    turbolens: Any, clip: Path, command: str
) -> None:
    code, _, err = turbolens(command, clip, "out.mkv", "--preset", "veryfast")
    assert code == 2
    assert "--encoder-preset" in one_line(err)


def test_an_encoder_preset_is_used(turbolens: Any, clip: Path) -> None:
    options = ["--encoder-preset", "ultrafast", *UNFILTERED]
    assert turbolens("video", clip, "out.mp4", *options).code == 0


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["--encoder-preset", "turbo"], "h264 must be one of ultrafast"),
        (["--codec", "hevc", "--encoder-preset", "p4"], "hevc must be one of ultrafast"),
        (["--codec", "av1", "--encoder-preset", "fast"], "a number from -2"),
        (["--codec", "vp9", "--encoder-preset", "10"], "a number from -8"),
        (["--codec", "ffv1", "--encoder-preset", "fast"], "ffv1 has no encoder presets"),
    ],
)
def test_a_bad_encoder_preset_is_said_before_the_model_is_loaded(
    turbolens: Any, clip: Path, arguments: list[str], expected: str
) -> None:
    code, _, err = turbolens("video", clip, "out.mkv", "--model", "no-such-model", *arguments)
    assert code == 2
    assert expected in one_line(err)


def test_a_bad_encoder_preset_of_a_stream_is_said_first(turbolens: Any, clip: Path) -> None:
    options = ["--model", "no-such-model", "--encoder-preset", "turbo"]
    code, _, err = turbolens("stream", clip, "out.ts", *options)
    assert code == 1
    assert "must be one of ultrafast" in one_line(err)


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="needs a read-only folder")
@pytest.mark.parametrize("name", ["out.mp4", "out_%04d.png"])
def test_a_read_only_folder_is_said_before_the_model_is_loaded(
    turbolens: Any, clip: Path, name: str
) -> None:
    target = f"/sys/kernel/{name}"  # nobody may create files there, not even root
    code, _, err = turbolens("video", clip, target, "--model", "no-such-model")
    assert code == 2
    line = one_line(err)
    assert line.startswith(f"turbolens: Invalid value: cannot write {target}: no file can be")
    assert "Errno" not in line


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="needs a read-only folder")
def test_an_output_folder_that_cannot_be_made_is_named(turbolens: Any, clip: Path) -> None:
    code, _, err = turbolens("video", clip, "--output-dir", "/sys/kernel/styled")
    assert code == 2
    assert "--output-dir /sys/kernel/styled cannot be created" in one_line(err)


def test_the_summary_counts_one_frame_as_one(turbolens: Any, clip: Path) -> None:
    err = turbolens("video", clip, "out.mp4", "--duration", 0.05, *UNFILTERED).err
    assert "1 frame in" in err
    assert "none dropped" in err


LONG = "oil painting of a woman in a street, " * 12


def test_what_is_cut_off_a_long_prompt_is_a_notice(turbolens: Any, clip: Path) -> None:
    said = turbolens("video", clip, "out.mp4", "--size", 64, "-p", LONG).err
    [line] = [line for line in said.splitlines() if "the prompt has" in line]
    assert "cut off is" in line
    said = turbolens("video", clip, "o.mp4", "--size", 64, "-p", LONG, "--json").out
    events = [json.loads(line) for line in said.splitlines()]
    assert ["cut off is" in each["text"] for each in events if each["event"] == "notice"] == [True]
