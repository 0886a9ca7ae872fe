"""Real servers: silent ones, and an RTSP and an RTMP server that are restarted."""

import os
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from threading import Event
from typing import Any

import av
import numpy as np
import pytest

from tests.pipelines.conftest import invert, started
from turbolens.filter import MediaError
from turbolens.pipelines.streams import sender_process
from turbolens.pipelines.streams import source as stream_source
from turbolens.pipelines.streams.encoding import StreamEncoding
from turbolens.pipelines.streams.endpoints import input_endpoint, output_endpoint
from turbolens.pipelines.streams.filter_stream import StreamOptions, filter_stream

from .stream_parts import Peer, is_inverted, streaming
from .stream_peer import write_stream
from .waiting import wait_for_listener, wait_until

pytestmark = pytest.mark.slow

TIME_LIMIT = 60.0


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    path = tmp_path / "clip.mp4"
    write_stream(str(path), 3)
    return path


@contextmanager
def silent_server() -> Iterator[int]:
    """The port of a server that accepts connections and never answers."""
    with socket.socket() as server:
        server.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        server.bind(("127.0.0.1", 0))
        server.listen()
        yield int(server.getsockname()[1])


@pytest.mark.parametrize("address", ["rtmp://{}/live/key", "rtsp://{}/live", "http://{}/whip"])
def test_a_server_that_does_not_answer_is_given_up(
    clip: Path, monkeypatch: pytest.MonkeyPatch, address: str
) -> None:
    if address.startswith("http"):
        pytest.importorskip("cryptography")
    monkeypatch.setattr(sender_process, "OPEN_SECONDS", 3.0)
    with silent_server() as port:
        target = output_endpoint(address.format(f"127.0.0.1:{port}"))
        with pytest.raises(MediaError, match="no answer for 3 seconds"):
            filter_stream(input_endpoint(str(clip)), target, invert, StreamOptions(loop=True))


@pytest.mark.parametrize("address", ["rtmp://{}/live/key", "rtsp://{}/live", "tcp://{}"])
def test_an_input_that_does_not_answer_is_given_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, address: str
) -> None:
    monkeypatch.setattr(stream_source, "OPEN_SECONDS", 1.0)
    with silent_server() as port:
        source = input_endpoint(address.format(f"127.0.0.1:{port}"))
        with pytest.raises(MediaError, match="no answer for 1 seconds"):
            filter_stream(source, output_endpoint(str(tmp_path / "out.ts")), invert)


def test_a_server_that_accepts_no_data_is_given_up(
    clip: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sender_process, "STALL_SECONDS", 0.5)
    stop, notices = Event(), list[str]()

    def note(text: str) -> None:
        notices.append(text)
        stop.set()

    with silent_server() as port:
        target = output_endpoint(f"tcp://127.0.0.1:{port}", output_format="nut")
        options = StreamOptions(StreamEncoding(bit_rate=30_000_000), loop=True)
        filter_stream(
            input_endpoint(str(clip)), target, noise, options, on_notice=note, stop=stop
        )  # fmt: skip
    assert "it takes nothing" in notices[0]


def noise(frame: av.VideoFrame) -> av.VideoFrame:
    """A large frame that is hard to encode, so that all buffers soon are full."""
    pixels = np.random.default_rng(frame.pts).integers(0, 256, (720, 1280), np.uint8)
    large = av.VideoFrame.from_ndarray(pixels, format="gray")
    large.pts, large.time_base = frame.pts, frame.time_base
    return large


PROGRAM = """
import sys
from turbolens.pipelines.streams.filter_stream import StreamOptions, filter_stream
from turbolens.pipelines.streams.endpoints import input_endpoint, output_endpoint
source, target = input_endpoint(sys.argv[1]), output_endpoint(sys.argv[2])
filter_stream(source, target, lambda frame: frame, StreamOptions(loop=True))
"""


def test_ctrl_c_ends_a_program_that_waits_for_a_silent_server(clip: Path) -> None:
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen()
        server.settimeout(TIME_LIMIT)
        address = f"rtmp://127.0.0.1:{server.getsockname()[1]}/live/key"
        command = [sys.executable, "-c", PROGRAM, str(clip), address]
        with started(command, stderr=subprocess.PIPE, text=True) as program:
            connection, _ = server.accept()
            os.kill(program.pid, signal.SIGINT)
            _, errors = program.communicate(timeout=9)  # less than its own time limit
            assert "KeyboardInterrupt" in errors
            while connection.recv(4096):  # ends once the sending process has ended too
                pass
            connection.close()


