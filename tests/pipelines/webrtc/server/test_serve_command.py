"""`turbolens serve` and the examples, as programs: what they say, refuse, and leave behind."""

import asyncio
import re
import signal
import ssl
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import aiohttp
import av
import pytest
import typer
from aiohttp import web
from aioice.ice import get_host_addresses

from tests.pipelines.conftest import started, write_clip
from tests.pipelines.webrtc.conftest import (
    Peer,
    ShadeModel,
    asynchronous,
    new_shade,
    post_offer,
    until,
    until_async,
)
from turbolens.pipelines.cli.options import serve as serve_options
from turbolens.pipelines.webrtc import Limits, create_app
from turbolens.pipelines.webrtc.server.running import new_runner

ROOT = Path(__file__).resolve().parents[4]
SERVE = [sys.executable, "-m", "turbolens", "serve", "--port", "0"]
EVERYWHERE = "0.0.0.0"  # noqa: S104
LINK = re.compile(r"open (https?)://([^:/]+):(\d+)/(#token=(\S+))?")


@contextmanager
def server(
    *options: str, size: str | None = "64"
) -> Iterator[tuple["subprocess.Popen[str]", re.Match[str]]]:
    """A running `turbolens serve`, and the link that it printed. size: `None` lets it choose."""
    sized = () if size is None else ("--size", size)
    with started([*SERVE, *sized, *options], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                 text=True) as process:  # fmt: skip
        assert process.stdout is not None
        found = LINK.search(process.stdout.readline())
        if found is None:
            raise AssertionError(process.communicate(timeout=60)[1])
        yield process, found


async def ready(session: aiohttp.ClientSession) -> dict[str, Any]:
    """Wait until the model is loaded."""

    async def status_when_ready() -> dict[str, Any] | None:
        async with session.get("api/status") as response:
            status: dict[str, Any] = await response.json()
        return status if status["model"]["state"] == "ready" else None

    return await until_async(status_when_ready, "the model to load")


@pytest.mark.slow
def test_it_serves_on_loopback_and_closes_its_peers_on_ctrl_c() -> None:
    with server() as (process, link):
        assert (link[1], link[2], link[4]) == ("http", "localhost", None)

        @asynchronous
        async def use() -> None:
            base = f"http://127.0.0.1:{link[3]}"
            async with aiohttp.ClientSession(base) as session:
                assert "oil painting" in (await ready(session))["model"]["looks"]
                peer = Peer()
                peer.open_control()
                answer = await post_offer(session, await peer.offer())
                await peer.accept(answer["sdp"])
                await until(lambda: peer.frames, "a frame")
                process.send_signal(signal.SIGINT)
                await until(lambda: peer.event("closing"), "the event")
                await peer.close()

        use()
        assert process.wait(60) == 0
        assert process.stderr is not None
        said = process.stderr.read()
        assert "Traceback" not in said
        assert "never retrieved" not in said
        assert "pending" not in said


@pytest.mark.slow
def test_another_address_needs_a_token_and_recommends_https() -> None:
    with server("--host", EVERYWHERE) as (process, link):
        token = link[5]
        assert len(token) >= 20
        assert process.stdout is not None
        for address in get_host_addresses(use_ipv4=True, use_ipv6=False):
            other = LINK.search(process.stdout.readline())
            assert other is not None
            assert (other[2], other[5]) == (address, token)

        @asynchronous
        async def use() -> None:
            async with aiohttp.ClientSession(f"http://127.0.0.1:{link[3]}") as session:
                assert (await session.get("/api/status")).status == 401
                bearer = {"Authorization": f"Bearer {token}"}
                assert (await session.get("/api/status", headers=bearer)).status == 200

        use()
        process.send_signal(signal.SIGTERM)
        out, err = process.communicate(timeout=60)
        assert process.returncode == 0
        assert "--tls-self-signed" in err
        assert token not in out + err


@pytest.mark.slow
def test_a_self_signed_certificate_enables_https() -> None:
    with server("--tls-self-signed", "--token", "a-given-token") as (process, link):
        assert (link[1], link[5]) == ("https", "a-given-token")
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE

        @asynchronous
        async def use() -> None:
            async with aiohttp.ClientSession() as session:
                url = f"https://127.0.0.1:{link[3]}/healthz"
                async with session.get(url, ssl=context) as response:
                    assert response.status == 200

        use()
        process.send_signal(signal.SIGINT)
        assert process.wait(60) == 0


