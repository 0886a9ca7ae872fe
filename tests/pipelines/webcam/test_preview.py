"""`Preview`: raw frames for ffplay."""

import os
import re
import stat
from contextlib import closing
from pathlib import Path
from time import sleep

import pytest

from turbolens.filter import MediaError
from turbolens.pipelines.live.slate import slate
from turbolens.pipelines.webcam.preview import Preview


@pytest.fixture
def player(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A program named ffplay, which writes what it should show into a named pipe."""
    folder = tmp_path / "programs"
    folder.mkdir()
    program, film = folder / "ffplay", tmp_path / "film"
    os.mkfifo(film)
    program.write_text(f'#!/bin/sh\necho "$@" > {tmp_path}/arguments\nexec cat > {film}\n')
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")
    return film


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs a named pipe and a shell")
def test_the_preview_gets_pictures_of_one_size(player: Path) -> None:
    preview, size = Preview(), 64 * 36 * 3 // 2
    preview.write(slate(64, 36))
    with player.open("rb") as film:
        assert len(film.read(size)) == size
        preview.close()
        preview.close()
        assert film.read() == b""
    assert "64x36" in (player.parent / "arguments").read_text()


def write_until_it_fails(preview: Preview) -> None:
    for _ in range(500):
        preview.write(slate(64, 36))
        sleep(0.02)


@pytest.mark.skipif(os.name == "nt", reason="needs a shell")
@pytest.mark.parametrize(
    ("printed", "message"),
    [
        ("Could not initialize SDL - no display", "could not open a window (Could not initialize"),
        ("XIO: fatal IO error 11 on X server :7", "has ended (XIO: fatal IO error 11 on X server"),
        ("", "has ended (no reason given); is the display still there?"),
    ],
)
def test_a_player_that_fails_ends_the_preview_with_its_reason(
    printed: str, message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = tmp_path / "ffplay"
    program.write_text(f'#!/bin/sh\nhead -c 9 > /dev/null\necho "{printed}" >&2\nexit 1\n')
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    with closing(Preview()) as preview, pytest.raises(MediaError, match=re.escape(message)):
        write_until_it_fails(preview)


def test_without_a_player_the_preview_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    with pytest.raises(MediaError, match="apt install ffmpeg"):
        Preview()
