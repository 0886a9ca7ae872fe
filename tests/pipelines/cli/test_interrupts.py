"""Ctrl-C: one line and exit code 130, whatever the command is doing."""

import json
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.pipelines.conftest import started

from .test_cli import make_clip

# Sends itself SIGINT when a module is first looked for.
DURING_IMPORT = """
import os, signal, sys
signal.signal(signal.SIGINT, signal.default_int_handler)

class Interrupting:
    def find_spec(self, name, path=None, target=None):
        if name == {module!r}:
            os.kill(os.getpid(), signal.SIGINT)

sys.meta_path.insert(0, Interrupting())
from turbolens.pipelines.cli import main
main()
"""
WHILE_FILTERING = """
import signal
signal.signal(signal.SIGINT, signal.default_int_handler)
from turbolens.pipelines.cli import main
main()
"""


@pytest.mark.slow
@pytest.mark.parametrize(
    ("module", "arguments"),
    [
        ("typer", ["--version"]),
        ("av", ["video", "clip.mp4", "out.mp4"]),
        ("torch", ["video", "clip.mp4", "out.mp4"]),
        ("diffusers", ["video", "clip.mp4", "out.mp4"]),
        ("turbolens.pipelines.cli.webcam", ["webcam"]),
        ("turbolens.pipelines.cli.serve", ["serve"]),
        ("turbolens.pipelines.cli.bench.command", ["bench"]),
    ],
)
def test_ctrl_c_during_an_import_is_one_line(
    tmp_path: Path, module: str, arguments: list[str]
) -> None:
    make_clip(tmp_path / "clip.mp4")
    command = [sys.executable, "-c", DURING_IMPORT.format(module=module), *arguments]
    done = subprocess.run(  # noqa: S603
        command, cwd=tmp_path, capture_output=True, text=True, timeout=100, check=False
    )
    assert (done.returncode, done.stdout) == (130, "")
    assert done.stderr == "turbolens: interrupted\n"
    assert [path.name for path in tmp_path.iterdir()] == ["clip.mp4"]


def interrupted(folder: Path, *options: str) -> str:
    """Press Ctrl-C once some frames of a long clip are filtered. Returns what stderr has."""
    make_clip(folder / "long.mp4", frames=3000)
    command = [sys.executable, "-c", WHILE_FILTERING, "video", "long.mp4", "out.mkv", "--json",
               "--size", "64", *options]  # fmt: skip
    pipe = subprocess.PIPE
    with started(command, cwd=folder, stdout=pipe, stderr=pipe, text=True) as process:
        assert process.stdout is not None
        while json.loads(process.stdout.readline()).get("frames", 0) < 5:
            pass
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=60)
    assert process.returncode == 130
    return str(err)


@pytest.mark.slow
def test_ctrl_c_in_video_says_what_is_lost_and_how_to_keep_it(tmp_path: Path) -> None:
    err = interrupted(tmp_path)
    assert err.startswith("turbolens: interrupted after ")
    assert "frames: out.mkv was not written" in err
    assert "--keep-partial" in err


@pytest.mark.slow
def test_ctrl_c_says_that_an_older_output_is_unchanged(tmp_path: Path) -> None:
    (tmp_path / "out.mkv").write_bytes(b"old")
    assert "out.mkv is unchanged" in interrupted(tmp_path, "--overwrite")
    assert (tmp_path / "out.mkv").read_bytes() == b"old"