SYSTEM_PYTHON = "/usr/bin/python3"  # whose GStreamer bindings Debian packages
RTSP_SERVER = Path(__file__).with_name("rtsp_server.py")


def _has_rtsp_server() -> bool:
    program = "import gi; gi.require_version('GstRtspServer', '1.0')"
    command = [SYSTEM_PYTHON, "-c", program]
    return (
        Path(SYSTEM_PYTHON).exists()
        and not subprocess.run(  # noqa: S603
            command, check=False, stderr=subprocess.DEVNULL
        ).returncode
    )


@contextmanager
def rtsp_server(port: int) -> Iterator[None]:
    """Black video and a tone, at rtsp://127.0.0.1:PORT/live."""
    command = [SYSTEM_PYTHON, str(RTSP_SERVER), str(port)]
    with started(command, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        assert server.stdout.readline() == "ready\n"
        yield


@pytest.mark.skipif(
    not (os.environ.get("CI") or _has_rtsp_server()), reason="needs gir1.2-gst-rtsp-server-1.0"
)
def test_it_pulls_from_an_rtsp_server_again_after_a_restart(port: int) -> None:
    source, target = f"rtsp://127.0.0.1:{port}/live", f"udp://127.0.0.1:{port}"
    with ExitStack() as server:
        server.enter_context(rtsp_server(port))
        with streaming(input_endpoint(source), output_endpoint(target)) as notices:
            seen = [watched(target)]
            server.close()
            wait_for_notices(notices, "the source is lost")
            server.enter_context(rtsp_server(port))
            wait_for_notices(notices, "the source is back")
            seen.append(watched(target))
    assert all(np.median(video["levels"]) > 200 for video in seen)  # black, inverted
    assert all(video["audio_frames"] for video in seen)


NGINX = """
load_module {module};
daemon off;
master_process off;
pid {folder}/nginx.pid;
error_log {folder}/error.log;
events {{}}
rtmp {{ server {{ listen 127.0.0.1:{port}; application live {{ live on; }} }} }}
"""
MODULE = Path("/usr/lib/nginx/modules/ngx_rtmp_module.so")


@contextmanager
def rtmp_server(port: int, folder: Path) -> Iterator[None]:
    """nginx, which relays streams that are sent to rtmp://127.0.0.1:PORT/live/…"""
    configuration = folder / "nginx.conf"
    configuration.write_text(NGINX.format(module=MODULE, folder=folder, port=port))
    program = shutil.which("nginx", path=f"{os.environ['PATH']}:/usr/sbin")
    assert program is not None
    with started([program, "-p", str(folder), "-c", str(configuration)], stderr=subprocess.PIPE):
        wait_for_listener(port)
        yield


@pytest.mark.skipif(
    not (os.environ.get("CI") or MODULE.exists()), reason="needs nginx with libnginx-mod-rtmp"
)
def test_it_pulls_and_pushes_again_after_the_rtmp_server_was_restarted(
    port: int, tmp_path: Path
) -> None:
    server = f"rtmp://127.0.0.1:{port}/live"
    source, target = input_endpoint(f"{server}/in"), output_endpoint(f"{server}/out")
    with ExitStack() as running:
        running.enter_context(rtmp_server(port, tmp_path))
        running.enter_context(Peer("publish", f"{server}/in", "flv", 60))
        with streaming(source, target) as notices:
            seen = [watched(f"{server}/out")]
            running.close()
            wait_for_notices(notices, "the source is lost")
            running.enter_context(rtmp_server(port, tmp_path))
            running.enter_context(Peer("publish", f"{server}/in", "flv", 60))
            wait_for_notices(notices, f"{server}/out is back", "the source is back")
            seen.append(watched(f"{server}/out"))
    assert all(is_inverted(video["levels"]) for video in seen)
    assert all(video["audio_frames"] for video in seen)


def wait_for_notices(notices: list[str], *wanted: str) -> None:
    wait_until(
        lambda: all(any(text in notice for notice in notices) for text in wanted),
        f"the notices {wanted}, got {notices}",
    )


def watched(address: str) -> Any:
    """What a viewer receives who may connect before there is a stream."""
    with Peer("watch", address, 20) as viewer:
        return viewer.result()
