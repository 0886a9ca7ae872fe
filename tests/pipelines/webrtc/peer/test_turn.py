"""coturn between libwebrtc and the server: peers that reach each other through a relay alone."""

import asyncio
import json
import shutil
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import pytest
from aioice.ice import get_host_addresses

from tests.pipelines.webrtc.conftest import Peer, asynchronous, browser, post_offer, serving
from tests.pipelines.webrtc.programs import needs, running
from tests.pipelines.webrtc.test_libwebrtc_peers import command
from turbolens.filter import FilterSettings
from turbolens.pipelines.webrtc.peer.ice import LOOPBACK, transports
from turbolens.pipelines.webrtc.server.options import IceServer

TURNSERVER = shutil.which("turnserver")
NAME, PASSWORD = "me", "only-here"
OPTIONS = (
    "-n --no-cli --no-tls --no-dtls --lt-cred-mech --realm=here --allow-loopback-peers "
    "--log-file=stdout --simple-log --no-rfc5780 --no-software-attribute"
)  # fmt: skip


def needs_coturn() -> None:
    """Skip where there is none, but not in CI."""
    needs(TURNSERVER is not None, "coturn: apt-get install coturn")


def free_port() -> int:
    """For UDP and TCP, a moment ago."""
    with socket.socket() as one:
        one.bind(("", 0))
        return int(one.getsockname()[1])


@asynccontextmanager
async def relay(folder: Path) -> AsyncIterator[str]:
    """A running coturn: its address and port."""
    address = (*get_host_addresses(use_ipv4=True, use_ipv6=False), LOOPBACK)[0]
    port = free_port()
    process = await asyncio.create_subprocess_exec(
        str(TURNSERVER), *OPTIONS.split(), f"--user={NAME}:{PASSWORD}", f"--listening-port={port}",
        f"--listening-ip={address}", f"--relay-ip={address}", f"--pidfile={folder / 'pid'}",
        f"--userdb={folder / 'users'}", stdout=asyncio.subprocess.DEVNULL,
    )  # fmt: skip
    try:
        await _listens(address, port)
        yield f"{address}:{port}"
    finally:
        process.kill()
        await process.wait()


async def _listens(address: str, port: int) -> None:
    for _ in range(500):
        with suppress(OSError):
            _, writer = await asyncio.open_connection(address, port)
            writer.close()
            return
        await asyncio.sleep(0.02)
    raise AssertionError("coturn did not begin to listen")


@pytest.mark.parametrize("transport", ["udp", "tcp"])
@asynchronous
async def test_a_peer_behind_a_relay_gets_its_picture(transport: str, tmp_path: Path) -> None:
    needs_coturn()
    peer = command()
    async with (
        relay(tmp_path) as place,
        serving(settings=FilterSettings(strength=0.5)) as (
            client,
            server,
        ),
    ):
        urls = f"turn:{place}?transport={transport}"
        turn = {"urls": urls, "username": NAME, "credential": PASSWORD}
        configuration = json.dumps({"iceServers": [turn], "iceTransportPolicy": "relay"})
        url = str(client.make_url("/api/sessions"))
        async with running(*peer, "session", url, configuration) as other:
            await other.tells("its picture", luma=100.0)
            (session,) = server.sessions
            (transport_used,) = transports(session.peer)
            ways = transport_used._connection.remote_candidates
            assert {way.type for way in ways} == {"relay"}


@asynchronous
async def test_a_server_offers_its_own_place_at_the_relay(tmp_path: Path) -> None:
    needs_coturn()
    peer = Peer()
    async with relay(tmp_path) as place:
        turn = IceServer(f"turn:{place}?transport=udp", NAME, PASSWORD)
        async with serving(ice_servers=(turn,)) as (client, _):
            answer = await post_offer(client, await peer.offer())
            assert f" {place.partition(':')[0]} " in answer["sdp"]
            assert " typ relay" in answer["sdp"]
    await peer.close()


@pytest.mark.slow
@asynchronous
async def test_a_relay_that_is_away_or_refuses_keeps_nobody_out(tmp_path: Path) -> None:
    needs_coturn()
    async with relay(tmp_path) as place:
        wrong = IceServer(f"turn:{place}?transport=udp", NAME, "not-this")
        away = IceServer(f"turn:127.0.0.1:{free_port()}?transport=tcp", NAME, PASSWORD)
        for turn in (wrong, away):
            async with serving(ice_servers=(turn,)) as (client, _), browser(client) as peer:
                await peer.sees(200 * 0.3)
