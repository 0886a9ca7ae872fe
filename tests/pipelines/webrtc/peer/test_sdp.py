"""SDP: which offers are refused, and what an answer has beyond the one that aiortc makes."""

import re
from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from turbolens.filter import OfferError
from turbolens.pipelines.webrtc.peer.sdp import checked_offer, tuned_answer

OFFER = """v=0
o=- 1 1 IN IP4 0.0.0.0
s=-
t=0 0
a=group:BUNDLE 0 1
m=video 9 UDP/TLS/RTP/SAVPF 96 97
c=IN IP4 0.0.0.0
a=sendrecv
a=mid:0
a=rtcp-mux
a=rtpmap:96 VP8/90000
a=rtpmap:97 H264/90000
a=fmtp:97 packetization-mode=1;profile-level-id=42e01f
a=candidate:1 1 udp 2130706431 192.0.2.7 50000 typ host
a=ice-ufrag:abcd
a=ice-pwd:abcdefghijklmnopqrstuv
a=fingerprint:sha-256 AA:BB
a=setup:actpass
m=application 9 UDP/DTLS/SCTP webrtc-datachannel
c=IN IP4 0.0.0.0
a=mid:1
a=sctp-port:5000
a=ice-ufrag:abcd
a=ice-pwd:abcdefghijklmnopqrstuv
a=fingerprint:sha-256 AA:BB
a=setup:actpass
"""


def checked(text: str) -> str:
    return checked_offer(text, candidates=64)


def test_a_valid_offer_passes_and_gets_the_default_message_size() -> None:
    text = checked(OFFER)
    assert "a=sctp-port:5000\r\na=max-message-size:65536\r\n" in text
    assert text.replace("a=max-message-size:65536\r\n", "") == OFFER.replace("\n", "\r\n")


@pytest.mark.parametrize(
    ("damaged", "reason"),
    [
        ("", "begins with v=0"),
        ("hello", "begins with v=0"),
        ("v=0", "no media"),
        ("v=0\r\n" + "a=x\r\n" * 5000, "at most 4000 lines"),
        (OFFER + "m=audio 9 UDP/TLS/RTP/SAVPF 0\n" * 8, "at most 8 media"),
        (OFFER + "a=candidate:1 1 udp 1 192.0.2.7 5 typ host\n" * 80, "at most 64 candidates"),
        (OFFER.replace("m=video 9", "m=video nine"), "malformed"),
        (OFFER.replace("a=rtpmap:96 VP8/90000", "a=rtpmap:96"), "malformed"),
        (OFFER.replace("a=rtpmap:97 H264/90000\n", ""), "malformed"),
        (OFFER.replace("a=setup:actpass", "a=setup:maybe"), "malformed"),
        (OFFER.replace("m=video", "m=text"), "audio, video or application"),
        (OFFER.replace("a=ice-ufrag:abcd\n", ""), "ice-ufrag"),
        (OFFER.replace("a=ice-ufrag:abcd", "a=ice-ufrag:a b"), "ice-ufrag"),
        (OFFER.replace("a=ice-pwd:abcdefghijklmnopqrstuv", "a=ice-pwd:short"), "ice-pwd"),
        (OFFER.replace("a=fingerprint:sha-256 AA:BB\n", ""), "fingerprint"),
        (OFFER.replace("sha-256", "md5"), "fingerprint"),
        (OFFER.replace("a=setup:actpass\n", ""), "setup"),
        (OFFER.replace("a=rtcp-mux\n", ""), "rtcp-mux"),
        (OFFER.replace("a=sctp-port:5000\n", ""), "sctp-port"),
        (OFFER.replace("a=mid:1", "a=mid:0"), "its own mid"),
    ],
)
def test_an_offer_that_cannot_be_answered_is_refused_with_a_reason(
    damaged: str, reason: str
) -> None:
    with pytest.raises(OfferError, match=re.escape(reason)):
        checked(damaged)


@settings(max_examples=200)
@given(st.data())
def test_any_damaged_offer_is_refused_or_harmless(data: st.DataObject) -> None:
    lines = OFFER.splitlines()
    index = data.draw(st.integers(0, len(lines) - 1))
    cut = data.draw(st.integers(0, len(lines[index])))
    lines[index] = lines[index][:cut] + data.draw(st.text(max_size=12))
    with suppress(OfferError):
        checked("\n".join(lines))


def test_every_video_codec_of_the_answer_gets_the_bit_rates_and_no_other_codec_does() -> None:
    answer = tuned_answer(OFFER, bit_rate=2500, public_ip=None)
    rates = "x-google-start-bitrate=2500;x-google-min-bitrate=600"
    assert f"a=rtpmap:96 VP8/90000\r\na=fmtp:96 {rates}\r\n" in answer
    assert f"profile-level-id=42e01f;{rates}\r\n" in answer
    assert answer.count("x-google-start") == 2


def test_the_minimum_bit_rate_is_never_above_the_start_bit_rate() -> None:
    assert "min-bitrate=300" in tuned_answer(OFFER, bit_rate=300, public_ip=None)


def test_the_public_address_is_added_beside_the_local_one_with_the_same_port() -> None:
    answer = tuned_answer(OFFER, bit_rate=1000, public_ip="203.0.113.9")
    assert "192.0.2.7 50000 typ host" in answer
    assert "203.0.113.9 50000 typ host" in answer
    assert "2001:db8::1" not in tuned_answer(OFFER, bit_rate=1000, public_ip="2001:db8::1")
