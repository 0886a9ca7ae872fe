"""The pipe of docs/files.md: ffmpeg, turbolens, ffmpeg; audio and video stay in sync."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.pipelines.streams.stream_parts import flashes_and_tones
from tests.pipelines.streams.stream_peer import write_stream

pytestmark = pytest.mark.slow

needs_ffmpeg = pytest.mark.skipif(
    shutil.which("ffmpeg") is None and "CI" not in os.environ, reason="needs the program ffmpeg"
)


@needs_ffmpeg
def test_audio_and_video_stay_in_sync_through_a_pipe(tmp_path: Path) -> None:
    write_stream(str(tmp_path / "in.mp4"), 3)
    command = (
        "ffmpeg -v error -i in.mp4 -c:v rawvideo -c:a copy -f nut - "
        f"| {sys.executable} -m turbolens video - - --no-enabled 2>errors.txt "
        "| ffmpeg -v error -i - -c:a copy out.mkv"
    )
    subprocess.run(["bash", "-c", command], cwd=tmp_path, check=True, timeout=120)  # noqa: S603, S607
    before, after = (offsets(tmp_path / name) for name in ("in.mp4", "out.mkv"))
    assert len(after) == len(before) == 2
    assert all(abs(a - b) <= 0.040 for a, b in zip(after, before, strict=True))


def offsets(path: Path) -> list[float]:
    """How much later than the nearest tone each flash is, in seconds."""
    flashes, tones = flashes_and_tones(path)
    return [min((flash - tone for tone in tones), key=abs) for flash in flashes]
