"""The list of what a server refuses: who may ask, and what may be asked."""

import asyncio
import gzip
import logging

import pytest
from aiortc import RTCPeerConnection

from tests.pipelines.webrtc.conftest import (
    Client,
    Microphone,
    Peer,
    asynchronous,
    detail,
    serving,
)
from turbolens.pipelines.webrtc import Limits, ServerOptions
from turbolens.pipelines.webrtc.peer.options import IceServer

TOKEN = "a-token-of-this-test"  # noqa: S105
BEARER = {"Authorization": f"Bearer {TOKEN}"}
SDP = {"Content-Type": "application/sdp"}
POST = b"POST /whip/a HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/sdp\r\n"


@pytest.mark.parametrize("host", ["evil.example", "localhost.evil.example", "evil.example:80", ""])
@asynchronous
async def test_an_unknown_host_name_is_refused(host: str) -> None:
    async with serving() as (client, _):
        for path in ("/", "/api/status", "/healthz"):
            async with client.get(path, headers={"Host": host}) as response:
                assert response.status == 403


@pytest.mark.parametrize(
    "host", ["localhost", "LOCALHOST:9", "127.0.0.1:80", "[::1]:8080", "me.home"]
)
@asynchronous
async def test_own_host_names_are_accepted(host: str) -> None:
    async with serving(allow_hosts=("me.home",)) as (client, _):
        assert (await client.get("/api/status", headers={"Host": host})).status == 200


@pytest.mark.parametrize("origin", ["https://evil.example", "null", "http://localhost:1", "x"])
@asynchronous
async def test_another_origin_is_refused(origin: str) -> None:
    async with serving(allow_origins=("https://friend.example",)) as (client, _):
        async with client.get("/api/status", headers={"Origin": origin}) as response:
            assert response.status == 403
            assert "Access-Control-Allow-Origin" not in response.headers
        asked = {"Origin": origin, "Access-Control-Request-Method": "POST"}
        async with client.options("/whip/a", headers=asked) as response:
            assert response.status == 403


@asynchronous
async def test_an_image_or_script_tag_of_another_origin_is_refused() -> None:
    async with serving() as (client, _):
        foreign = {"Sec-Fetch-Site": "cross-site"}
        assert (await client.get("/api/sessions", headers=foreign)).status == 403
        assert (await client.get("/", headers=foreign)).status == 200  # a link to the page


@asynchronous
async def test_our_own_page_and_an_allowed_origin_are_accepted() -> None:
    async with serving(allow_origins=("https://friend.example",)) as (client, _):
        own = f"http://{client.host}:{client.port}"
        async with client.get("/api/status", headers={"Origin": own}) as response:
            assert response.status == 200
            assert "Access-Control-Allow-Origin" not in response.headers
        friend = {"Origin": "https://friend.example"}
        async with client.get("/api/status", headers=friend) as response:
            assert response.headers["Access-Control-Allow-Origin"] == "https://friend.example"
            assert "Location" in response.headers["Access-Control-Expose-Headers"]
        async with client.get("/api/sessions/none", headers=friend) as response:
            assert response.status == 404
            assert response.headers["Access-Control-Allow-Origin"] == "https://friend.example"


@pytest.mark.parametrize(
    ("headers", "status"),
    [({}, 401), ({"Authorization": "Bearer wrong"}, 401), ({"Host": "evil.example"}, 403)],
)
@asynchronous
async def test_only_an_allowed_origin_can_read_why_it_is_refused(
    headers: dict[str, str], status: int
) -> None:
    friend = "https://friend.example"
    async with serving(token=TOKEN, allow_origins=(friend,)) as (client, _):
        for origin, allowed in ((friend, friend), ("https://evil.example", None)):
            sent = {**headers, "Origin": origin}
            async with client.get("/api/status", headers=sent) as response:
                assert response.status == (status if allowed else 403)
                assert response.headers.get("Access-Control-Allow-Origin") == allowed
                assert response.headers["Vary"] == "Origin"
                assert response.headers["X-Content-Type-Options"] == "nosniff"


@asynchronous
async def test_options_name_the_allowed_methods_and_headers() -> None:
    async with serving(token=TOKEN, allow_origins=("https://friend.example",)) as (client, _):
        asked = {"Origin": "https://friend.example", "Access-Control-Request-Method": "POST"}
        async with client.options("/whip/a", headers=asked) as response:
            assert response.status == 204
            assert response.headers["Accept-Post"] == "application/sdp"
            assert "POST" in response.headers["Access-Control-Allow-Methods"]
            assert "Authorization" in response.headers["Access-Control-Allow-Headers"]
            assert response.headers["Access-Control-Allow-Origin"] == "https://friend.example"
        assert (await client.options("/nothing")).status == 404


