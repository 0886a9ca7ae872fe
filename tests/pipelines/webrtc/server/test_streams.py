"""WHIP and WHEP: publishers, players, and the details of the protocols."""

import asyncio
import datetime
import re
import subprocess
import sys
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from aiohttp import ClientResponse
from aiortc import RTCCertificate
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from tests.pipelines.conftest import started
from tests.pipelines.streams.stream_parts import streaming
from tests.pipelines.streams.stream_peer import write_stream
from tests.pipelines.webrtc.conftest import Client, Peer, asynchronous, serving, until
from turbolens.pipelines.streams.endpoints import input_endpoint, output_endpoint
from turbolens.pipelines.webrtc.peer.aiortc_internals import DtlsCertificate
from turbolens.pipelines.webrtc.peer.options import IceServer

pytestmark = pytest.mark.slow

SDP = {"Content-Type": "application/sdp"}


async def exchange(client: Client, path: str, peer: Peer) -> ClientResponse:
    """POST a peer's offer and give it the answer."""
    response = await client.post(path, data=await peer.offer(), headers=SDP)
    assert response.status == 201, await response.text()
    await peer.accept(await response.text())
    await until(lambda: peer.pc.connectionState == "connected", "a connection")
    return response


@asynchronous
async def test_players_receive_filtered_video_and_audio_until_the_publisher_ends() -> None:
    publisher = Peer(direction="sendonly", audio=True)
    players = [Peer(direction="recvonly", audio=True) for _ in range(2)]
    async with serving() as (client, server):
        await client.patch("/api/settings", json={"strength": 0.5})
        published = await exchange(client, "/whip/studio", publisher)
        for player in players:
            await exchange(client, "/whep/studio", player)
        for player in players:
            await player.sees(100)
            await until(lambda player=player: player.audio_frames > 10)  # type: ignore[misc]
        assert not publisher.frames
        metrics = await (await client.get("/metrics")).text()
        assert 'turbolens_sessions{kind="whep"} 2' in metrics
        assert (await client.delete(published.headers["Location"])).status == 200
        await until(lambda: len(server.sessions) == 0, "the end of the players, too")
    for peer in (publisher, *players):
        await peer.close()


@pytest.mark.slow
@asynchronous
async def test_a_player_that_leaves_ends_no_other_session() -> None:
    publisher, player = Peer(direction="sendonly"), Peer(direction="recvonly")
    async with serving() as (client, server):
        await exchange(client, "/whip/a", publisher)
        played = await exchange(client, "/whep/a", player)
        assert (await client.delete(played.headers["Location"])).status == 200
        assert [session.kind for session in server.sessions] == ["whip"]
        assert (await client.delete(played.headers["Location"])).status == 404
    await publisher.close()
    await player.close()


@asynchronous
async def test_a_named_browser_session_can_be_played() -> None:
    browser, player = Peer(), Peer(direction="recvonly")
    async with serving() as (client, _):
        body = {"sdp": await browser.offer(), "name": "desk", "settings": {"strength": 0.2}}
        answer = await (await client.post("/api/sessions", json=body)).json()
        await browser.accept(answer["sdp"])
        await exchange(client, "/whep/desk", player)
        await player.sees(160)
        await browser.sees(160)
    await browser.close()
    await player.close()


@pytest.mark.slow
@asynchronous
async def test_a_201_has_the_headers_of_rfc_9725() -> None:
    servers = (IceServer("stun:127.0.0.1:9"), IceServer("turn:127.0.0.1:9", "me", "it"))
    publisher = Peer(direction="sendonly")
    async with serving(ice_servers=servers) as (client, _):
        response = await exchange(client, "/whip/studio", publisher)
        assert response.content_type == "application/sdp"
        assert response.headers["Location"].startswith("/whip/studio/")
        assert response.headers["ETag"].startswith('"')
        assert response.headers.getall("Link") == [
            '<stun:127.0.0.1:9>; rel="ice-server"',
            '<turn:127.0.0.1:9>; rel="ice-server"; username="me"; credential="it"; '
            'credential-type="password"',
        ]
        assert (await client.patch(response.headers["Location"])).status == 405
    await publisher.close()


