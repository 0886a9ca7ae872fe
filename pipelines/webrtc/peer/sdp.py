"""SDP: the check of an offer, and what an answer needs beyond the one that aiortc makes."""

import ipaddress
import re
from collections.abc import Iterator

from aiortc import RTCRtpCodecParameters, sdp
from aiortc.rtcdtlstransport import X509_DIGEST_ALGORITHMS

from turbolens.filter import OfferError

MAX_MEDIA = 8  # m= sections of an offer
MAX_LINES = 4000
MAX_LISTED = 300  # characters of the codecs in a message
ICE_NAME = re.compile(r"[A-Za-z0-9+/]{4,256}")
ICE_PASSWORD = re.compile(r"[A-Za-z0-9+/]{22,256}")
END_OF_CANDIDATES = "a=end-of-candidates"
REPAIR_CODECS = frozenset(("rtx", "red", "ulpfec", "flexfec-03"))
VIDEO_CODEC = re.compile(r"a=rtpmap:(\d+) (?:VP8|H264)/90000", re.IGNORECASE)
MIN_BIT_RATE = 600  # kbit/s; below it Chromium reduces the size of a 640×480 video


def checked_offer(text: str, *, candidates: int) -> str:
    """The offer with CRLF line ends, if it can be answered. Raises `OfferError`.

    aiortc checks little itself: what an offer lacks makes a background task fail later. The line
    a=end-of-candidates is removed: after it, aioice accepts no peer-reflexive candidates. A peer
    without candidates, or with mDNS names that cannot be resolved here, has no others.
    candidates: the largest number of ICE candidates.
    """
    if not text.lstrip().startswith("v=0"):
        raise OfferError("an offer must be a session description (SDP) that begins with v=0")
    lines = text.strip().splitlines()
    if len(lines) > MAX_LINES:
        raise OfferError(f"an offer must have at most {MAX_LINES} lines, got {len(lines)}")
    lines = [each for each in _with_message_sizes(lines) if each != END_OF_CANDIDATES]
    text = "\r\n".join(lines) + "\r\n"
    if sum(line.startswith("m=") for line in lines) > MAX_MEDIA:
        raise OfferError(f"an offer must have at most {MAX_MEDIA} media sections")
    if sum(line.startswith("a=candidate:") for line in lines) > candidates:
        raise OfferError(f"an offer must have at most {candidates} candidates")
    _check(_parsed(text))
    return text


def _with_message_sizes(lines: list[str]) -> Iterator[str]:
    """Add the default max-message-size of a data channel (RFC 8841, 6.1), which aiortc requires."""
    given = any(line.startswith("a=max-message-size:") for line in lines)
    for line in lines:
        yield line
        if line.startswith("a=sctp-port:") and not given:
            yield "a=max-message-size:65536"


def _parsed(text: str) -> sdp.SessionDescription:
    try:
        return sdp.SessionDescription.parse(text)
    except Exception as error:  # the parser raises errors of many kinds
        raise OfferError("the offer is malformed: its lines cannot be read as SDP") from error


def _check(offer: sdp.SessionDescription) -> None:
    if not offer.media:
        raise OfferError("the offer has no media; offer video")
    for media in offer.media:
        _check_media(media)
    mids = [media.rtp.muxId for media in offer.media]
    if len(set(mids)) < len(mids):
        raise OfferError("each media section of an offer needs its own mid")


def _check_media(media: sdp.MediaDescription) -> None:
    if media.kind not in ("audio", "video", "application"):
        raise OfferError(f"media must be audio, video or application, got {media.kind[:20]!r}")
    _check_credentials(media)
    if media.kind == "application":
        if media.sctp_port is None and not media.sctpmap:
            raise OfferError("a data channel needs an sctp-port")
    elif not media.rtcp_mux:
        raise OfferError("the offer must multiplex RTCP (rtcp-mux)")


def _check_credentials(media: sdp.MediaDescription) -> None:
    """What ICE (RFC 8839, 5.4) and DTLS (RFC 8122, 5) need to authenticate the peer."""
    if not media.ice or not ICE_NAME.fullmatch(media.ice.usernameFragment or ""):
        raise OfferError("the offer lacks a valid ice-ufrag")
    if not ICE_PASSWORD.fullmatch(media.ice.password or ""):
        raise OfferError("the offer lacks a valid ice-pwd")
    if media.dtls is None or not any(
        fingerprint.algorithm.lower() in X509_DIGEST_ALGORITHMS
        for fingerprint in media.dtls.fingerprints
    ):
        raise OfferError("the offer lacks a DTLS setup or a fingerprint (sha-256)")


def offered_codecs(text: str) -> str:
    """The codecs of a valid offer for a message, H.264 with its parameters.

    At most `MAX_LISTED` characters.
    """
    codecs = [codec for media in _parsed(text).media for codec in media.rtp.codecs]
    named = dict.fromkeys(_named(each) for each in codecs if each.name not in REPAIR_CODECS)
    listed = ", ".join(named) or "none"
    return listed if len(listed) <= MAX_LISTED else listed[: MAX_LISTED - 1] + "…"


def _named(codec: RTCRtpCodecParameters) -> str:
    if codec.name != "H264" or not codec.parameters:
        return codec.name
    return f"H264 ({sdp.parameters_to_sdp(codec.parameters)})"


def tuned_answer(text: str, *, bit_rate: int, public_ip: str | None) -> str:
    """aiortc's answer with bit rates for Chromium, and with public addresses.

    Without a start bit rate and a minimum, Chromium sends about 350 kbit/s to aiortc, and reduces
    the size of the video.
    bit_rate: kilobits per second. public_ip: each host candidate of the same IP version is repeated
    with this address, for peers beyond a router; `None` for none.
    """
    rates = f"x-google-start-bitrate={bit_rate};x-google-min-bitrate={min(MIN_BIT_RATE, bit_rate)}"
    lines: list[str] = []
    payloads = VIDEO_CODEC.findall(text)
    with_parameters = set(re.findall(r"^a=fmtp:(\d+) ", text, re.MULTILINE))
    for line in text.splitlines():
        lines.append(line)
        found = VIDEO_CODEC.match(line)
        if found and found[1] not in with_parameters:
            lines.append(f"a=fmtp:{found[1]} {rates}")
        elif any(line.startswith(f"a=fmtp:{payload} ") for payload in payloads):
            lines[-1] = f"{line};{rates}"
        elif public_ip and line.startswith("a=candidate:"):
            lines += _public_candidate(line, public_ip)
    return "\r\n".join(lines) + "\r\n"


def _public_candidate(line: str, public_ip: str) -> list[str]:
    """The same host candidate with the public address and a lower priority; empty for others."""
    parts = line.removeprefix("a=candidate:").split(" ")
    same_kind = ipaddress.ip_address(parts[4]).version == ipaddress.ip_address(public_ip).version
    if parts[7] != "host" or parts[4] == public_ip or not same_kind:
        return []
    priority = max(1, int(parts[3]) - 1)
    parts = [f"{parts[0]}1", parts[1], parts[2], str(priority), public_ip, parts[5], "typ", "host"]
    return ["a=candidate:" + " ".join(parts)]