@pytest.mark.parametrize(
    "given", [None, "Bearer", "Bearer wrong", "Basic " + TOKEN, TOKEN, "Bearer " + TOKEN + "x",
              "Bearer \xfc"]
)  # fmt: skip
@asynchronous
async def test_without_the_token_only_the_page_is_served(given: str | None) -> None:
    headers = {} if given is None else {"Authorization": given}
    async with serving(token=TOKEN) as (client, _):
        for method, path in [("GET", "/api/status"), ("GET", "/api/schema"), ("GET", "/metrics"),
                             ("POST", "/api/sessions"), ("POST", "/whip/a"), ("POST", "/whep/a"),
                             ("DELETE", "/whip/a/b"), ("PATCH", "/api/settings")]:  # fmt: skip
            async with client.request(method, path, headers=headers) as response:
                assert response.status == 401, path
                assert response.headers["WWW-Authenticate"].startswith("Bearer")
        assert (await client.get("/")).status == 200
        assert (await client.get("/healthz")).status == 200


@asynchronous
async def test_with_the_token_the_api_is_served() -> None:
    async with serving(token=TOKEN) as (client, _):
        assert (await client.get("/api/status", headers=BEARER)).status == 200


@pytest.mark.parametrize(
    ("headers", "body", "status", "words"),
    [
        ({"Content-Type": "text/plain"}, b"v=0", 415, "application/sdp"),
        ({}, b"v=0", 415, "application/sdp"),
        (SDP, b"", 400, "v=0"),
        (SDP, b"\xff\xfe", 400, "UTF-8"),
        (SDP, b"v=0\r\nm=video", 400, "malformed"),
        (SDP, b"v=0\r\n" + b"a=x\r\n" * 20_000, 413, "65536"),
        (SDP, b"v=0\r\no=- 1 1 IN IP4 0.0.0.0\r\n", 400, "no media"),
    ],
)
@asynchronous
async def test_a_bad_offer_is_refused(
    headers: dict[str, str], body: bytes, status: int, words: str
) -> None:
    async with serving() as (client, server):
        async with client.post("/whip/a", data=body, headers=headers) as response:
            assert response.status == status
            assert words in await detail(response)
        assert len(server.sessions) == 0


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b"nonsense", "JSON"),
        (b"[]", "object"),
        (b"[" * 20_000, "JSON"),
        (b"{}", "sdp"),
        (b'{"sdp": 5}', "sdp"),
        (b'{"sdp": "v=0", "settings": []}', "settings"),
        (b'{"sdp": "v=0", "name": "../x"}', "letters"),
        (b'{"sdp": "v=0"}', "no media"),
    ],
)
@asynchronous
async def test_a_bad_session_request_is_refused(body: bytes, words: str) -> None:
    headers = {"Content-Type": "application/json"}
    async with serving() as (client, _):
        response = await client.post("/api/sessions", data=body, headers=headers)
        assert response.status == 400
        assert words in await detail(response)


@asynchronous
async def test_first_settings_of_a_session_are_checked() -> None:
    peer = Peer()
    offer = await peer.offer()
    async with serving() as (client, _):
        for settings in ({"model": "/etc/passwd"}, {"strength": 9}, {"size": 4096}, {"self": 1}):
            body = {"sdp": offer, "settings": settings}
            async with client.post("/api/sessions", json=body) as response:
                assert response.status == 400
                assert next(iter(settings)) in await detail(response)
    await peer.close()


@asynchronous
async def test_unsupported_methods_are_405() -> None:
    async with serving() as (client, _):
        for method, path in [("PATCH", "/whip/a"), ("PATCH", "/whip/a/b"), ("GET", "/whip/a"),
                             ("PUT", "/api/settings"), ("PATCH", "/whep/a/b")]:  # fmt: skip
            async with client.request(method, path, data=b"x") as response:
                assert response.status == 405, path
                assert response.headers["Allow"]
                await detail(response)


@asynchronous
async def test_a_session_that_has_ended_is_404() -> None:
    async with serving() as (client, _):
        for method, path in [("DELETE", "/whip/a/b"), ("DELETE", "/whep/a/b"),
                             ("GET", "/api/sessions/x"), ("DELETE", "/api/sessions/x"),
                             ("PATCH", "/api/sessions/x/settings")]:  # fmt: skip
            async with client.request(method, path, json={}) as response:
                assert response.status == 404, path
                await detail(response)


@asynchronous
async def test_playing_an_unknown_name_is_404_and_publishing_without_video_400() -> None:
    peer = Peer(direction="recvonly")
    async with serving() as (client, _):
        async with client.post("/whep/a", data=await peer.offer(), headers=SDP) as response:
            assert response.status == 404
            assert "publish" in await detail(response)
        async with client.post("/whip/a", data=await peer.offer(), headers=SDP) as response:
            assert response.status == 400
            assert "must send video" in await detail(response)
    await peer.close()


