"""Killed, interrupted, out of disk: never a wrong output, and what is finished is kept."""

import json
import os
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from tests.pipelines.conftest import invert, started, times_of
from turbolens.filter import MediaError
from turbolens.pipelines.video.segments.manifest import Manifest
from turbolens.pipelines.video.segments.packet_file import checksum_of
from turbolens.pipelines.video.segments.parts import MANIFEST, parts_folder

from .films import FRAMES, SEAMS, content_of, parts_of, run

PROGRAM = """
import os, resource, signal, sys
signal.signal(signal.SIGINT, signal.default_int_handler)  # ignored below a shell's `&`
from pathlib import Path
from tests.pipelines.conftest import invert
from tests.pipelines.video.segments.films import FAILURE, run
from turbolens.filter import MediaError
film, target = Path(sys.argv[1]), Path(sys.argv[2])
"""
KILLED_AT_A_FILE_OPERATION = """
left = int(sys.argv[3])
def watch(event, arguments):
    global left
    if event in ("open", "os.rename", "os.remove", "os.rmdir") and str(target) in str(arguments):
        left -= 1
        if left < 0:
            os.kill(os.getpid(), signal.SIGKILL)
sys.addaudithook(watch)
print(run(film, target, invert).resumed)
"""
DISK_FULL = """
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[3]), resource.RLIM_INFINITY))
try:
    run(film, target, invert)
except MediaError as error:
    sys.exit(str(error))
"""
INTERRUPTED = """
reading, writing = os.pipe()
os.set_blocking(writing, False)
signal.set_wakeup_fd(writing)  # gets a byte for each signal
frames = []
def interrupted(frame):
    frames.append(frame)
    if len(frames) == FAILURE:
        print("ready", flush=True)
        os.read(reading, 1)
    return invert(frame)
try:
    report = run(film, target, interrupted, keep_partial=sys.argv[3] == "keep")
except KeyboardInterrupt:
    sys.exit(130)
print(report.complete)
"""


def program(body: str, *arguments: object) -> list[str]:
    return [sys.executable, "-c", textwrap.dedent(PROGRAM + body), *map(str, arguments)]


def call(body: str, *arguments: object) -> "subprocess.CompletedProcess[str]":
    command = program(body, *arguments)
    return subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603


def check_what_is_listed(folder: Path) -> None:
    """A manifest that is there is whole, and so are the segments in it."""
    manifest = folder / MANIFEST
    if manifest.exists():
        for segment in Manifest.from_bytes(manifest.read_bytes()).segments:
            assert checksum_of(folder / segment.file) == segment.checksum


@pytest.mark.slow
def test_a_run_that_is_killed_at_any_file_operation_goes_on(film: Path, tmp_path: Path) -> None:
    run(film, tmp_path / "whole.mkv", invert)
    target, kills = tmp_path / "out.mkv", 0
    while (done := call(KILLED_AT_A_FILE_OPERATION, film, target, 3 + kills)).returncode:
        assert done.returncode == -signal.SIGKILL, done.stderr
        assert not target.exists() or content_of(target) == content_of(tmp_path / "whole.mkv")
        if target.exists():
            break  # killed while the folder of segments was removed
        check_what_is_listed(parts_folder(target))
        kills += 1
    assert kills >= 4
    assert content_of(target) == content_of(tmp_path / "whole.mkv")


@pytest.mark.slow
def test_each_kill_loses_at_most_one_segment(film: Path, tmp_path: Path) -> None:
    target, listed = tmp_path / "out.mkv", 0
    for _ in range(3):
        done = call(KILLED_AT_A_FILE_OPERATION, film, target, 16)
        assert done.returncode == -signal.SIGKILL, done.stderr
        manifest = json.loads((tmp_path / "out.mkv.parts" / "manifest.json").read_bytes())
        assert len(manifest["segments"]) > listed
        listed = len(manifest["segments"])


@pytest.mark.slow
def test_a_full_disk_keeps_what_is_finished(film: Path, tmp_path: Path) -> None:
    run(film, tmp_path / "whole.mkv", invert)
    target, sizes = tmp_path / "out.mkv", (tmp_path / "whole.mkv").stat().st_size
    done = call(DISK_FULL, film, target, sizes // 2)  # enough for a segment, not for the output
    assert done.returncode == 1
    assert done.stderr.startswith(f"cannot write {target}: ")
    assert f"{FRAMES} frames are kept in {target}.parts" in done.stderr
    assert "joined.mkv" not in parts_of(target)
    assert not target.exists()
    assert run(film, target, invert).resumed == FRAMES
    assert content_of(target) == content_of(tmp_path / "whole.mkv")


@pytest.mark.slow
def test_a_disk_that_is_full_at_once_leaves_nothing(film: Path, tmp_path: Path) -> None:
    done = call(DISK_FULL, film, tmp_path / "out.mkv", 1000)
    assert done.returncode == 1
    assert done.stderr.startswith(f"cannot write {tmp_path / 'out.mkv'}.parts: ")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
def test_ctrl_c_keeps_finished_segments(film: Path, tmp_path: Path) -> None:
    target = tmp_path / "out.mkv"
    command = program(INTERRUPTED, film, target, "drop")
    with started(command, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n"
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=60) == 130
    assert not target.exists()
    assert [name for name in parts_of(target) if name.endswith(".tmp")] == []
    assert run(film, target, invert).resumed == SEAMS[-1]


@pytest.mark.slow
def test_a_shorter_file_is_replaced_when_the_run_goes_on(film: Path, tmp_path: Path) -> None:
    run(film, tmp_path / "whole.mkv", invert)
    target = tmp_path / "out.mkv"
    command = program(INTERRUPTED, film, target, "keep")
    with started(command, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n"
        process.send_signal(signal.SIGINT)
        assert process.stdout.read() == b"False\n"
        assert process.wait(timeout=60) == 0
    kept, whole = times_of(target), times_of(tmp_path / "whole.mkv")
    assert SEAMS[-1] < len(kept) < FRAMES
    assert kept == whole[: len(kept)]
    short = target.read_bytes()
    with pytest.raises(MediaError, match="exists; --overwrite replaces it"):
        run(film, target, invert, identity={"prompt": "another"})
    with pytest.raises(MediaError, match="exists; --overwrite replaces it"):
        run(film, target, invert, compare=True)
    assert target.read_bytes() == short
    assert run(film, target, invert).resumed == SEAMS[-1]
    assert content_of(target) == content_of(tmp_path / "whole.mkv")


def test_files_are_on_the_disk_before_they_get_their_names(
    film: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    events: list[tuple[str, str]] = []
    fsync, replace = os.fsync, Path.replace

    def synced(descriptor: int) -> None:
        events.append(("sync", Path(os.readlink(f"/proc/self/fd/{descriptor}")).name))
        fsync(descriptor)

    def renamed(path: Path, target: Path) -> Path:
        events.append(("rename", path.name))
        return replace(path, target)

    monkeypatch.setattr(os, "fsync", synced)
    monkeypatch.setattr(Path, "replace", renamed)
    run(film, tmp_path / "out.mkv", invert)
    names = [name for event, name in events if event == "rename"]
    assert names.count("manifest.json.tmp") == 4
    assert names[-1] == "joined.mkv"
    for index, (event, name) in enumerate(events):
        if event == "rename":
            assert events[index - 1] == ("sync", name)
            folder = tmp_path.name if name == "joined.mkv" else "out.mkv.parts"
            assert events[index + 1] == ("sync", folder)
