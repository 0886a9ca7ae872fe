"""Streams on loopback: protocols, audio in sync, and servers that are restarted."""

import os
import subprocess
import sys
from fractions import Fraction
from functools import partial
from pathlib import Path
from threading import Event
from typing import Any

import av
import numpy as np
import pytest

from tests.pipelines.camera.virtual_backend import keeping_backend
from tests.pipelines.conftest import invert, started
from turbolens.filter import MediaError
from turbolens.pipelines.base import Reopenable
from turbolens.pipelines.camera.virtual_camera import VirtualCamera
from turbolens.pipelines.scene.camera import SceneCamera
from turbolens.pipelines.statistics import Stats
from turbolens.pipelines.streams.audio import AudioStream
from turbolens.pipelines.streams.encoding import StreamEncoding, live_encoder
from turbolens.pipelines.streams.endpoints import input_endpoint, output_endpoint
from turbolens.pipelines.streams.filter_stream import StreamOptions, filter_stream
from turbolens.pipelines.streams.sink import StreamSink

from .stream_parts import Peer, flashes_and_tones, frame_times, is_inverted, streaming
from .stream_peer import RATE, SIZE, tone, write_stream
from .waiting import wait_for_listener, wait_until


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    path = tmp_path / "clip.mp4"
    write_stream(str(path), 3)
    return path


@pytest.mark.slow
def test_audio_and_video_of_a_file_stay_in_sync_behind_a_slow_filter(
    clip: Path, tmp_path: Path
) -> None:
    pause = Event()

    def slow(frame: av.VideoFrame) -> av.VideoFrame:
        pause.wait(0.1)
        return frame

    target = tmp_path / "out.mkv"
    stats = filter_stream(input_endpoint(str(clip)), output_endpoint(str(target)), slow)
    assert 0 < stats.filtered < stats.captured == 3 * RATE
    flashes, tones = flashes_and_tones(target)
    assert len(flashes) >= 1
    for flash in flashes:  # frames were dropped: a flash is up to three frames late
        assert min(abs(flash - tone - 0.06) for tone in tones) <= 0.12


@pytest.mark.slow
def test_audio_and_video_of_a_file_stay_in_sync_within_40_ms(clip: Path, tmp_path: Path) -> None:
    target = tmp_path / "out.mkv"
    stats = filter_stream(
        input_endpoint(str(clip)), output_endpoint(str(target)), lambda frame: frame
    )
    flashes, tones = flashes_and_tones(target)
    assert stats.captured == 3 * RATE
    assert len(flashes) >= 1
    for flash in flashes:
        assert min(abs(flash - tone) for tone in tones) <= 0.040 + 1 / RATE


@pytest.mark.slow
def test_udp_carries_video_and_audio(clip: Path, port: int) -> None:
    address = f"udp://127.0.0.1:{port}"
    source, target = input_endpoint(str(clip)), output_endpoint(address)
    with Peer("receive", address, 20) as peer, streaming(source, target, loop=True):
        seen = peer.result()
    assert is_inverted(seen["levels"])
    assert seen["times"] == sorted(seen["times"])
    assert seen["audio_frames"] > 0


@pytest.mark.slow
@pytest.mark.parametrize("scheme", ["rtmp", "rtsp"])
def test_it_pushes_to_a_server_again_after_a_restart(clip: Path, port: int, scheme: str) -> None:
    address = f"{scheme}://127.0.0.1:{port}/live/key"
    with Peer("receive", address, 20, "listen") as first:
        wait_for_listener(port)
        with streaming(input_endpoint(str(clip)), output_endpoint(address), loop=True) as notices:
            seen = [first.result()]
            with Peer("receive", address, 20, "listen") as second:
                seen.append(second.result())
    assert all(is_inverted(server["levels"]) for server in seen)
    assert any("opening it again" in notice for notice in notices)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("scheme", "format_name"), [("rtmp", "flv"), ("rtsp", "rtsp"), ("tcp", "mpegts")]
)
def test_it_listens_and_waits_for_a_publisher_that_left(
    port: int, tmp_path: Path, scheme: str, format_name: str
) -> None:
    address = f"{scheme}://127.0.0.1:{port}" + ("" if scheme == "tcp" else "/live/in")
    listening = f"{address}?listen=1" if scheme == "tcp" else address
    target = tmp_path / "out.mkv"
    source = input_endpoint(listening, listen=scheme != "tcp")
    with streaming(source, output_endpoint(str(target))) as notices:
        for turn in (1, 2):
            with Peer("publish", address, format_name) as peer:
                peer.result()
                wait_until(partial(lost, notices, turn), f"the loss of publisher {turn}")
    flashes, tones = flashes_and_tones(target)
    assert any("the source is back" in notice for notice in notices)
    assert flashes
    assert tones
    times = frame_times(target)
    assert times == sorted(set(times))
    assert len(times) > 2 * RATE  # of both publishers, less what was probed for the format


