"""Sessions of aiortc and HTTP clients through the front door, on a real Ray cluster."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import aiohttp
import pytest
from yarl import URL

from tests.pipelines.webrtc.client.server_thread import CAMERA_LUMA, sending
from tests.pipelines.webrtc.conftest import Peer, asynchronous_for, detail, post_offer, until
from turbolens.filter import FilterSettings

from .conftest import BEARER, REPLICAS, SESSIONS, Door

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore::ResourceWarning")]
LIMIT = 200
SDP = {"Content-Type": "application/sdp"}


@asynccontextmanager
async def client_of(door: Door) -> AsyncIterator[aiohttp.ClientSession]:
    """A client that follows redirects; as browsers do, it sends no token to another origin."""
    async with aiohttp.ClientSession(door.base, headers=BEARER) as client:
        yield client


@asynccontextmanager
async def session(client: aiohttp.ClientSession, **body: Any) -> AsyncIterator[Peer]:
    """A connected browser session."""
    peer = Peer()
    peer.open_control()
    try:
        answer = await post_offer(client, await peer.offer(), **body)
        await peer.accept(answer["sdp"])
        await until(lambda: peer.event("state"), "the first message")
        yield peer
    finally:
        await peer.close()


@asynccontextmanager
async def exchange(
    client: aiohttp.ClientSession, path: str, direction: str
) -> AsyncIterator[tuple[Peer, aiohttp.ClientResponse]]:
    """A session by WHIP or WHEP, and the answer to its POST."""
    peer = Peer(direction=direction)
    try:
        async with client.post(path, data=await peer.offer(), headers=SDP) as response:
            text = await response.text()
            assert response.status == 201, text
        await peer.accept(text)
        yield peer, response
    finally:
        await peer.close()


def port_of(response: aiohttp.ClientResponse) -> int | None:
    return response.url.port


@asynchronous_for(LIMIT)
async def redirected(door: Door) -> None:
    async with client_of(door) as client:
        async with client.post("/whip/a", data="", headers=SDP, allow_redirects=False) as response:
            assert response.status == 307
            assert response.headers["Cache-Control"] == "no-store"
            target = URL(response.headers["Location"])
        assert (target.host, target.path) == ("127.0.0.1", "/whip/a")
        assert target.port in {each.status.port for each in door.pool.replicas if each.status}
        assert target.port != door.port
        async with session(client, settings={"strength": 0.25}) as peer:
            await peer.sees(200 * 0.75)


def test_a_session_is_redirected_and_its_media_comes_from_the_replica(door: Door) -> None:
    redirected(door)


@asynchronous_for(LIMIT)
async def spread(door: Door) -> None:
    async with client_of(door) as client, AsyncExitStack() as stack:
        for _ in range(REPLICAS):
            await stack.enter_async_context(session(client))
        await until(lambda: len(door.busy()) == REPLICAS, "a session on each replica")
        for _ in range(REPLICAS * (SESSIONS - 1)):
            await stack.enter_async_context(session(client))
        async with client.get("/api/status") as response:
            status = await response.json()
        full = REPLICAS * SESSIONS
        assert (status["max_sessions"], status["replicas"]) == (full, REPLICAS)
        async with client.post("/api/sessions", json={"sdp": "v=0"}) as response:
            assert response.status == 503
            assert response.headers["Retry-After"].isdecimal()
            assert f"is full: it takes {full} sessions" in await detail(response)
        async with client.get("/metrics") as response:
            assert "turbolens_sessions_refused_total 1.0" in await response.text()
        async with client.get("/api/sessions") as response:
            assert len((await response.json())["sessions"]) == full


def test_sessions_are_spread_until_all_replicas_are_full(door: Door) -> None:
    spread(door)


@asynchronous_for(LIMIT)
async def played(door: Door) -> None:
    async with client_of(door) as client:
        async with client.post("/whep/studio", data="", headers=SDP) as response:
            assert response.status == 404
            assert "publish first" in await detail(response)
        async with (
            session(client),
            exchange(client, "/whip/studio", "sendonly") as (_, published),
            exchange(client, "/whep/studio", "recvonly") as (player, answered),
        ):
            assert port_of(answered) == port_of(published) != door.port
            await player.sees(100)
            place = f"/whep/studio/{answered.headers['Location'].rpartition('/')[2]}"
            async with client.delete(place) as response:  # at the front door
                assert response.status == 200
            async with client.delete(place) as response:
                assert response.status == 404
            location = answered.url.join(URL(published.headers["Location"]))
            async with aiohttp.ClientSession() as stranger, stranger.delete(location) as response:
                assert response.status == 401
            async with client.delete(location) as response:  # at the replica, as clients do
                assert response.status == 200
        await until(lambda: not door.busy(), "the end of the sessions")
        async with session(client), session(client):  # the third replica is the least loaded
            await until(lambda: len(door.busy()) == 2, "both sessions")
            async with exchange(client, "/whip/studio", "sendonly") as (_, again):
                assert port_of(again) == port_of(published)


def test_a_player_goes_where_its_publisher_is_and_a_name_always_to_the_same(door: Door) -> None:
    played(door)


@asynchronous_for(LIMIT)
async def refused(door: Door) -> None:
    (port, *_) = [each.status.port for each in door.pool.replicas if each.status]
    async with aiohttp.ClientSession() as client:
        for base in (door.base, f"http://127.0.0.1:{port}"):
            for headers in ({}, {"Authorization": "Bearer wrong-token"}):
                for method, path in (("GET", "/api/status"), ("POST", "/api/sessions"),
                                     ("POST", "/whip/a"), ("GET", "/api/schema")):  # fmt: skip
                    url = f"{base}{path}?ticket=a.b.c.d"
                    async with client.request(method, url, headers=headers) as response:
                        assert response.status == 401, url
            async with client.get(f"{base}/api/status", headers={"Origin": door.friend}) as told:
                assert told.status == 401
                assert told.headers["Access-Control-Allow-Origin"] == door.friend
            foreign = {**BEARER, "Origin": "https://evil.example"}
            async with client.post(f"{base}/api/sessions", json={}, headers=foreign) as response:
                assert response.status == 403
            host = {**BEARER, "Host": "evil.example"}
            async with client.get(f"{base}/api/status", headers=host) as response:
                assert response.status == 403
        for method, path in (("GET", "/api/replicas"), ("POST", "/api/replicas/x/drain")):
            async with client.request(method, f"{door.base}{path}") as response:
                assert response.status == 401


def test_a_wrong_token_or_origin_is_refused_by_front_door_and_replica(door: Door) -> None:
    refused(door)


@asynchronous_for(LIMIT)
async def changed(door: Door) -> None:
    async with client_of(door) as client:
        for strength in (0.125, 0.5):
            async with client.patch("/api/settings", json={"strength": strength}) as response:
                assert (await response.json())["settings"]["strength"] == strength
            for replica in door.pool.replicas:
                assert replica.status is not None
                url = f"http://127.0.0.1:{replica.status.port}/api/settings"
                async with client.get(url, headers=BEARER) as response:
                    assert (await response.json())["settings"]["strength"] == strength
        async with client.patch("/api/settings", json={"strength": 7}) as response:
            assert response.status == 400
            assert "strength" in await detail(response)


def test_settings_of_later_sessions_are_changed_on_all_replicas(door: Door) -> None:
    changed(door)


def test_a_client_goes_to_another_replica_when_its_own_is_killed(door: Door) -> None:
    settings = FilterSettings(strength=0.25)
    with sending(door.client(), settings) as (remote, found):
        found.sees(CAMERA_LUMA * 0.75)
        door.wait_for(door.busy, "the session")
        (replica,) = door.busy()
        name, restarts = replica.name, replica.restarts
        door.kill(replica)
        found.told("is lost")
        found.told("connected again")
        found.sees(CAMERA_LUMA * 0.75)
        door.wait_for(lambda: replica.restarts > restarts, "the loss")
        assert any(f"replica {name} is lost; it starts again" in each for each in door.notices)
        assert remote.connection.sessions == 2
    door.ready()  # Ray has restarted it


@asynchronous_for(LIMIT)
async def _stopped(door: Door) -> None:
    replica = door.pool.replicas[0]
    assert replica.status is not None
    process, restarts = replica.status.process, replica.restarts
    async with client_of(door) as client:
        os.kill(process, signal.SIGSTOP)
        try:
            async with client.get("/api/sessions") as response:
                answer = await response.json()
            assert answer == {"sessions": [], "unanswered": [replica.name]}
            await until(lambda: replica.state == "lost", "the loss")
            for _ in range((REPLICAS - 1) * SESSIONS):
                async with client.post("/whip/a", allow_redirects=False) as response:
                    assert f":{replica.status.port}/" not in response.headers["Location"]
            assert replica.restarts == restarts  # it still hangs
        finally:
            os.kill(process, signal.SIGCONT)


def test_a_replica_that_hangs_is_named_and_gets_no_sessions(door: Door) -> None:
    _stopped(door)


def test_a_drained_replica_is_replaced_and_its_session_goes_elsewhere(door: Door) -> None:
    _drained(door)


@asynchronous_for(LIMIT)
async def _drained(door: Door) -> None:
    async with client_of(door) as client:
        async with session(client) as peer:
            await until(door.busy, "the session")
            (replica,) = door.busy()
            assert replica.status is not None
            process = replica.status.process
            async with client.post(f"/api/replicas/{replica.name}/drain") as response:
                assert response.status == 202
                assert (await response.json())["state"] == "draining"
            for _ in range(2):  # the others take new sessions
                async with session(client):
                    await until(lambda: len(door.busy()) == 2, "another replica")
            late, own = Peer(), f"http://127.0.0.1:{replica.status.port}"
            body = {"sdp": await late.offer()}
            async with client.post(f"{own}/api/sessions", json=body) as response:
                assert response.status == 503
            await late.close()
            assert not peer.event("closing")
            await peer.sees(100)
        await asyncio.to_thread(
            door.wait_for,
            lambda: [each for each in door.pool.replicas if each.name == replica.name
                     and each.state == "ready" and each.status
                     and each.status.process != process],
            "its successor",
        )  # fmt: skip
        async with client.post("/api/replicas/none/drain") as response:
            assert response.status == 404