@asynchronous
async def test_a_published_name_is_409_until_its_session_ends() -> None:
    first, second = Peer(direction="sendonly"), Peer(direction="sendonly")
    async with serving() as (client, _):
        url = (await exchange(client, "/whip/a", first)).headers["Location"]
        offer = await second.offer()
        assert (await client.post("/whip/a", data=offer, headers=SDP)).status == 409
        await client.delete(url)
        assert (await client.post("/whip/a", data=offer, headers=SDP)).status == 201
    await first.close()
    await second.close()


@asynchronous
async def test_an_offer_without_a_common_codec_is_406() -> None:
    peer = Peer(direction="sendonly")
    offer = (await peer.offer()).replace("VP8/90000", "VP7/90000").replace("H264/", "H263/")
    async with serving() as (client, server):
        async with client.post("/whip/a", data=offer, headers=SDP) as response:
            assert response.status == 406
            assert "H.264" in (await response.json())["detail"]
        assert len(server.sessions) == 0
    await peer.close()


def mdns(offer: str) -> str:
    """The offer with mDNS names that nobody can resolve instead of addresses."""
    name = "1f4712db-ea17-4bcf-a596-105139dfd8bf.local"
    return re.sub(r"(a=candidate:\S+ \d \S+ \d+) \S+ ", rf"\1 {name} ", offer)


def without_candidates(offer: str) -> str:
    return re.sub(r"a=candidate:[^\r]*\r\n", "", offer)


@pytest.mark.parametrize("hidden", [mdns, without_candidates])
@asynchronous
async def test_a_publisher_whose_addresses_are_unknown_connects_from_its_own_side(
    hidden: Callable[[str], str],
) -> None:
    publisher = Peer(direction="sendonly")
    offer = hidden(await publisher.offer())
    assert "a=end-of-candidates" in offer
    async with serving() as (client, server):
        async with client.post("/whip/a", data=offer, headers=SDP) as response:
            await publisher.accept(await response.text())
        (session,) = server.sessions
        await until(lambda: session.state == "connected", "a connection")
        await until(lambda: session.track and session.track.statistics.captured, "frames")
    await publisher.close()


@asynchronous
async def test_a_player_that_only_sends_and_a_browser_that_only_receives_are_400() -> None:
    publisher, wrong = Peer(direction="sendonly"), Peer(direction="sendonly")
    deaf = Peer(direction="recvonly")
    async with serving() as (client, _):
        await exchange(client, "/whip/a", publisher)
        async with client.post("/whep/a", data=await wrong.offer(), headers=SDP) as response:
            assert response.status == 400
        async with client.post("/api/sessions", json={"sdp": await deaf.offer()}) as response:
            assert response.status == 400
    for peer in (publisher, wrong, deaf):
        await peer.close()