def lost(notices: list[str], times: int) -> bool:
    return sum("the source is lost" in notice for notice in notices) >= times


def test_a_source_that_cannot_be_reached_is_an_error_at_once(tmp_path: Path, port: int) -> None:
    source, target = (
        input_endpoint(f"rtmp://127.0.0.1:{port}/x"),
        output_endpoint(str(tmp_path / "o.ts")),
    )
    with pytest.raises(MediaError, match=f"cannot read rtmp://127.0.0.1:{port}"):
        filter_stream(source, target, invert)
    assert not (tmp_path / "o.ts").exists()


def test_a_server_that_cannot_be_reached_is_an_error_at_once(clip: Path, port: int) -> None:
    target = output_endpoint(f"rtmp://127.0.0.1:{port}/x")
    with pytest.raises(MediaError, match=f"cannot send to rtmp://127.0.0.1:{port}"):
        filter_stream(input_endpoint(str(clip)), target, invert)


def test_a_source_that_waits_for_a_peer_can_be_stopped(port: int, tmp_path: Path) -> None:
    stop = Event()
    stop.set()
    source = input_endpoint(f"tcp://127.0.0.1:{port}?listen=1")
    filter_stream(source, output_endpoint(str(tmp_path / "o.ts")), invert, stop=stop)


@pytest.mark.slow
def test_without_audio_or_with_it_switched_off_there_is_only_video(tmp_path: Path) -> None:
    silent = tmp_path / "silent.mp4"
    write_stream(str(silent), 0.5, with_audio=False)
    write_stream(str(tmp_path / "loud.mp4"), 0.5)
    for name, options in (
        ("silent.mp4", StreamOptions()),
        ("loud.mp4", StreamOptions(audio=False)),
    ):
        target = tmp_path / f"{name}.ts"
        source = input_endpoint(str(tmp_path / name))
        stats = filter_stream(source, output_endpoint(str(target)), invert, options)
        assert isinstance(stats, Stats)
        with av.open(str(target)) as container:
            assert [stream.type for stream in container.streams] == ["video"]


@pytest.mark.slow
def test_missing_audio_is_filled_with_silence_so_that_players_do_not_wait(tmp_path: Path) -> None:
    """After audio that ends early there is silence, up to half a second before the end."""
    clip, target = tmp_path / "short.mkv", tmp_path / "out.mkv"
    with av.open(str(clip), "w") as output:
        video: Any = output.add_stream("libx264", rate=RATE, width=SIZE[0], height=SIZE[1])
        audio: Any = output.add_stream("aac", rate=48000, layout="mono")
        for start in range(0, 24000, 1024):
            output.mux(audio.encode(tone(start)))
        output.mux(audio.encode(None))
        for _ in range(2 * RATE):
            pixels = np.zeros((SIZE[1], SIZE[0], 3), np.uint8)
            output.mux(video.encode(av.VideoFrame.from_ndarray(pixels, format="rgb24")))
        output.mux(video.encode(None))
    filter_stream(input_endpoint(str(clip)), output_endpoint(str(target)), invert)
    with av.open(str(target)) as container:
        last = max(frame.time or 0.0 for frame in container.decode(audio=0))
    assert 1.2 < last < 2


@pytest.mark.parametrize("codec", ["aac", "libopus"])
def test_the_last_audio_samples_are_sent_too(tmp_path: Path, codec: str) -> None:
    """An encoder takes 1024 samples at a time; fewer are left at the end."""
    target = tmp_path / "audio.mkv"
    with av.open(str(target), "w") as output:
        audio = AudioStream(output, codec, Fraction(0))
        for start in range(0, 3000, 1000):
            for packet in audio.encode(tone(start, 1000), Fraction(start, 48_000)):
                output.mux(packet)
        for packet in audio.flush():
            output.mux(packet)
    with av.open(str(target)) as container:
        assert sum(frame.samples for frame in container.decode(audio=0)) >= 3000


