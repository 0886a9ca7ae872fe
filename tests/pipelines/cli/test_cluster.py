"""`turbolens video --cluster`."""

import json
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.pipelines.conftest import started, write_clip
from tests.pipelines.video.segments.films import content_of, parts_of

from .test_cli import clip, one_line, turbolens
from .test_many_videos import PIPES, command, finished, lines_of

__all__ = ["clip", "turbolens"]  # fixtures

STEADY = ["--size", "64", "--codec", "ffv1", "--steadiness", "0", "--no-reuse-unchanged"]
"""A filter without a memory, so that seams are equal bit for bit."""
LOCAL = ["--cluster", "local", "--cluster-cores", "2", "--segment-length", "1", "--json"]


def test_without_ray_one_line_says_what_to_install(clip: Path, tmp_path: Path) -> None:
    code = "import sys; sys.modules['ray'] = None\nfrom turbolens.pipelines.cli import main\nmain()"
    target = str(tmp_path / "o.mp4")
    arguments = [sys.executable, "-c", code, "video", str(clip), target, "--cluster", "auto"]
    done = subprocess.run(arguments, capture_output=True, text=True, check=False)  # noqa: S603
    assert done.returncode == 2
    assert done.stderr == "turbolens: --cluster needs Ray: pip install 'turbolens[cluster]'\n"


def test_nothing_of_ray_is_imported_without_a_cluster() -> None:
    code = (
        "import sys\nimport turbolens.pipelines.cli.video.command\nsys.exit('ray' in sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)  # noqa: S603


@pytest.mark.parametrize("option", [["--compare"], ["--preview", 3], ["--keep-partial"]])
def test_options_that_do_not_work_on_a_cluster(turbolens: Any, clip: Path, option: Any) -> None:
    code, _, err = turbolens("video", clip, "out.mp4", "--cluster", "local", *option)
    assert code == 2
    assert f"{option[0]} does not work with --cluster" in one_line(err)


def test_an_address_where_no_cluster_is(turbolens: Any, clip: Path) -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        port = closed.getsockname()[1]
    code, _, err = turbolens("video", clip, "out.mp4", "--cluster", f"127.0.0.1:{port}")
    assert code == 1
    assert f"there is no Ray cluster at 127.0.0.1:{port}" in one_line(err)


def test_an_address_where_another_program_listens(turbolens: Any, clip: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        code, _, err = turbolens("video", clip, "out.mp4", "--cluster", f"127.0.0.1:{port}")
    assert code == 1
    assert f"there is no Ray cluster at 127.0.0.1:{port} (something else listens" in one_line(err)


def test_a_wheel_that_is_none(turbolens: Any, clip: Path) -> None:
    arguments = ["--cluster", "local", "--cluster-wheel", clip]
    code, _, err = turbolens("video", clip, "out.mp4", *arguments)
    assert code == 2
    assert "is not a wheel" in one_line(err)


@pytest.mark.slow
def test_a_local_cluster_that_is_killed_twice_equals_one_piece(tmp_path: Path) -> None:
    write_clip(tmp_path / "film.mkv", pts=range(250), audio=["aac"])
    finished(tmp_path, "film.mkv", "whole.mkv", *STEADY, "--segment-length", "1", "--json")
    for segments in (2, 1):
        with started(command("film.mkv", "out.mkv", *LOCAL, *STEADY), cwd=tmp_path, **PIPES) as run:
            assert run.stdout is not None
            while json.loads(run.stdout.readline()).get("segments", 0) < segments:
                pass
            run.kill()
            run.wait()
        assert "manifest.json" in parts_of(tmp_path / "out.mkv")
    events = lines_of(finished(tmp_path, "film.mkv", "out.mkv", *LOCAL, *STEADY))
    done = next(each for each in events if each["event"] == "done")
    assert (done["frames"], done["resumed"] >= 3 * 18) == (250, True)
    assert content_of(tmp_path / "out.mkv") == content_of(tmp_path / "whole.mkv")
