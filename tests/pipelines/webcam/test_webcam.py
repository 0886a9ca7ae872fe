"""`turbolens webcam`: the command without a camera."""

import json
import os
import signal
import socket
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import av
import pytest

from tests.pipelines.camera.virtual_backend import KeepingBackend
from tests.pipelines.cli.test_cli import Result, make_clip, one_line
from tests.pipelines.conftest import started, times_of
from tests.pipelines.webcam.call_parts import SMALL
from turbolens.filter import FilterSettings
from turbolens.pipelines.live.working_size import SIZES
from turbolens.pipelines.webcam.options import WebcamOptions
from turbolens.pipelines.webcam.setup import open_devices, prepare_call

Call = Callable[..., Result]


def events(result: Result, kind: str) -> list[dict[str, Any]]:
    lines = [json.loads(line) for line in result.out.splitlines()]
    return [line for line in lines if line["event"] == kind]


@pytest.mark.slow
def test_the_test_scene_is_shown_on_the_virtual_camera(
    turbolens: Call, backend: type[KeepingBackend]
) -> None:
    result = turbolens("webcam", *SMALL, "--no-enabled", "--json", "--duration", 1.5)
    assert (result.code, result.err) == (0, "")
    [opened] = backend.opened
    done = events(result, "done")[-1]
    assert (opened.width, opened.height, opened.closed) == (64, 36, 1)
    assert len(opened.sent) == done["sent"] > 0
    assert any("keeping" in notice["text"] for notice in events(result, "notice"))


@pytest.mark.slow
def test_the_slate_is_shown_until_the_embedded_model_filters(
    backend: type[KeepingBackend],
) -> None:
    options = WebcamOptions(camera="test-scene", size=(64, 36))
    devices = open_devices(options, lambda _: None)
    call = prepare_call(options, FilterSettings(prompt="noir"), devices, notify=lambda _: None)
    done = call.run(lambda stats: call.press("q") if stats.filtered > 3 else None)
    assert done.failures == 0
    assert done.stalled > 0  # the slate, while the model was loading
    assert call.filter.size in SIZES
    assert backend.opened[0].luma(0).max() < 128


@pytest.mark.slow
def test_a_file_may_stand_in_for_the_camera_and_be_recorded(
    turbolens: Call, backend: type[KeepingBackend], tmp_path: Path
) -> None:
    make_clip(tmp_path / "clip.mp4")
    result = turbolens("webcam", "--camera", "clip.mp4", "--no-enabled", "--record", "out.mp4",
                       "--duration", 1.2, "--mirror", "--crop", "1:1", "--json")  # fmt: skip
    assert result.code == 0
    assert (backend.opened[0].width, backend.opened[0].height) == (48, 48)
    times = times_of(tmp_path / "out.mp4")
    assert times == sorted(set(times))
    with av.open(tmp_path / "out.mp4") as recorded:
        assert (recorded.streams.video[0].width, recorded.streams.video[0].height) == (48, 48)


@pytest.mark.parametrize(
    ("arguments", "expected", "code"),
    [
        (["--virtual-camera", "none"], "nothing would be shown", 2),
        (["--camera-size", "big", "--json"], "1280x720", 2),
        (["--crop", "round", "--json"], "16:9", 2),
        (["--size", "large", "--json"], "auto or a number", 2),
        (["--size", "5", "--json"], "size", 2),
        (["--preset", "mine", "--json"], "no preset", 2),
        (["--on-stall", "panic"], "slate", 2),
        (["--camera", "/dev/no-such-camera"], "no such file", 1),
        (["--camera", "microscope"], "microscope", 1),
        ([*SMALL, "--model", "no-such-model"], "no-such-model", 2),
        ([*SMALL, "--model", "."], "must have model_index.json", 2),
        ([*SMALL, "--look", "no-such-look"], "its looks: oil painting", 2),
        ([*SMALL, "--virtual-camera", "none", "--record", "no/folder/a.mp4"], "no folder", 1),
    ],
)
def test_a_mistake_is_one_line(
    turbolens: Call, backend: type[KeepingBackend], arguments: list[str], expected: str, code: int
) -> None:
    result = turbolens("webcam", *arguments)
    assert result.code == code
    lines = [line for line in result.err.splitlines() if line.startswith("turbolens: ")]
    assert expected in one_line("\n".join(lines))
    assert all(opened.closed for opened in backend.opened)


def test_a_taken_port_is_one_line_that_says_what_to_do(turbolens: Call, port: int) -> None:
    with socket.create_server(("127.0.0.1", port)):
        for option in ("--control", "--metrics"):
            result = turbolens("webcam", *SMALL, "--virtual-camera", "none", "--json", option, port)
            assert result.code == 1
            assert "or 0 for any free one" in one_line(result.err)


def test_without_a_virtual_camera_the_instructions_are_given(
    turbolens: Call, backend: type[KeepingBackend]
) -> None:
    backend.fails_to_open = "nothing is installed"
    code, _, err = turbolens("webcam", *SMALL)
    assert code == 1
    assert "nothing is installed" in one_line(err)
    assert "--virtual-camera none" in err


def test_the_help_says_that_nothing_leaves_the_machine(turbolens: Call) -> None:
    out = " ".join(turbolens("webcam", "--help").out.split())
    assert "no picture leaves it" in out
    assert "--strength" in out
    assert "auto|N" in out


def test_devices_are_listed(turbolens: Call) -> None:
    code, out, _ = turbolens("devices")
    assert code == 0
    assert "what to do" in out
    assert set(json.loads(turbolens("devices", "--json").out)) == {
        "cameras", "virtual_cameras", "advice",
    }  # fmt: skip


@pytest.mark.slow
def test_ctrl_c_ends_the_command_normally(tmp_path: Path) -> None:
    obey = "import signal; signal.signal(signal.SIGINT, signal.default_int_handler); "
    program = obey + "from turbolens.pipelines.cli import main; main()"
    options = [*SMALL, "--no-enabled", "--json", "--virtual-camera", "none", "--record", "a.mkv"]
    command = [sys.executable, "-c", program, "webcam", *options]
    with started(command, cwd=tmp_path, stdout=-1, text=True) as process:
        assert process.stdout is not None
        while '"stats"' not in process.stdout.readline():
            pass
        process.send_signal(signal.SIGINT)
        out, _ = process.communicate(timeout=60)
    assert process.returncode == 0
    assert '"done"' in out
    assert os.listdir(tmp_path) == ["a.mkv"]
    assert times_of(tmp_path / "a.mkv")
