"""Closed sessions leave no task, thread, socket, file or memory behind.

SESSIONS=1000 python -m pytest tests/pipelines/webrtc/server/test_leaks.py -s opens 1000 sessions.
"""

import asyncio
import gc
import os
import threading
from collections import Counter

import aiohttp
import pytest

from tests.pipelines.webrtc.conftest import (
    Client,
    Peer,
    asynchronous,
    asynchronous_for,
    browser,
    post_offer,
    serving,
    until,
)
from turbolens.pipelines.webrtc import Limits
from turbolens.pipelines.webrtc.peer.aiortc_internals import ice_connection
from turbolens.pipelines.webrtc.peer.ice import ice_transports
from turbolens.pipelines.webrtc.server.negotiation import Server

pytestmark = pytest.mark.slow

AT_ONCE = 25
SESSIONS = int(os.environ.get("SESSIONS", "250"))


def footprint() -> dict[str, int]:
    gc.collect()
    return {
        "tasks": len(asyncio.all_tasks()),
        "threads": threading.active_count(),
        "files": len(os.listdir("/proc/self/fd")) if os.path.isdir("/proc/self/fd") else 0,
    }


async def settled(client: Client, most: dict[str, int]) -> None:
    """Wait until at most this is in use."""
    await until(
        lambda: all(now <= most[name] for name, now in footprint().items()),
        f"no more than {most} in use",
    )


def objects() -> Counter[str]:
    """The number of objects that the garbage collector tracks, by type."""
    gc.collect()
    return Counter(type(each).__name__ for each in gc.get_objects())


def resident_mib() -> float:
    """The resident memory of this process."""
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE") / (1 << 20)


@pytest.mark.timeout(120 + SESSIONS)
@asynchronous_for(60 + SESSIONS)
async def test_sessions_that_never_connect_leave_nothing(caplog: pytest.LogCaptureFixture) -> None:
    """Peers that vanish before they connect: each has ICE sockets and tasks."""
    limits = Limits(connect_seconds=0.2, sessions=32)
    async with serving(limits=limits) as (client, server), fresh_client(client) as others:
        peer = Peer()
        offer = await peer.offer()
        for _ in range(2):  # caches are filled
            await dropped(others, server, offer)
        before, kinds, memory = footprint(), objects(), resident_mib()
        for _ in range(SESSIONS // AT_ONCE - 2):
            await dropped(others, server, offer)
        slack = {"tasks": 2, "threads": 8, "files": 30}  # connections kept alive, executor threads
        await settled(client, {name: before[name] + slack[name] for name in before})
        more = objects() - kinds
        print(f"{SESSIONS} sessions: {resident_mib() - memory:.1f} MiB more, {more.most_common(4)}")  # noqa: T201
        assert max(more.values()) < SESSIONS - 2 * AT_ONCE  # no object per session remains
        assert server.sessions.opened == SESSIONS
        assert (await client.get("/healthz")).status == 200
        await peer.close()
    assert "Task was destroyed" not in caplog.text


def fresh_client(client: Client) -> aiohttp.ClientSession:
    """A client of this server that keeps no responses, as `TestClient` does."""
    return aiohttp.ClientSession(str(client.make_url("/")))


async def dropped(client: aiohttp.ClientSession, server: Server, offer: str) -> None:
    """Open `AT_ONCE` sessions of peers that never connect, and wait until they are closed."""
    await asyncio.gather(*(post_offer(client, offer) for _ in range(AT_ONCE)))
    await until(lambda: len(server.sessions) == 0, "the end of all")
    await server.sessions.wait_closed()


@asynchronous
async def test_closed_sessions_leave_nothing() -> None:
    async with serving() as (client, server):
        async with browser(client):
            pass
        await until(lambda: len(server.sessions) == 0)
        before = footprint()
        for _ in range(8):
            async with browser(client) as one, browser(client, peer=Peer(audio=True)) as two:
                await until(lambda one=one, two=two: one.frames and two.frames)  # type: ignore[misc]
        await until(lambda: len(server.sessions) == 0)
        await server.sessions.wait_closed()
        slack = {"tasks": 2, "threads": 8, "files": 8}
        await settled(client, {name: before[name] + slack[name] for name in before})


@asynchronous
async def test_a_peer_that_vanishes_is_closed() -> None:
    async with serving(limits=Limits(idle_seconds=1.0)) as (client, server):
        async with browser(client) as peer:
            await until(lambda: peer.frames)
            for transport in ice_transports(peer.pc):
                for protocol in ice_connection(transport)._protocols:
                    protocol.transport.abort()  # as if its machine was switched off
            await until(lambda: len(server.sessions) == 0, "the end")
        assert (await client.get("/healthz")).status == 200
