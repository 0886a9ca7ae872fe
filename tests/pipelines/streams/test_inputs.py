"""Inputs that are pulled: a file and a playlist over HTTP, and the screen."""

import shutil
import subprocess
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Event, Thread
from typing import Any

import av
import pytest

from tests.pipelines.conftest import invert, started
from turbolens.pipelines.streams.endpoints import input_endpoint, output_endpoint
from turbolens.pipelines.streams.filter_stream import filter_stream

from .stream_peer import write_stream

pytestmark = pytest.mark.slow


class QuietHandler(SimpleHTTPRequestHandler):
    """Serves a folder without a log."""

    def log_message(self, *words: Any) -> None:
        """Log nothing."""


@pytest.fixture
def address(tmp_path: Path) -> Iterator[str]:
    """The URL of a server for `tmp_path` on loopback."""
    handler = partial(QuietHandler, directory=str(tmp_path))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()
        thread.join(10)


def levels_of(path: Path) -> list[float]:
    with av.open(str(path)) as container:
        return [float(frame.to_ndarray(format="gray").mean())
                for frame in container.decode(video=0)]  # fmt: skip


def test_a_file_over_http_is_filtered(address: str, tmp_path: Path) -> None:
    write_stream(str(tmp_path / "in.ts"), 1.6)
    target = tmp_path / "out.mkv"
    filter_stream(input_endpoint(f"{address}/in.ts"), output_endpoint(str(target)), invert)
    levels = levels_of(target)
    assert len(levels) > 10
    assert sorted(levels)[len(levels) // 2] > 180  # the clip is dark but for its flashes


def test_a_playlist_over_http_is_filtered(address: str, tmp_path: Path) -> None:
    write_stream(
        str(tmp_path / "live.m3u8"), 1.6, format_name="hls",
        options={"hls_time": "0.4", "hls_list_size": "0"},
    )  # fmt: skip
    target = tmp_path / "out.mkv"
    filter_stream(input_endpoint(f"{address}/live.m3u8"), output_endpoint(str(target)), invert)
    levels = levels_of(target)
    assert len(levels) > 10
    assert sorted(levels)[len(levels) // 2] > 180


@pytest.mark.skipif(shutil.which("Xvfb") is None, reason="no X server without a screen here")
def test_the_screen_is_filtered(tmp_path: Path) -> None:
    command = ["Xvfb", "-displayfd", "1", "-screen", "0", "320x200x24", "-nolisten", "tcp"]
    with started(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as server:
        assert server.stdout is not None
        display = server.stdout.readline().strip()
        assert display.isdecimal()
        seen: list[tuple[int, int]] = []

        def invert_and_count(frame: av.VideoFrame) -> av.VideoFrame:
            seen.append((frame.width, frame.height))
            if len(seen) == 5:
                stop.set()
            return invert(frame)

        stop = Event()
        target = tmp_path / "out.mkv"
        source = input_endpoint(f"screen::{display}")
        filter_stream(source, output_endpoint(str(target)), invert_and_count, stop=stop)
    assert seen[0] == (320, 200)
    assert min(levels_of(target)) > 200  # the empty screen is black
