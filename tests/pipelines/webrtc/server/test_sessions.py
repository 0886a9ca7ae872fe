"""Browser sessions with real peers: video, settings, audio, limits, and how they end."""

import asyncio

import av
import pytest
from aiohttp.test_utils import TestClient, TestServer

from tests.pipelines.webrtc.conftest import (
    Peer,
    Shade,
    ShadeModel,
    asynchronous,
    browser,
    detail,
    new_shade,
    post_offer,
    serving,
    until,
)
from turbolens.filter import FilterSettings, TurboModel
from turbolens.pipelines.webrtc import Limits, ServerOptions, create_app
from turbolens.pipelines.webrtc.server.negotiation import SERVER

pytestmark = pytest.mark.slow

CAMERA = 200  # the luma that peers send


@asynchronous
async def test_a_browser_receives_its_video_filtered_and_can_change_settings() -> None:
    async with serving() as (client, _), browser(client, settings={"strength": 0.5}) as peer:
        await peer.sees(CAMERA * 0.5)
        assert (peer.frames[-1].width, peer.frames[-1].height) == (64, 64)
        answer = await peer.ask("set", strength=0.2)
        assert answer["result"]["settings"]["strength"] == 0.2
        await peer.sees(CAMERA * 0.8)


@asynchronous
async def test_the_state_has_the_session_the_model_the_limits_and_the_settings() -> None:
    async with serving() as (client, server), browser(client, name="mine") as peer:
        event = peer.event("state")
        assert event is not None
        state = event["data"]
        (session,) = server.sessions
        assert state["session"]["id"] == session.id
        assert (state["session"]["kind"], state["session"]["name"]) == ("browser", "mine")
        assert state["model"]["looks"] == ["dark", "bright"]
        assert state["limits"]["message_bytes"] == 16384
        assert state["settings"] == FilterSettings().model_dump(mode="json")


@pytest.mark.slow
@asynchronous
async def test_statistics_have_frame_rate_latency_and_bit_rate() -> None:
    async with serving() as (client, _), browser(client) as peer:
        await peer.ask("subscribe", interval_ms=200)
        await until(
            lambda: (
                (event := peer.event("statistics"))
                and event["data"]["fps_out"] > 1
                and event["data"]["received_kbits"] > 0
                and event["data"]["sent_kbits"] > 0
            ),
            "statistics of a running session",
        )
        event = peer.event("statistics")
        assert event is not None
        assert event["data"]["latency_p50_ms"] > 0
        assert (event["data"]["width"], event["data"]["height"]) == (64, 64)


@asynchronous
async def test_the_http_api_can_do_what_the_control_channel_can() -> None:
    async with serving() as (client, _), browser(client) as peer:
        listed = await (await client.get("/api/sessions")).json()
        url = f"/api/sessions/{listed['sessions'][0]['session']['id']}"
        async with client.patch(f"{url}/settings", json={"strength": 0.9}) as response:
            assert (await response.json())["settings"]["strength"] == 0.9
        await until(lambda: peer.event("settings"), "the event of the change")
        await peer.sees(CAMERA * 0.1)
        async with client.patch(f"{url}/settings", json={"strength": 2}) as response:
            assert response.status == 400
        assert (await client.post(f"{url}/reset")).status == 200
        assert (await (await client.get(f"{url}/settings")).json())["settings"]["strength"] == 0.9
        assert (await (await client.get(url)).json())["session"]["state"] == "connected"
        assert (await client.delete(url)).status == 200
        await until(lambda: peer.event("closing"), "the closing event")
        assert (await client.get(url)).status == 404


@pytest.mark.slow
@asynchronous
async def test_audio_is_sent_back_with_the_video() -> None:
    async with serving() as (client, _), browser(client, peer=Peer(audio=True)) as peer:
        await until(lambda: peer.audio_frames > 20 and peer.frames, "audio and video")