@asynchronous
async def test_an_offer_with_audio_alone_is_400() -> None:
    silent, publisher = RTCPeerConnection(), Peer(direction="sendonly")
    silent.addTransceiver(Microphone(), direction="sendrecv")
    await silent.setLocalDescription(await silent.createOffer())
    offer = silent.localDescription.sdp
    async with serving() as (client, server):
        published = await client.post("/whip/a", data=await publisher.offer(), headers=SDP)
        assert published.status == 201
        for response in (await client.post("/whip/b", data=offer, headers=SDP),
                         await client.post("/whep/a", data=offer, headers=SDP),
                         await client.post("/api/sessions", json={"sdp": offer})):  # fmt: skip
            assert response.status == 400
            assert "video" in await detail(response)
        assert len(server.sessions) == 1
    await silent.close()
    await publisher.close()


async def raw(client: Client, text: bytes, *, wait: float = 20) -> bytes:
    """The response to raw bytes, until the server closes the connection."""
    reader, writer = await asyncio.open_connection(client.host, client.port)
    writer.write(text)
    try:
        return await asyncio.wait_for(reader.read(), wait)
    finally:
        writer.close()


@asynchronous
async def test_a_body_that_is_sent_too_slowly_is_408() -> None:
    async with serving(limits=Limits(body_seconds=0.2)) as (client, _):
        reader, writer = await asyncio.open_connection(client.host, client.port)
        writer.write(POST + b"Content-Length: 1000\r\n\r\nv=0")  # fmt: skip
        head = await asyncio.wait_for(reader.readline(), 30)
        assert b" 408 " in head
        writer.close()


@asynchronous
async def test_an_endless_chunked_body_is_413() -> None:
    async with serving(limits=Limits(body_bytes=1000)) as (client, _):
        reader, writer = await asyncio.open_connection(client.host, client.port)
        writer.write(POST + b"Transfer-Encoding: chunked\r\n\r\n")  # fmt: skip
        writer.write(b"400\r\n" + b"x" * 1024 + b"\r\n")
        head = await asyncio.wait_for(reader.readline(), 30)
        assert b" 413 " in head
        writer.close()


@asynchronous
async def test_a_decompression_bomb_is_413() -> None:
    bomb = gzip.compress(b"v=0\r\n" * 2_000_000)
    assert len(bomb) < 65536
    async with serving() as (client, _):
        headers = {**SDP, "Content-Encoding": "gzip"}
        async with client.post("/whip/a", data=bomb, headers=headers) as response:
            assert response.status == 413


@asynchronous
async def test_malformed_http_is_400_and_the_server_continues() -> None:
    async with serving() as (client, _):
        for text in (b"nonsense\r\n\r\n", b"\x16\x03\x01\x02\x00\x01\x00\r\n\r\n",
                     b"GET / HTTP/1.1\r\nHost: localhost\r\n" + b"A: b\r\n" * 500 + b"\r\n",
                     b"GET /" + b"a" * 9000 + b" HTTP/1.1\r\nHost: localhost\r\n\r\n"):  # fmt: skip
            assert b" 400 " in (await raw(client, text)).splitlines()[0]
        assert (await client.get("/healthz")).status == 200


@asynchronous
async def test_the_status_has_the_ice_servers() -> None:
    servers = (IceServer("stun:192.0.2.1"), IceServer("turn:192.0.2.2", "me", "secret"))
    async with serving(ice_servers=servers) as (client, _):
        status = await (await client.get("/api/status")).json()
        assert status["ice_servers"] == [
            {"urls": "stun:192.0.2.1"},
            {"urls": "turn:192.0.2.2", "username": "me", "credential": "secret"},
        ]


@asynchronous
async def test_logs_and_representations_carry_no_secret(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    options = ServerOptions(token=TOKEN, ice_servers=(IceServer("turn:x", "me", "pass-word"),))
    assert TOKEN not in repr(options)
    assert "pass-word" not in repr(options)
    async with serving(token=TOKEN) as (client, _):
        peer = Peer()
        offer = await peer.offer()
        async with client.post("/whip/a", data=offer, headers={**SDP, **BEARER}) as response:
            answer = await response.text()
            place = response.headers["Location"]
        await client.delete(place, headers=BEARER)
        await client.post("/whip/a", data=offer[:300], headers={**SDP, **BEARER})
        await peer.close()
    secrets = [line.partition(":")[2] for line in (offer + answer).splitlines()
               if line.startswith(("a=ice-pwd", "a=ice-ufrag", "a=fingerprint"))]  # fmt: skip
    assert len(secrets) >= 6
    logged = "\n".join(record.getMessage() for record in caplog.records
                       if record.name != "aiohttp.access")  # turbolens serve has none  # fmt: skip
    assert "begins" in logged
    for secret in (TOKEN, place.rpartition("/")[2], *secrets):
        assert secret not in logged
