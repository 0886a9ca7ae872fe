"""Consent (RFC 7675): peers that answer no STUN requests, with and without media."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from tests.pipelines.webrtc.conftest import Peer, asynchronous, serving, until
from tests.pipelines.webrtc.server.test_streams import exchange
from turbolens.pipelines.webrtc.peer import consent
from turbolens.pipelines.webrtc.peer.aiortc_internals import ice_connection
from turbolens.pipelines.webrtc.server.negotiation import Server

pytestmark = pytest.mark.slow


@pytest.fixture(autouse=True)
def short_interval(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(consent, "INTERVAL_SECONDS", 0.01)


@asynccontextmanager
async def silent_publisher() -> AsyncIterator[tuple[Peer, Server, list[object]]]:
    """A connected publisher that answers no STUN requests, and the requests that it ignored."""
    publisher, ignored = Peer(direction="sendonly"), []
    async with serving() as (client, server):
        await exchange(client, "/whip/a", publisher)
        await until(lambda: [each.state for each in server.sessions] == ["connected"])
        connection: Any = ice_connection(
            publisher.pc.getTransceivers()[0].receiver.transport.transport
        )
        connection.request_received = lambda *request: ignored.append(request)
        yield publisher, server, ignored
    await publisher.close()


@asynchronous
async def test_a_publisher_that_answers_no_requests_stays_while_its_media_arrives() -> None:
    async with silent_publisher() as (_, server, ignored):
        (session,) = server.sessions
        assert session.track is not None
        await until(lambda: len(ignored) > 2 * consent.MAX_FAILURES, "ignored requests")
        assert session.state == "connected"
        captured = session.track.statistics.captured
        await until(
            lambda: session.track and session.track.statistics.captured > captured, "frames"
        )


@asynchronous
async def test_a_publisher_that_sends_neither_answers_nor_media_is_gone() -> None:
    async with silent_publisher() as (publisher, server, ignored):
        publisher.camera.stop()
        await until(lambda: len(server.sessions) == 0, "the end of the session")
        assert len(ignored) >= consent.MAX_FAILURES


@asynchronous
async def test_a_player_that_answers_stays_without_sending_media() -> None:
    publisher, player = Peer(direction="sendonly"), Peer(direction="recvonly")
    async with serving() as (client, server):
        await exchange(client, "/whip/a", publisher)
        await exchange(client, "/whep/a", player)
        connection: Any = ice_connection(
            player.pc.getTransceivers()[0].receiver.transport.transport
        )
        answer, answered = connection.request_received, []

        def counted(*request: Any) -> None:
            answered.append(request)
            answer(*request)

        connection.request_received = counted
        await until(lambda: len(answered) > 2 * consent.MAX_FAILURES, "answered requests")
        assert [each.state for each in server.sessions] == ["connected", "connected"]
    for peer in (publisher, player):
        await peer.close()