@asynchronous
async def test_a_head_that_is_sent_too_slowly_is_cut_off() -> None:
    app = create_app(ShadeModel(), make_filter=new_shade)
    runner = new_runner(app, Limits(header_seconds=0.3))
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    reader, writer = await asyncio.open_connection(*runner.addresses[0])
    writer.write(b"GET / HTTP/1.1\r\nHost: local")
    assert await asyncio.wait_for(reader.read(), 30) == b""
    writer.close()
    await runner.cleanup()


def run(*options: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(  # noqa: S603
        [*SERVE, *options], capture_output=True, text=True, timeout=120, check=False
    )


@pytest.mark.slow
@pytest.mark.parametrize(
    ("options", "code", "words"),
    [
        (["--look", "no such look"], 2, "its looks: oil painting"),
        (["--size", "2048"], 2, "at most 1024"),
        (["--model", "nothing"], 2, "there is no model, folder or file 'nothing'"),
        (["--host", "192.0.2.77"], 1, "cannot listen at 192.0.2.77: this machine has no such add"),
        (["--host", "300.1.1.1"], 1, "this machine has no such address; name another --host"),
        (["--tls-cert", "nothing.pem"], 1, "cannot read --tls-cert nothing.pem: there is no such"),
    ],
)
def test_what_cannot_be_is_one_line(options: list[str], code: int, words: str) -> None:
    result = run(*options)
    assert (result.returncode, result.stdout) == (code, "")
    (line,) = result.stderr.splitlines()
    assert words in line


@pytest.mark.parametrize(
    ("name", "given"),
    [
        ("token_for", "short"), ("token_for", "with a blank in it"), ("origin", "example.org"),
        ("origin", "https://a/b"), ("origin", "*"), ("stun_server", "a b"), ("turn_server", "host"),
        ("turn_server", "user@host"), ("port_range", "5"), ("port_range", "9-5"),
        ("port_range", "1-70000"), ("public_address", "example.org"),
    ],
)  # fmt: skip
def test_a_bad_option_is_refused_before_anything_is_loaded(name: str, given: str) -> None:
    function = getattr(serve_options, name)
    arguments: dict[str, Any] = {"local": True} if name == "token_for" else {}
    with pytest.raises(typer.BadParameter):
        function(given, **arguments)


def test_servers_are_given_as_people_write_them() -> None:
    assert serve_options.stun_server("example.org").url == "stun:example.org"
    turn = serve_options.turn_server("me:pa:ss@[::1]:3478?transport=tcp")
    assert (turn.url, turn.username, turn.credential) == (
        "turn:[::1]:3478?transport=tcp", "me", "pa:ss",
    )  # fmt: skip
    assert serve_options.port_range("40000-40100") == (40000, 40100)


def test_only_other_addresses_get_a_token_of_their_own() -> None:
    assert serve_options.token_for(None, local=True) is None
    tokens = {serve_options.token_for(None, local=False) for _ in range(5)}
    assert len(tokens) == 5
    for host, local in (("127.0.0.1", True), ("::1", True), ("localhost", True),
                        ("127.5.5.5", True), (EVERYWHERE, False), ("me.home", False)):  # fmt: skip
        assert serve_options.is_loopback(host) is local


@pytest.mark.slow
def test_the_examples_talk_to_each_other(tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "clip.mp4", pts=range(75), size=(64, 48))
    command = [sys.executable, str(ROOT / "examples/webrtc_server.py"), "0"]
    with started(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        port = next(found[1] for line in process.stdout
                    if (found := re.search(r"127\.0\.0\.1:(\d+)", line)))  # fmt: skip
        url = f"http://127.0.0.1:{port}/filter"

        @asynchronous
        async def wait() -> None:
            async with aiohttp.ClientSession(f"{url}/") as session:
                await ready(session)

        wait()
        client = [sys.executable, str(ROOT / "examples/webrtc_client.py"), url, str(clip),
                  str(tmp_path / "styled.mp4")]  # fmt: skip
        said = subprocess.run(client, capture_output=True, text=True, timeout=120, check=False)  # noqa: S603
        assert said.returncode == 0, said.stderr
        assert '"event": "state"' in said.stdout
    with av.open(tmp_path / "styled.mp4") as styled:
        assert next(styled.decode(video=0)).width == 64
