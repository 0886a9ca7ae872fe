"""H.264 profiles and packetization modes: what aiortc is offered, and what the answer repeats."""

import pytest

from tests.pipelines.webrtc.conftest import Peer, asynchronous, detail, serving, until
from tests.pipelines.webrtc.server.test_streams import SDP
from turbolens.pipelines.webrtc.peer.h264 import with_matching_h264, with_offered_h264
from turbolens.pipelines.webrtc.peer.sdp import offered_codecs

pytestmark = pytest.mark.slow

OFFER = """v=0
s=-
m=video 9 UDP/TLS/RTP/SAVPF 96 97 98
a=rtpmap:96 VP8/90000
a=rtpmap:97 H264/90000
a=fmtp:97 profile-level-id=640028;packetization-mode=1;level-asymmetry-allowed=1
a=rtpmap:98 H264/90000
m=audio 9 UDP/TLS/RTP/SAVPF 97
a=rtpmap:97 opus/48000/2
a=fmtp:97 useinbandfec=1
""".replace("\n", "\r\n")
HIGH = "profile-level-id=640028;packetization-mode=1;level-asymmetry-allowed=1"


def with_high(parameters: str) -> str:
    return OFFER.replace(HIGH, parameters)


def test_a_publishers_h264_becomes_what_aiortc_accepts_and_nothing_else_changes() -> None:
    text = with_matching_h264(OFFER, receives_only=True)
    assert text.count("packetization-mode=1") == text.count("profile-level-id=42e01f") == 2
    assert "a=fmtp:97 useinbandfec=1\r\n" in text
    assert "level-asymmetry-allowed=1" in text
    assert text.count("\r\n") == OFFER.count("\r\n") + 1  # 98 had no parameters


def test_what_we_send_needs_packetization_mode_1() -> None:
    text = with_matching_h264(OFFER, receives_only=False)
    assert text.count("packetization-mode=1") == 1
    assert "a=fmtp:98" not in text


def test_the_answer_repeats_the_offered_values_of_each_payload_type() -> None:
    answer = with_matching_h264(OFFER, receives_only=True)
    assert sorted(with_offered_h264(answer, OFFER).split("\r\n")) == sorted(
        with_high("level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=640028").split(
            "\r\n"
        )
    )


@pytest.mark.parametrize(
    "parameters",
    [
        "packetization-mode=2;profile-level-id=42e01f",
        "profile-level-id=zz",
        "profile-level-id=2c0000",
    ],
)
def test_h264_that_cannot_be_read_stays_as_it_is(parameters: str) -> None:
    offer = with_high(parameters)
    assert f"a=fmtp:97 {parameters}\r\n" in with_matching_h264(offer, receives_only=True)


def test_a_message_lists_the_offered_codecs_and_not_those_of_repair() -> None:
    offer = OFFER.replace("VP8/90000", "rtx/90000")
    assert offered_codecs(offer) == f"H264 ({HIGH}), H264, opus"
    many = "".join(f"a=rtpmap:{100 + number} X{number}/90000\r\n" for number in range(99))
    assert len(offered_codecs(offer + many)) == 300


def h264_offer(offer: str, profile: str, mode: int) -> str:
    """An offer of aiortc with H.264 only, of this profile and packetization mode."""
    lines = [line for line in offer.splitlines() if "VP8" not in line]
    text = "\r\n".join(lines) + "\r\n"
    for name in ("42001f", "42e01f"):
        text = text.replace(f"profile-level-id={name}", f"profile-level-id={profile}")
    return text.replace("packetization-mode=1", f"packetization-mode={mode}")


@pytest.mark.parametrize(
    ("profile", "mode"),
    [
        ("42e01f", 0),  # Constrained Baseline
        ("4d001f", 1),  # Main
        ("640028", 1),  # High
        ("640c1f", 0),  # Constrained High: iPhones
        ("6e0033", 1),  # High 10
        ("42e03c", 1),  # level 6, which aiortc cannot parse
    ],
)
@asynchronous
async def test_every_profile_can_be_published(profile: str, mode: int) -> None:
    publisher = Peer(direction="sendonly")
    offer = h264_offer(await publisher.offer(), profile, mode)
    async with serving() as (client, server):
        async with client.post("/whip/a", data=offer, headers=SDP) as response:
            answer = await response.text()
            assert response.status == 201, answer
        assert f"profile-level-id={profile};" in answer
        assert f"packetization-mode={mode};" in answer
        # aiortc sends Constrained Baseline in mode 1, and accepts no other answer.
        await publisher.accept(with_matching_h264(answer, receives_only=True))
        (session,) = server.sessions
        await until(lambda: session.track and session.track.statistics.captured, "decoded frames")
    await publisher.close()


@asynchronous
async def test_interleaved_h264_is_406_and_the_message_names_what_was_offered() -> None:
    publisher = Peer(direction="sendonly")
    offer = h264_offer(await publisher.offer(), "42e01f", 2)
    async with serving() as (client, _):
        response = await client.post("/whip/a", data=offer, headers=SDP)
        assert response.status == 406
        text = await detail(response)
    assert "H.264 (packetization-mode 0 or 1)" in text
    assert "packetization-mode=2" in text
    await publisher.close()
