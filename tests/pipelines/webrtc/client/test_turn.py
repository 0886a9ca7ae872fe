"""A client behind a firewall: all of its media goes through a TURN server."""

import asyncio
from pathlib import Path

import pytest

from tests.pipelines.webrtc.client.server_thread import CAMERA_LUMA, ServerThread, sending
from tests.pipelines.webrtc.conftest import asynchronous
from tests.pipelines.webrtc.peer.test_turn import NAME, PASSWORD, needs_coturn, relay
from turbolens.filter import FilterSettings
from turbolens.pipelines.webrtc.peer.aiortc_internals import ice_connection
from turbolens.pipelines.webrtc.peer.ice import ice_transports
from turbolens.pipelines.webrtc.peer.options import IceServer


@pytest.mark.parametrize("by_server", [True, False])
@asynchronous
async def test_a_client_that_uses_only_a_relay_receives_results(
    by_server: bool, tmp_path: Path
) -> None:
    needs_coturn()
    async with relay(tmp_path) as address:
        turn = (IceServer(f"turn:{address}?transport=udp", NAME, PASSWORD),)

        def use() -> set[str]:
            theirs, ours = (turn, ()) if by_server else ((), turn)
            with ServerThread(ice_servers=theirs) as server:
                options = server.client(ice_servers=ours, relay_only=True)
                with sending(options, FilterSettings(strength=0.5)) as (_, found):
                    found.sees(CAMERA_LUMA / 2)
                    (session,) = server.server.sessions
                    (transport,) = ice_transports(session.peer)
                    return {each.type for each in ice_connection(transport).remote_candidates}

        assert await asyncio.to_thread(use) == {"relay"}