@pytest.fixture(scope="module")
def ecdsa_files(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, str]:
    """A certificate for FFmpeg's muxer; aiortc refuses the RSA one that it makes itself."""
    folder = tmp_path_factory.mktemp("certificate")
    made = RTCCertificate.generateCertificate()
    pem = serialization.Encoding.PEM
    certificate = made._cert.public_bytes(pem)
    key = made._key.private_bytes(
        pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    (folder / "cert.pem").write_bytes(certificate)
    (folder / "key.pem").write_bytes(key)
    return str(folder / "cert.pem"), str(folder / "key.pem")


PUBLISHER = """
import select, sys
from fractions import Fraction
import av
import numpy as np
url, certificate, key, token = sys.argv[1:]
options = {"cert_file": certificate, "key_file": key, "authorization": token}
with av.open(url, "w", format="whip", options=options) as output:
    video = output.add_stream("libx264", rate=30, options={
        "preset": "ultrafast", "tune": "zerolatency", "profile": "baseline", "g": "15"})
    video.width, video.height, video.pix_fmt = 128, 96, "yuv420p"
    for index in range(1800):
        planes = np.full((144, 128), 200, np.uint8)
        planes[96:] = 128
        frame = av.VideoFrame.from_ndarray(planes, format="yuv420p")
        frame.pts, frame.time_base = index, Fraction(1, 30)
        output.mux(video.encode(frame))
        if select.select([sys.stdin], [], [], 1 / 30)[0]:
            break
"""
"""Run as a process: PyAV holds the interpreter's lock while it connects."""


@pytest.mark.slow
@asynchronous
async def test_ffmpegs_whip_client_publishes(ecdsa_files: tuple[str, str]) -> None:
    player, token = Peer(direction="recvonly"), "a-token-for-ffmpeg"
    async with serving(token=token) as (client, server):
        url = str(client.make_url("/whip/obs"))
        command = [sys.executable, "-c", PUBLISHER, url, *ecdsa_files, token]
        with started(command, stdin=subprocess.PIPE) as publisher:
            await until(lambda: [each for each in server.sessions if each.state == "connected"])
            headers = {**SDP, "Authorization": f"Bearer {token}"}
            response = await client.post("/whep/obs", data=await player.offer(), headers=headers)
            await player.accept(await response.text())
            await player.sees(200 * 0.3)
            assert (player.frames[-1].width, player.frames[-1].height) == (128, 96)
            assert publisher.stdin is not None
            publisher.stdin.close()
            await until(lambda: len(server.sessions) == 0, "its DELETE")
    await player.close()


@pytest.mark.slow
@asynchronous
async def test_a_peer_with_an_rsa_certificate_can_connect() -> None:
    """As GStreamer's. Without `DtlsCertificate` there is no cipher in common."""
    peer = Peer(certificate=rsa_certificate())
    peer.open_control()
    offer = (await peer.offer()).replace("a=setup:actpass", "a=setup:passive")
    async with serving() as (client, _):
        async with client.post("/api/sessions", json={"sdp": offer}) as response:
            answer = await response.json()
        await peer.accept(answer["sdp"])
        await until(lambda: peer.pc.connectionState == "connected", "a connection")
        await peer.sees(60)
        connection: Any = peer.pc.getTransceivers()[0].receiver.transport._ssl
        assert connection.get_cipher_name().startswith("ECDHE-RSA")
    await peer.close()


class Dtls12Certificate(DtlsCertificate):
    """At most DTLS 1.2: in 1.3 a cipher suite no longer names the kind of key."""

    def _create_ssl_context(self, srtp_profiles: Any) -> Any:
        context = super()._create_ssl_context(srtp_profiles)
        context.set_max_proto_version(0xFEFD)
        return context


def rsa_certificate() -> RTCCertificate:
    """A certificate as GStreamer makes it."""
    key: Any = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "peer")])
    now = datetime.datetime.now(datetime.timezone.utc)
    made = (
        x509.CertificateBuilder()
        .subject_name(name).issuer_name(name).public_key(key.public_key())
        .serial_number(7).not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1)).sign(key, hashes.SHA256())
    )  # fmt: skip
    return Dtls12Certificate(key, made)


@pytest.mark.slow
@asynchronous
async def test_turbolens_stream_publishes_to_turbolens_serve(tmp_path: Path) -> None:
    clip, player = tmp_path / "clip.mp4", Peer(direction="recvonly", audio=True)
    write_stream(str(clip), 3)
    async with serving() as (client, server):
        target = output_endpoint(str(client.make_url("/whip/studio")))
        with ExitStack() as publishing:
            publishing.enter_context(streaming(input_endpoint(str(clip)), target, loop=True))
            await until(lambda: len(server.sessions) == 1, "a publisher")
            await exchange(client, "/whep/studio", player)
            await until(lambda: player.frames and player.audio_frames > 10, "video and audio")
            await asyncio.to_thread(publishing.close)
        await until(lambda: len(server.sessions) == 0, "its DELETE")
    await player.close()
