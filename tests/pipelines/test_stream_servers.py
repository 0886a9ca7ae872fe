"""Servers as they are met: silent ones, a server for RTSP, one for RTMP, each of them restarted."""

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Event

import av
import numpy as np
import pytest

from turbolens.filter import MediaError
from turbolens.pipelines import stream_outlet
from turbolens.pipelines.stream import StreamOptions, filter_stream
from turbolens.pipelines.stream_places import input_place, output_place
from turbolens.pipelines.stream_sink import StreamEncoding

from .conftest import invert, started
from .stream_peer import write_stream

PATIENCE = 60.0


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    path = tmp_path / "clip.mp4"
    write_stream(str(path), 3)
    return path


@contextmanager
def silent_server() -> Iterator[int]:
    """The port of a server that takes connections and never says a word."""
    with socket.socket() as server:
        server.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        server.bind(("127.0.0.1", 0))
        server.listen()
        yield int(server.getsockname()[1])


@pytest.mark.parametrize("address", ["rtmp://{}/live/key", "rtsp://{}/live", "http://{}/whip"])
def test_a_server_that_says_nothing_is_given_up(
    clip: Path, monkeypatch: pytest.MonkeyPatch, address: str
) -> None:
    if address.startswith("http"):
        pytest.importorskip("cryptography")
    monkeypatch.setattr(stream_outlet, "OPEN_SECONDS", 3.0)
    with silent_server() as port:
        target = output_place(address.format(f"127.0.0.1:{port}"))
        with pytest.raises(MediaError, match="no answer for 3 seconds"):
            filter_stream(input_place(str(clip)), target, invert, StreamOptions(loop=True))


def test_a_server_that_takes_nothing_is_given_up(
    clip: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stream_outlet, "STALL_SECONDS", 0.5)
    stop, notices = Event(), list[str]()

    def note(text: str) -> None:
        notices.append(text)
        stop.set()

    with silent_server() as port:
        target = output_place(f"tcp://127.0.0.1:{port}", output_format="nut")
        options = StreamOptions(StreamEncoding(bit_rate=30_000_000), loop=True)
        filter_stream(
            input_place(str(clip)), target, noise, options, on_notice=note, stop=stop
        )  # fmt: skip
    assert "it takes nothing" in notices[0]


def noise(frame: av.VideoFrame) -> av.VideoFrame:
    """A large picture that is hard to encode: what is on its way soon fills all buffers."""
    pixels = np.random.default_rng(frame.pts).integers(0, 256, (720, 1280), np.uint8)
    picture = av.VideoFrame.from_ndarray(pixels, format="gray")
    picture.pts, picture.time_base = frame.pts, frame.time_base
    return picture


PROGRAM = """
import sys
from turbolens.pipelines.stream import StreamOptions, filter_stream
from turbolens.pipelines.stream_places import input_place, output_place
source, target = input_place(sys.argv[1]), output_place(sys.argv[2])
filter_stream(source, target, lambda frame: frame, StreamOptions(loop=True))
"""


def test_ctrl_c_ends_a_program_that_waits_for_a_silent_server(clip: Path) -> None:
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen()
        server.settimeout(PATIENCE)
        address = f"rtmp://127.0.0.1:{server.getsockname()[1]}/live/key"
        command = [sys.executable, "-c", PROGRAM, str(clip), address]
        with started(command, stderr=subprocess.PIPE, text=True) as program:
            connection, _ = server.accept()
            os.kill(program.pid, signal.SIGINT)
            _, said = program.communicate(timeout=9)  # less than it would wait for an answer
            assert "KeyboardInterrupt" in said
            while connection.recv(4096):  # ends when nothing of the program is left
                pass
            connection.close()
