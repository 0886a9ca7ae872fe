"""Inputs whose sender does not wait: they are open before the model is loaded."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.pipelines.conftest import invert
from turbolens.filter import ModelError
from turbolens.pipelines.cli import app as cli
from turbolens.pipelines.cli import stream as command
from turbolens.pipelines.model_choice import load_filter
from turbolens.pipelines.streams.endpoints import input_endpoint, output_endpoint
from turbolens.pipelines.streams.filter_stream import StreamOptions, filter_stream

from .stream_parts import ROOT, Peer, frame_times
from .waiting import wait_until

SECONDS = 2  # how long the sender sends


@pytest.fixture(autouse=True)
def signal_handlers() -> Iterator[None]:
    """The command sets its own."""
    handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    yield
    for number, handler in handlers.items():
        signal.signal(number, handler)


def run_stream(monkeypatch: pytest.MonkeyPatch, *arguments: object) -> int:
    """`turbolens stream` in this process. Returns its exit code."""
    monkeypatch.setattr(sys, "argv", ["turbolens", "stream", *map(str, arguments)])
    monkeypatch.setattr(os, "_exit", sys.exit)  # how it ends while a thread runs torch
    with pytest.raises(SystemExit) as ended:
        cli.main()
    return int(ended.value.code or 0)


def wait_for_socket(port: int) -> None:
    """Wait until a program receives UDP at this port."""
    wanted = f":{port:04X} "
    wait_until(lambda: wanted in Path("/proc/net/udp").read_text(), "an open socket", seconds=20)


def describe(path: Path, port: int) -> Path:
    """A session description (SDP) of H.264 by RTP."""
    path.write_text(
        "v=0\no=- 0 0 IN IP4 127.0.0.1\ns=camera\nc=IN IP4 127.0.0.1\nt=0 0\n"
        f"m=video {port} RTP/AVP 96\na=rtpmap:96 H264/90000\na=fmtp:96 packetization-mode=1\n"
    )
    return path


@pytest.mark.slow
def test_what_is_sent_while_the_model_loads_is_received(
    tmp_path: Path, port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The sender starts with the command, and has ended when the model is loaded."""
    target = tmp_path / "out.mkv"
    sender = [sys.executable, "-m", "tests.pipelines.streams.stream_peer", "send",
              f"rtp://127.0.0.1:{port}", "rtp", str(SECONDS)]  # fmt: skip

    def load_slowly(*arguments: Any, **options: Any) -> Any:
        wait_for_socket(port)
        subprocess.run(sender, check=True, cwd=ROOT)  # noqa: S603
        return load_filter(*arguments, **options)

    monkeypatch.setattr(command, "load_filter", load_slowly)
    source = describe(tmp_path / "in.sdp", port)
    assert run_stream(monkeypatch, source, target, "--size", 64, "--until-end") == 0
    assert frame_times(target)


@pytest.mark.parametrize("name", ["udp://127.0.0.1:{}", "in.sdp"])
def test_a_model_that_cannot_be_loaded_ends_an_input_that_waits(
    tmp_path: Path, port: int, name: str, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    def load(*_: Any, **__: Any) -> None:
        wait_for_socket(port)
        raise ModelError("this model is broken")

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(command, "load_filter", load)
    describe(tmp_path / "in.sdp", port)
    assert run_stream(monkeypatch, name.format(port), "out.mkv") == 1
    assert capsys.readouterr().err == "turbolens: this model is broken\n"
    assert not (tmp_path / "out.mkv").exists()


@pytest.mark.parametrize(
    ("name", "listen", "expected"),
    [
        ("udp://127.0.0.1:5000", False, True),
        ("rtp://127.0.0.1:5000", False, True),
        ("http://host/in.sdp", False, True),
        ("rtmp://127.0.0.1/x", True, True),
        ("rtmp://127.0.0.1/x", False, False),
        ("http://host/in.m3u8", False, False),
        ("-", False, False),
    ],
)
def test_an_input_opens_early_if_its_sender_does_not_wait(
    name: str, listen: bool, expected: bool
) -> None:
    assert input_endpoint(name, listen=listen).opens_early is expected


@pytest.mark.slow
def test_silence_is_the_end_of_a_stream_by_udp(tmp_path: Path, port: int) -> None:
    address, target = f"udp://127.0.0.1:{port}", tmp_path / "out.mkv"
    with Peer("send", address, "mpegts", SECONDS):
        filter_stream(
            input_endpoint(address), output_endpoint(str(target)), invert,
            StreamOptions(until_end=True),
        )  # fmt: skip
    assert frame_times(target)
