"""Connected peers that send garbage as media, and datagrams from elsewhere."""

import asyncio
import os
import socket
from typing import Any

import av
import pytest
from aiortc.mediastreams import MediaStreamError

from tests.pipelines.webrtc.conftest import (
    CLOCK,
    Camera,
    Peer,
    asynchronous,
    browser,
    serving,
    until,
)


class Noise(Camera):
    """Random packets in place of encoded frames."""

    async def recv(self) -> Any:
        if self.readyState != "live":
            raise MediaStreamError
        await asyncio.sleep(1 / 60)
        self._count += 1
        packet = av.Packet(os.urandom(400 + self._count % 900))
        packet.pts, packet.time_base = self._count * 1500, CLOCK
        return packet


@pytest.mark.slow
@asynchronous
async def test_garbage_as_media_affects_no_other_session() -> None:
    noisy = Peer()
    noisy.pc.getSenders()[0].replaceTrack(Noise())
    async with serving() as (client, server):
        async with browser(client) as peer, browser(client, peer=noisy):
            _, other = server.sessions
            await until(lambda: other.traffic.packets > 60, "noise to arrive")
            peer.frames.clear()
            await peer.sees(200 * 0.3)
            assert other.track is not None
            assert other.track.statistics.captured == 0
        await until(lambda: len(server.sessions) == 0, "the end of both")
        assert (await client.get("/healthz")).status == 200


@asynchronous
async def test_datagrams_from_other_addresses_are_ignored() -> None:
    async with serving() as (client, server), browser(client) as peer:
        (session,) = server.sessions
        lines = session.peer.localDescription.sdp.splitlines()
        host, port = next(line.split()[4:6] for line in lines if line.startswith("a=candidate:"))
        kind = socket.AF_INET6 if ":" in host else socket.AF_INET
        with socket.socket(kind, socket.SOCK_DGRAM) as attacker:
            for first in range(256):  # STUN, DTLS, RTP, RTCP and none of them
                attacker.sendto(bytes([first]) + os.urandom(first * 4), (host, int(port)))
        peer.frames.clear()
        await peer.sees(200 * 0.3)
        assert (await peer.ask("ping"))["ok"]
        assert session.state == "connected"
