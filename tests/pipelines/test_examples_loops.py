"""The examples with a loop of their own are short and run without changes."""

import subprocess
import sys
from pathlib import Path

import pytest

from .conftest import MakeClip, times_of

pytestmark = pytest.mark.slow

EXAMPLES = Path(__file__).parents[2] / "examples"


def run(name: str, *arguments: str | Path) -> str:
    command = [sys.executable, str(EXAMPLES / name), *map(str, arguments)]
    done = subprocess.run(  # noqa: S603
        command, capture_output=True, text=True, timeout=200, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize("name", ["own_loop.py", "opencv_loop.py"])
def test_an_example_is_short(name: str) -> None:
    assert len((EXAMPLES / name).read_text().splitlines()) <= 40


@pytest.mark.parametrize(
    "name",
    [
        "looks.py", "looping_picture.py", "opencv_loop.py", "own_loop.py", "video_file.py",
        "webrtc_client.py",
    ],
)  # fmt: skip
def test_an_example_without_its_arguments_says_which_it_takes(name: str) -> None:
    command = [sys.executable, str(EXAMPLES / name)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=200, check=False)  # noqa: S603
    assert done.returncode == 1
    assert f"python examples/{name} " in done.stderr
    assert "Traceback" not in done.stderr


def test_the_loop_over_frames_prints_the_time_of_each(clip: MakeClip) -> None:
    lines = run("own_loop.py", clip(pts=range(4))).splitlines()
    assert lines == [f"{index / 25} 64×48" for index in range(4)]


def test_the_loop_with_opencv_writes_every_frame(clip: MakeClip, tmp_path: Path) -> None:
    run("opencv_loop.py", clip(pts=range(6)), tmp_path / "styled.mp4", "neon")
    assert len(times_of(tmp_path / "styled.mp4")) == 6
