"""Sessions that come and go leave no task, thread, socket or file behind."""

import asyncio
import gc
import os
import threading

from turbolens.pipelines.webrtc import Limits
from turbolens.pipelines.webrtc.ice import transports

from .conftest import Client, Peer, asynchronous, browser, post_offer, serving, until


def footprint() -> dict[str, int]:
    gc.collect()
    return {
        "tasks": len(asyncio.all_tasks()),
        "threads": threading.active_count(),
        "files": len(os.listdir("/proc/self/fd")) if os.path.isdir("/proc/self/fd") else 0,
    }


async def settled(client: Client, most: dict[str, int]) -> None:
    """Wait until nothing more is in use than that."""
    await until(
        lambda: all(now <= most[name] for name, now in footprint().items()),
        f"no more than {most} in use",
    )


@asynchronous
async def test_sessions_opened_and_dropped_leave_nothing() -> None:
    """Peers that vanish without a word, before they connect: each left ICE, tasks and sockets."""
    limits = Limits(connect_seconds=0.2, sessions=32)
    async with serving(limits=limits) as (client, server):
        peer = Peer()
        offer = await peer.offer()
        await post_offer(client, offer)
        await until(lambda: len(server.sessions) == 0)
        before = footprint()
        for _ in range(10):
            await asyncio.gather(*(post_offer(client, offer) for _ in range(25)))
            await until(lambda: len(server.sessions) == 0, "the end of all")
        await server.sessions.ended()
        slack = {"tasks": 2, "threads": 8, "files": 30}  # connections kept alive, executor threads
        await settled(client, {name: before[name] + slack[name] for name in before})
        assert server.sessions.opened == 251
        assert (await client.get("/healthz")).status == 200
        await peer.close()


@asynchronous
async def test_connected_sessions_that_come_and_go_leave_nothing() -> None:
    async with serving() as (client, server):
        async with browser(client):
            pass
        await until(lambda: len(server.sessions) == 0)
        before = footprint()
        for _ in range(8):
            async with browser(client) as one, browser(client, peer=Peer(sound=True)) as two:
                await until(lambda one=one, two=two: one.frames and two.frames)  # type: ignore[misc]
        await until(lambda: len(server.sessions) == 0)
        await server.sessions.ended()
        slack = {"tasks": 2, "threads": 8, "files": 8}
        await settled(client, {name: before[name] + slack[name] for name in before})


@asynchronous
async def test_a_peer_that_vanishes_without_a_word_is_forgotten() -> None:
    async with serving(limits=Limits(idle_seconds=1.0)) as (client, server):
        async with browser(client) as peer:
            await until(lambda: peer.frames)
            for transport in transports(peer.pc):
                for protocol in transport.iceGatherer._connection._protocols:
                    protocol.transport.abort()  # as when a machine is switched off
            await until(lambda: len(server.sessions) == 0, "the end")
        assert (await client.get("/healthz")).status == 200