@asynchronous
async def test_two_sessions_have_their_own_settings() -> None:
    async with serving() as (client, server):
        async with (
            browser(client, settings={"strength": 0.2}) as one,
            browser(client, settings={"strength": 0.7}) as two,
        ):
            await asyncio.gather(one.sees(CAMERA * 0.8), two.sees(CAMERA * 0.3))
            await one.ask("set", strength=0.5)
            await one.sees(CAMERA * 0.5)
            await two.sees(CAMERA * 0.3)
            assert len(server.sessions) == 2
        await until(lambda: len(server.sessions) == 0, "the end of both")


@asynchronous
async def test_the_frame_size_may_change_during_a_session() -> None:
    async with serving() as (client, _), browser(client) as peer:
        await until(lambda: peer.frames)
        peer.camera.size = (96, 48)
        await until(lambda: (peer.frames[-1].width, peer.frames[-1].height) == (96, 48))


@asynchronous
async def test_a_frame_that_is_too_large_ends_the_session_with_a_reason() -> None:
    limits = Limits(frame_pixels=100 * 100)
    async with serving(limits=limits) as (client, server), browser(client) as peer:
        await until(lambda: peer.frames)
        peer.camera.size = (128, 96)
        event = await until(lambda: peer.event("closing"), "the end")
        assert "at most 10,000 pixels" in event["data"]["reason"]
        assert len(server.sessions) == 0


@pytest.mark.slow
@asynchronous
async def test_a_filter_that_fails_ends_its_session_and_no_other() -> None:
    class Broken(Shade):
        def __call__(self, frame: av.VideoFrame) -> av.VideoFrame:
            if self.settings.strength == 1:
                raise ZeroDivisionError("a secret of the inside")
            return super().__call__(frame)

    async with (
        serving(make_filter=lambda model, settings: Broken(settings)) as (client, _),
        browser(client) as one,
        browser(client) as two,
    ):
        await one.ask("set", strength=1)
        event = await until(lambda: one.event("closing"), "the end")
        assert "secret" not in event["data"]["reason"]
        await two.ask("set", strength=0.5)
        await two.sees(CAMERA * 0.5)


@asynchronous
async def test_a_full_server_is_503_until_a_session_ends() -> None:
    async with serving(limits=Limits(sessions=1)) as (client, server):
        extra = Peer()
        offer = await extra.offer()
        async with browser(client):
            response = await client.post("/api/sessions", json={"sdp": offer})
            assert response.status == 503
            assert "full" in await detail(response)
            assert response.headers["Retry-After"]
        await until(lambda: len(server.sessions) == 0)
        assert await post_offer(client, offer)
        await extra.close()


@asynchronous
async def test_a_name_that_is_taken_is_409() -> None:
    async with serving() as (client, _), browser(client, name="mine"):
        extra = Peer()
        body = {"sdp": await extra.offer(), "name": "mine"}
        async with client.post("/api/sessions", json=body) as response:
            assert response.status == 409
            assert "another name" in await detail(response)
        await extra.close()


@asynchronous
async def test_a_peer_that_never_connects_is_closed() -> None:
    async with serving(limits=Limits(connect_seconds=0.3)) as (client, server):
        peer = Peer()
        await post_offer(client, await peer.offer())
        assert len(server.sessions) == 1
        await until(lambda: len(server.sessions) == 0, "the end")
        await peer.close()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("limits", "reason"),
    [
        (Limits(idle_seconds=0.5), "no video for 0.5 s"),
        (Limits(total_seconds=0.5), "the session has reached its limit of 0.5 s"),
    ],
)
@asynchronous
async def test_idle_and_total_time_are_limited(limits: Limits, reason: str) -> None:
    peer = Peer()
    if "video" in reason:
        peer.camera.stop()
    async with serving(limits=limits) as (client, _), browser(client, peer=peer):
        event = await until(lambda: peer.event("closing"), "the end")
        assert event["data"]["reason"] == reason