def test_a_file_or_pipe_that_fails_is_not_opened_again(tmp_path: Path, port: int) -> None:
    """The file would be emptied, and the pipe has lost its reader."""
    for endpoint, expected in (
        (output_endpoint(str(tmp_path / "out.mkv")), False),
        (output_endpoint("-"), False),
        (output_endpoint(f"udp://127.0.0.1:{port}"), True),
        (output_endpoint(f"rtmp://127.0.0.1:{port}/live"), True),
    ):
        sink = StreamSink(endpoint, StreamEncoding(), rate=Fraction(RATE), notify=print)
        assert isinstance(sink, Reopenable) is expected


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs named pipes")
def test_a_pipe_whose_reader_has_gone_ends_the_stream(clip: Path, tmp_path: Path) -> None:
    reading, writing = os.pipe()
    command = [
        sys.executable,
        "-m",
        "turbolens",
        "stream",
        str(clip),
        "-",
        "--loop",
        "--no-enabled",
    ]
    with started(command, stdout=writing, stderr=subprocess.PIPE, cwd=tmp_path) as process:
        os.close(writing)
        assert os.read(reading, 1000)
        os.close(reading)
        _, errors = process.communicate(timeout=60)
    assert process.returncode == 1
    assert b"Broken pipe" in errors


@pytest.mark.slow
def test_whip_carries_video_and_audio(clip: Path, port: int) -> None:
    for package in ("aiohttp", "aiortc", "cryptography"):
        pytest.importorskip(package)
    address = f"http://127.0.0.1:{port}/whip"
    options = ["--loop", "--no-enabled", "--token", "secret"]
    command = [sys.executable, "-m", "turbolens", "stream", str(clip), address, *options]
    with Peer(port, 40, program="whip_peer") as peer:
        wait_for_listener(port)
        with started(command, stderr=subprocess.DEVNULL):
            seen = peer.result()
    assert len(seen["levels"]) >= 40
    assert seen["audio_frames"] > 0
    assert seen["token"] == "Bearer secret"  # noqa: S105


@pytest.mark.slow
def test_a_file_can_be_shown_on_a_virtual_camera(clip: Path) -> None:
    with keeping_backend() as backend:
        filter_stream(input_endpoint(str(clip)), VirtualCamera(), invert)
    [opened] = backend.opened
    assert (opened.width, opened.height) == SIZE
    assert len(opened.sent) > RATE


@pytest.mark.slow
def test_a_camera_can_be_sent(port: int) -> None:
    target = output_endpoint(f"udp://127.0.0.1:{port}")
    camera = SceneCamera(*SIZE, rate=Fraction(RATE))
    with Peer("receive", f"udp://127.0.0.1:{port}", 10) as peer, streaming(camera, target):
        assert len(peer.result()["levels"]) == 10


def test_the_encoder_has_low_latency_and_a_steady_bit_rate() -> None:
    encoding = StreamEncoding(bit_rate=900_000, keyframe_interval=Fraction(1, 2))
    options = live_encoder(encoding, Fraction(30), pixels=1).options
    assert options["tune"] == "zerolatency"
    assert (options["g"], options["bf"], options["b"], options["maxrate"]) == (
        "15", "0", "900000", "900000",
    )  # fmt: skip
    assert live_encoder(StreamEncoding(), Fraction(30), pixels=1280 * 720).options["b"] == "2764800"


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("srt://host:1", "ffmpeg -i 'srt://host:1'"),
        ("ftp://host/a.mp4", "got ftp"),
        ("nothing.mp4", "no such file"),
    ],
)
def test_an_input_that_cannot_be_read_is_one_line(name: str, expected: str) -> None:
    with pytest.raises(MediaError, match=expected.replace("[", ".")):
        input_endpoint(name)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("srt://host:1", "-f mpegts 'srt://host:1'"),
        ("ftp://host/a.mp4", "got ftp"),
        ("out.avi", "must end in"),
        ("no/folder/out.mp4", "no folder"),
        ("clip.mp4", "--overwrite"),
    ],
)
def test_an_output_that_cannot_be_written_is_one_line(
    clip: Path, monkeypatch: pytest.MonkeyPatch, name: str, expected: str
) -> None:
    monkeypatch.chdir(clip.parent)
    with pytest.raises(MediaError, match=expected):
        output_endpoint(name)


@pytest.mark.parametrize(
    ("name", "format_name", "audio_codec"),
    [
        ("rtmp://host/live/key", "flv", "aac"),
        ("rtsp://host/live", "rtsp", "aac"),
        ("udp://239.0.0.1:5000", "mpegts", "aac"),
        ("https://host/whip", "whip", "libopus"),
        ("-", "nut", "aac"),
        ("a.webm", None, "libopus"),
    ],
)
def test_the_format_follows_the_name(name: str, format_name: str | None, audio_codec: str) -> None:
    endpoint = output_endpoint(name)
    assert (endpoint.format, endpoint.audio_codec) == (format_name, audio_codec)


def test_the_token_goes_to_whip() -> None:
    assert output_endpoint("https://host/whip", token="secret").options["authorization"] == "secret"  # noqa: S106
