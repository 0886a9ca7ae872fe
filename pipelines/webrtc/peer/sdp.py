"""Session descriptions: what an offer must hold, and what an answer needs besides aiortc's."""

import ipaddress
import re
from collections.abc import Iterator

from aiortc import sdp
from aiortc.rtcdtlstransport import X509_DIGEST_ALGORITHMS

from turbolens.filter import OfferError

MAX_MEDIA = 8
MAX_LINES = 4000
ICE_NAME = re.compile(r"[A-Za-z0-9+/]{4,256}")
ICE_PASSWORD = re.compile(r"[A-Za-z0-9+/]{22,256}")
VIDEO_CODEC = re.compile(r"a=rtpmap:(\d+) (?:VP8|H264)/90000", re.IGNORECASE)
MIN_BIT_RATE = 600  # kbit/s that Chromium holds; below it a picture of 640×480 shrinks


def checked_offer(text: str, *, candidates: int) -> str:
    """An offer that can be answered, its line ends mended. Raises `OfferError`.

    aiortc parses what it is given in good faith, and fails in the background on what is missing.
    """
    if not text.lstrip().startswith("v=0"):
        raise OfferError("an offer is a session description (SDP) that begins with v=0")
    lines = text.strip().splitlines()
    if len(lines) > MAX_LINES:
        raise OfferError(f"an offer has at most {MAX_LINES} lines, got {len(lines)}")
    lines = list(_with_message_sizes(lines))
    text = "\r\n".join(lines) + "\r\n"
    if sum(line.startswith("m=") for line in lines) > MAX_MEDIA:
        raise OfferError(f"an offer has at most {MAX_MEDIA} media")
    if sum(line.startswith("a=candidate:") for line in lines) > candidates:
        raise OfferError(f"an offer has at most {candidates} candidates")
    _check(_parsed(text))
    return text


def _with_message_sizes(lines: list[str]) -> Iterator[str]:
    """A data channel without max-message-size takes 64 KiB (RFC 8841); aiortc wants it said."""
    said = any(line.startswith("a=max-message-size:") for line in lines)
    for line in lines:
        yield line
        if line.startswith("a=sctp-port:") and not said:
            yield "a=max-message-size:65536"


def _parsed(text: str) -> sdp.SessionDescription:
    try:
        return sdp.SessionDescription.parse(text)
    except Exception as error:  # the parser fails in every way there is
        raise OfferError("the offer is malformed: its lines cannot be read as SDP") from error


def _check(offer: sdp.SessionDescription) -> None:
    if not offer.media:
        raise OfferError("the offer has no media; offer video")
    for media in offer.media:
        _check_media(media)
    mids = [media.rtp.muxId for media in offer.media]
    if len(set(mids)) < len(mids):
        raise OfferError("each media of an offer needs a mid of its own")


def _check_media(media: sdp.MediaDescription) -> None:
    if media.kind not in ("audio", "video", "application"):
        raise OfferError(f"media is audio, video or application, got {media.kind[:20]!r}")
    if not media.ice or not ICE_NAME.fullmatch(media.ice.usernameFragment or ""):
        raise OfferError("the offer lacks a sound ice-ufrag")
    if not ICE_PASSWORD.fullmatch(media.ice.password or ""):
        raise OfferError("the offer lacks a sound ice-pwd")
    if media.dtls is None or not any(
        fingerprint.algorithm.lower() in X509_DIGEST_ALGORITHMS
        for fingerprint in media.dtls.fingerprints
    ):
        raise OfferError("the offer lacks a DTLS setup or a fingerprint (sha-256)")
    if media.kind == "application":
        if media.sctp_port is None and not media.sctpmap:
            raise OfferError("a data channel needs an sctp-port")
    elif not media.rtcp_mux:
        raise OfferError("the offer must multiplex RTCP (rtcp-mux)")


def tuned_answer(text: str, *, bit_rate: int, public_ip: str | None) -> str:
    """aiortc's answer with what Chromium needs to send well, and the address from outside.

    Without a start and a least bit-rate Chromium sends aiortc some 350 kbit/s, and shrinks the
    picture. bit_rate: kilobits a second. public_ip: each IPv4 candidate gets a twin there.
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
            lines += _outside(line, public_ip)
    return "\r\n".join(lines) + "\r\n"


def _outside(line: str, public_ip: str) -> list[str]:
    """The candidate as a router shows it: same port, the public address, a little less wanted."""
    parts = line.removeprefix("a=candidate:").split(" ")
    same_kind = ipaddress.ip_address(parts[4]).version == ipaddress.ip_address(public_ip).version
    if parts[7] != "host" or parts[4] == public_ip or not same_kind:
        return []
    priority = max(1, int(parts[3]) - 1)
    parts = [f"{parts[0]}1", parts[1], parts[2], str(priority), public_ip, parts[5], "typ", "host"]
    return ["a=candidate:" + " ".join(parts)]
