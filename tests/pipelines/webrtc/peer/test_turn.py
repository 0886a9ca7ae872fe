"""TURN: coturn relays between peers and the server."""

import asyncio
import json
import shutil
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from aioice.ice import get_host_addresses

from tests.pipelines.webrtc.conftest import (
    Peer,
    asynchronous,
    browser,
    post_offer,
    serving,
    until_async,
)
from tests.pipelines.webrtc.programs import needs, running
from tests.pipelines.webrtc.test_libwebrtc_peers import command
from turbolens.filter import FilterSettings
from turbolens.pipelines.webrtc.peer.aiortc_internals import ice_connection
from turbolens.pipelines.webrtc.peer.ice import LOOPBACK, ice_transports
from turbolens.pipelines.webrtc.peer.options import IceServer

TURNSERVER = shutil.which("turnserver")
NAME, PASSWORD = "me", "only-here"
OPTIONS = (
    "-n --no-cli --no-tls --no-dtls --lt-cred-mech --realm=here --allow-loopback-peers "
    "--log-file=stdout --simple-log --no-rfc5780 --no-software-attribute"
)  # fmt: skip


def needs_coturn() -> None:
    """Skip without coturn, except in CI."""
    needs(TURNSERVER is not None, "coturn: apt-get install coturn")


def free_port() -> int:
    """A port that was free a moment ago."""
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
    async def listens() -> bool:
        try:
            _, writer = await asyncio.open_connection(address, port)
        except OSError:
            return False
        writer.close()
        return True

    await until_async(listens, "coturn to listen")


@pytest.mark.parametrize("transport", ["udp", "tcp"])
@asynchronous
async def test_a_peer_that_uses_only_a_relay_receives_video(transport: str, tmp_path: Path) -> None:
    needs_coturn()
    peer = command()
    async with (
        relay(tmp_path) as address,
        serving(settings=FilterSettings(strength=0.5)) as (
            client,
            server,
        ),
    ):
        urls = f"turn:{address}?transport={transport}"
        turn = {"urls": urls, "username": NAME, "credential": PASSWORD}
        configuration = json.dumps({"iceServers": [turn], "iceTransportPolicy": "relay"})
        url = str(client.make_url("/api/sessions"))
        async with running(*peer, "session", url, configuration) as other:
            await other.shows("its picture", luma=100.0)
            (session,) = server.sessions
            (transport_used,) = ice_transports(session.peer)
            candidates = ice_connection(transport_used).remote_candidates
            assert {each.type for each in candidates} == {"relay"}


@asynchronous
async def test_a_server_offers_a_relayed_candidate(tmp_path: Path) -> None:
    needs_coturn()
    peer = Peer()
    async with relay(tmp_path) as address:
        turn = IceServer(f"turn:{address}?transport=udp", NAME, PASSWORD)
        async with serving(ice_servers=(turn,)) as (client, _):
            answer = await post_offer(client, await peer.offer())
            assert f" {address.partition(':')[0]} " in answer["sdp"]
            assert " typ relay" in answer["sdp"]
    await peer.close()


@pytest.mark.slow
@asynchronous
async def test_a_turn_server_that_refuses_or_does_not_answer_is_ignored(tmp_path: Path) -> None:
    needs_coturn()
    async with relay(tmp_path) as address:
        wrong = IceServer(f"turn:{address}?transport=udp", NAME, "not-this")
        away = IceServer(f"turn:127.0.0.1:{free_port()}?transport=tcp", NAME, PASSWORD)
        for turn in (wrong, away):
            async with serving(ice_servers=(turn,)) as (client, _), browser(client) as peer:
                await peer.sees(200 * 0.3)