@asynchronous
async def test_a_flood_of_messages_ends_the_session() -> None:
    limits = Limits(messages_per_second=1, message_burst=5, refused_messages=50)
    async with serving(limits=limits) as (client, server), browser(client) as peer:
        for _ in range(100):
            peer.channel.send('{"v": 1, "id": 1, "op": "ping"}')
        await until(lambda: len(server.sessions) == 0, "the end")
        answers = [each for each in peer.messages if "ok" in each]
        assert len(answers) <= 7


@asynchronous
async def test_a_second_control_channel_and_other_labels_are_closed() -> None:
    async with serving() as (client, _), browser(client) as peer:
        second, other = peer.pc.createDataChannel("control"), peer.pc.createDataChannel("chat")
        await until(lambda: second.readyState == other.readyState == "closed", "both to be closed")
        assert (await peer.ask("ping"))["ok"]


@asynchronous
async def test_shutdown_sends_a_reason_to_every_peer_and_closes_it() -> None:
    app = create_app(ShadeModel(), make_filter=new_shade)
    client = TestClient(TestServer(app))
    await client.start_server()
    await until(lambda: app[SERVER].slot.state == "ready")
    async with browser(client) as one, browser(client) as two:
        await client.close()
        for peer in (one, two):
            event = peer.event("closing")
            assert event is not None
            assert event["data"]["reason"] == "the server shuts down"
            await until(lambda peer=peer: peer.pc.connectionState == "closed")  # type: ignore[misc]


@asynchronous
async def test_without_a_free_port_in_the_range_a_session_is_503() -> None:
    one, two = Peer(), Peer()
    async with serving(udp_ports=(46110, 46110)) as (client, server):
        await post_offer(client, await one.offer())
        async with client.post("/api/sessions", json={"sdp": await two.offer()}) as response:
            assert response.status == 503
            assert "no UDP port is free" in await detail(response)
        assert len(server.sessions) == 1
    await one.close()
    await two.close()


@asynchronous
async def test_udp_ports_come_from_the_range() -> None:
    async with serving(udp_ports=(46100, 46103)) as (client, _):
        peer = Peer()
        answer = await post_offer(client, await peer.offer())
        lines = [line for line in answer["sdp"].splitlines() if line.startswith("a=candidate")]
        ports = {int(line.split()[5]) for line in lines}
        assert ports
        assert ports <= set(range(46100, 46104))
        await peer.close()


@pytest.mark.slow
@asynchronous
async def test_the_preferred_codec_is_the_first_of_the_answer() -> None:
    for codec, name in (("vp8", "VP8"), ("h264", "H264")):
        async with serving(codec=codec) as (client, _), browser(client) as peer:
            answer = peer.pc.remoteDescription.sdp
            first = next(line for line in answer.splitlines() if line.startswith("a=rtpmap"))
            assert name in first
            assert "x-google-start-bitrate=2500" in answer
            await until(lambda peer=peer: peer.frames)  # type: ignore[misc]


@asynchronous
async def test_no_stun_server_is_asked_by_default() -> None:
    async with serving() as (client, _), browser(client) as peer:
        answer = peer.pc.remoteDescription.sdp
        assert "typ host" in answer
        assert "srflx" not in answer


def blueness(peer: Peer) -> float:
    """Mean of blue minus mean of red of the last frame, in 8-bit levels."""
    blue, _, red = peer.frames[-1].to_ndarray(format="bgr24").mean(axis=(0, 1))
    return float(blue - red)


@pytest.mark.slow
def test_the_embedded_model_gives_two_sessions_two_looks() -> None:
    model = TurboModel.load("embedded")
    settings = FilterSettings(prompt="blueprint", strength=1.0, size=64)

    @asynchronous
    async def sessions() -> None:
        app = create_app(lambda: model, ServerOptions(settings=settings))
        async with TestClient(TestServer(app)) as client:
            await until(lambda: app[SERVER].slot.state == "ready", "the model")
            async with browser(client) as one, browser(client) as two:
                await until(lambda: one.frames and two.frames, "frames of both")
                assert (await one.ask("set", prompt="thermal"))["ok"]
                await until(lambda: blueness(one) < blueness(two) - 20, "two different looks")
                assert blueness(two) > 20  # white on blue paper

    sessions()
