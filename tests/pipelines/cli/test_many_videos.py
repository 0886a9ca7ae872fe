"""`turbolens video` with several inputs, with a watched folder, and with a long video."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.pipelines.conftest import started, write_clip
from tests.pipelines.video.segments.films import pictures_of, psnr
from turbolens.pipelines.cli.video.watch import FolderWatch

from .test_cli import UNFILTERED, clip, make_clip, one_line, times_of, turbolens

__all__ = ["clip", "turbolens"]  # fixtures

PIPES: dict[str, Any] = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
COMMAND = """
import signal
signal.signal(signal.SIGINT, signal.default_int_handler)  # ignored below a shell's `&`
from turbolens.pipelines.cli import main
main()
"""


def command(*arguments: object) -> list[str]:
    return [sys.executable, "-c", COMMAND, "video", *map(str, arguments)]


def finished(folder: Path, *arguments: object) -> str:
    """Run the command to its end. Returns what it prints."""
    done = subprocess.run(  # noqa: S603
        command(*arguments), cwd=folder, capture_output=True, text=True, check=True
    )
    return done.stdout


def lines_of(text: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in text.splitlines()]


def test_several_inputs_end_with_a_table(turbolens: Any, clip: Path) -> None:
    Path("bad.mp4").write_bytes(b"no video" * 99)
    inputs = ["bad.mp4", "missing.mp4", clip]
    code, _, err = turbolens("video", *inputs, "--output-dir", "styled", *UNFILTERED)
    assert code == 1
    table = err[err.index("reason") :]
    for text in ("bad.mp4", "missing.mp4", "failed", "done", "12"):
        assert text in table
    assert os.listdir("styled") == ["clip.mp4"]


def test_json_sums_up_several_inputs_in_the_last_line(turbolens: Any, clip: Path) -> None:
    Path("styled").mkdir()
    Path("styled/kept.mp4").write_text("older")
    make_clip(Path("kept.mp4"))
    arguments = ["--output-dir", "styled", "--json", *UNFILTERED]
    code, out, _ = turbolens("video", "missing.mp4", "kept.mp4", clip, *arguments)
    summary = lines_of(out)[-1]
    files = {each["input"]: each["state"] for each in summary.pop("files")}
    assert code == 1
    assert summary == {"event": "summary", "done": 1, "resumed": 0, "kept": 1, "failed": 1}
    assert files == {"missing.mp4": "failed", "kept.mp4": "kept", str(clip): "done"}
    assert Path("styled/kept.mp4").read_text() == "older"


def test_the_same_command_again_keeps_what_is_done(turbolens: Any, clip: Path) -> None:
    make_clip(Path("b.mp4"))
    arguments = ["video", clip, "b.mp4", "--output-dir", "styled", *UNFILTERED]
    assert turbolens(*arguments).code == 0
    assert turbolens(*arguments, "--json").code == 0
    assert turbolens(*arguments, "--overwrite").code == 0


def test_two_inputs_with_one_output_are_named(turbolens: Any, clip: Path) -> None:
    for path in (Path("b/clip.mp4"), Path("c/clip.mp4")):
        path.parent.mkdir()
        make_clip(path)
    code, _, err = turbolens("video", clip, "b/clip.mp4", "--output-dir", "styled", *UNFILTERED)
    assert code == 2
    assert f"{clip} and b/clip.mp4 would both become {Path('styled/clip.mp4')}" in one_line(err)


def test_an_error_of_one_of_several_inputs_names_it(turbolens: Any, clip: Path) -> None:
    make_clip(Path("small.mkv"), size=(8, 8))
    options = ["--output-dir", "styled", "--acceleration", "none", "--size", "64"]
    code, _, err = turbolens("video", "small.mkv", clip, *options)
    assert code == 1
    assert "turbolens: small.mkv: a frame must be at least 16×16 pixels, got 8×8\n" in err


def test_a_bad_option_for_all_inputs_is_a_usage_error(turbolens: Any, clip: Path) -> None:
    make_clip(Path("b.mp4"))
    inputs = ["video", clip, "b.mp4", "--output-dir", "styled"]
    code, _, err = turbolens(*inputs, "--encoder-preset", "7", *UNFILTERED)
    assert code == 2
    assert "preset" in err


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ([], "name an INPUT, or --watch FOLDER"),
        (["--watch", "none"], "not a folder"),
        (["--watch", "."], "needs --output-dir"),
        (["--watch", ".", "--output-dir", "."], "must not be the folder that is watched"),
        (["clip.mp4", "--watch", "."], "takes no other inputs"),
    ],
)
def test_a_watch_that_cannot_work_is_a_usage_error(
    turbolens: Any, clip: Path, arguments: list[str], expected: str
) -> None:
    code, _, err = turbolens("video", *arguments)
    assert code == 2
    assert expected in one_line(err)


def test_a_watched_file_counts_once_its_size_stands_still(tmp_path: Path) -> None:
    watch, path = FolderWatch(tmp_path), tmp_path / "a.mp4"
    for hidden in (".a.mp4", "a.mp4.part", "a.txt", "empty.mp4"):
        (tmp_path / hidden).write_bytes(b"" if hidden.startswith("empty") else b"x")
    path.write_bytes(b"first")
    assert watch.look() == []
    path.write_bytes(b"first and second")  # still being copied
    assert [watch.look(), watch.look()] == [[], []]
    assert watch.look() == [path]
    assert watch.look() == []  # once only
    path.write_bytes(b"another film")
    assert [watch.look(), watch.look()] == [[], []]
    assert watch.look() == [path]
    path.unlink()
    assert watch.look() == []


@pytest.mark.slow
def test_a_watched_folder_is_filtered_until_ctrl_c(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    make_clip(tmp_path / "in" / "a.mp4")
    (tmp_path / "in" / "bad.mp4").write_bytes(b"no video" * 99)
    arguments = command("--watch", "in", "--output-dir", "out", "--json", *UNFILTERED)
    with started(arguments, cwd=tmp_path, **PIPES) as process:
        assert process.stdout is not None
        done = 0
        while done < 2:
            event = json.loads(process.stdout.readline())
            if event["event"] == "done":
                done += 1
                make_clip(tmp_path / "in" / "late.mp4")
        process.send_signal(signal.SIGINT)
        out, _ = process.communicate(timeout=60)
    summary = lines_of(out)[-1]
    assert (summary["done"], summary["failed"]) == (2, 1)
    assert process.returncode == 1
    assert sorted(os.listdir(tmp_path / "out")) == ["a.mp4", "late.mp4"]


LONG = ["long.mkv", "out.mkv", "--json", "--size", "64", "--segment-length", "1", "--codec", "ffv1"]


@pytest.mark.slow
def test_a_long_video_goes_on_after_ctrl_c(tmp_path: Path) -> None:
    write_clip(tmp_path / "long.mkv", pts=range(2000), audio=["aac"])
    with started(command(*LONG), cwd=tmp_path, **PIPES) as process:
        assert process.stdout is not None
        while json.loads(process.stdout.readline()).get("frames", 0) < 150:
            pass
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "are kept in out.mkv.parts, and the same command goes on after them" in one_line(err)
    with started(command(*LONG, "-p", "neon"), cwd=tmp_path, **PIPES) as process:
        assert process.stdout is not None
        notices = (json.loads(line).get("text", "") for line in process.stdout)
        assert any(text.endswith("made with another prompt: beginning anew") for text in notices)


@pytest.mark.slow
def test_a_run_goes_on_in_the_dtype_in_which_it_has_begun(tmp_path: Path) -> None:
    """On a CPU, "auto" is the faster dtype in a measurement, so it may change from run to run."""
    quick = (*LONG, "--texture", "0", "--acceleration", "none", "--overwrite")
    write_clip(tmp_path / "long.mkv", pts=range(300))
    for dtype in ("float32", "bfloat16"):
        with started(command(*quick, "--dtype", dtype), cwd=tmp_path, **PIPES) as process:
            assert process.stdout is not None
            while json.loads(process.stdout.readline()).get("frames", 0) < 150:
                pass
            process.kill()
            process.wait()
        done = lines_of(finished(tmp_path, *quick))[-1]
        assert done["resumed"] > 0


@pytest.mark.slow
def test_a_killed_video_that_goes_on_equals_one_in_one_piece(tmp_path: Path) -> None:
    # Strokes that have moved with the picture lie elsewhere after a seam.
    still = (*LONG, "--texture", "0")
    write_clip(tmp_path / "long.mkv", pts=range(300), audio=["aac"])
    with started(command(*still), cwd=tmp_path, **PIPES) as process:
        assert process.stdout is not None
        while json.loads(process.stdout.readline()).get("frames", 0) < 200:
            pass
        process.kill()
        process.wait()
    done = lines_of(finished(tmp_path, *still))[-1]
    assert (done["frames"], done["resumed"] > 0) == (300, True)
    out, whole = tmp_path / "out.mkv", tmp_path / "whole.mkv"
    finished(tmp_path, "long.mkv", "whole.mkv", *still[2:], "--segment-length", 0)
    assert times_of(out) == times_of(whole)
    pairs = zip(pictures_of(out), pictures_of(whole), strict=True)
    assert min(psnr(*pair) for pair in pairs) >= 40
