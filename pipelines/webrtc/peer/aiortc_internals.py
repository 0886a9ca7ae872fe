"""Everything that uses private parts of aiortc (1.15, 1.16) or aioice (0.10 to 0.13).

Each function works around one fault that the libraries have no option for, or reads one value that
they do not publish. No other file may touch a private attribute of theirs: `test_aiortc_internals`
checks that, and fails with a clear message when an attribute or a signature has changed.
`pyproject.toml` bounds both versions from above; run that test before you raise a bound.
"""

import asyncio
import socket
from collections.abc import Awaitable, Callable
from typing import Any, Protocol

from aioice import Candidate, Connection
from aioice.candidate import candidate_foundation, candidate_priority
from aioice.ice import StunProtocol, server_reflexive_candidate
from aioice.stun import TransactionError
from aiortc import (
    MediaStreamTrack,
    RTCCertificate,
    RTCIceTransport,
    RTCPeerConnection,
    RTCRtpReceiver,
    RTCRtpTransceiver,
    codecs,
)
from aiortc.codecs import h264, vpx
from aiortc.codecs.base import Encoder
from aiortc.jitterbuffer import JitterFrame
from aiortc.rtcdtlstransport import SRTPProtectionProfile
from aiortc.rtp import RtpPacket

DTLS_CIPHERS = ":".join(
    f"ECDHE-{signature}-{cipher}"
    for cipher in ("AES128-GCM-SHA256", "CHACHA20-POLY1305", "AES128-SHA", "AES256-SHA")
    for signature in ("ECDSA", "RSA")
)
RECEIVE_BUFFER_BYTES = 1 << 20  # a key frame arrives in one burst

GatherCandidates = Callable[..., Awaitable[list[Candidate]]]
"""(component, addresses, timeout) → candidates: the signature of aioice's own method."""


class FrameAssembler(Protocol):
    """The part of aiortc's `JitterBuffer` that a receiver uses."""

    def add(self, packet: RtpPacket) -> tuple[bool, JitterFrame | None]:
        """Whether to send a PLI, and a complete frame, if there is one."""
        ...


class LossDetector(Protocol):
    """The part of aiortc's `NackGenerator` that a receiver uses."""

    missing: list[int]

    def add(self, packet: RtpPacket) -> bool:
        """True if a NACK for `missing` must be sent."""
        ...


class DtlsCertificate(RTCCertificate):
    """A certificate that can also talk to peers whose own certificate is RSA.

    aiortc offers only ECDSA cipher suites. As DTLS client it has none in common with a peer that
    has an RSA certificate, such as GStreamer's webrtcbin.
    """

    def _create_ssl_context(self, srtp_profiles: list[SRTPProtectionProfile]) -> Any:
        context = super()._create_ssl_context(srtp_profiles)
        context.set_cipher_list(DTLS_CIPHERS.encode())
        return context


def replace_certificate(peer: RTCPeerConnection, certificate: RTCCertificate) -> None:
    """Use this certificate. Call it before the first transceiver is added.

    aiortc's `RTCConfiguration` has no `certificates`: every peer connection makes its own.
    """
    _replace(peer, "_RTCPeerConnection__certificates", [certificate])


def limit_encoder_bit_rates(kilobits: int) -> None:
    """Start every video encoder of this process at `kilobits` per second, and never exceed it.

    aiortc has the bit rates of its encoders as module constants and no option. The lower bound
    follows when it is above the new limit.
    """
    for module in (vpx, h264):
        _replace(module, "DEFAULT_BITRATE", kilobits * 1000)
        _replace(module, "MAX_BITRATE", kilobits * 1000)
        minimum: int = vars(module)["MIN_BITRATE"]
        _replace(module, "MIN_BITRATE", min(minimum, kilobits * 1000))


def replace_encoders(*, h264: type[Encoder], vp8: type[Encoder]) -> None:
    """Use these encoders for all video that this process sends from now on.

    aiortc's own have no options, and begin at the highest bit rate. Its H.264 encoder is too slow
    for 1920×1080, and knows no hardware.
    """
    _replace(codecs, "H264Encoder", h264)
    _replace(codecs, "Vp8Encoder", vp8)


def replace_loss_repair(
    receiver: RTCRtpReceiver, nack_generator: LossDetector, jitter_buffer: FrameAssembler
) -> None:
    """Give a video receiver another NACK generator and jitter buffer.

    aiortc sends one NACK per lost packet. If the retransmission is lost too, all frames wait until
    its buffer of 512 packets is full: ten seconds of a 400 kbit/s video. Afterwards it releases one
    frame per packet, so the delay remains. It also needs the first packet of the next frame to see
    that a frame is complete.
    """
    _replace(receiver, "_RTCRtpReceiver__nack_generator", nack_generator)
    _replace(receiver, "_RTCRtpReceiver__jitter_buffer", jitter_buffer)


def deliver_frame(receiver: RTCRtpReceiver, packet: RtpPacket, frame: JitterFrame) -> None:
    """Send a complete frame to the receiver's decoder thread. packet: any packet of its stream.

    aiortc does this only with the one frame that its jitter buffer returns for each packet.
    """
    internals: Any = receiver
    mapper = internals._RTCRtpReceiver__timestamp_mapper
    frame.timestamp = mapper.map(frame.timestamp)
    codec = internals._RTCRtpReceiver__codecs[packet.payload_type]
    internals._RTCRtpReceiver__decoder_queue.put((codec, frame))


def depayloaded(packet: RtpPacket) -> bytes:
    """The packet's part of the encoded frame, without the codec's RTP payload header.

    aiortc stores it in the packet before it calls the jitter buffer.
    """
    data: bytes = packet._data  # type: ignore[attr-defined]
    return data


def offered_direction(transceiver: RTCRtpTransceiver) -> str | None:
    """The direction that the remote offer leaves for our side; `None` before there is an offer.

    aiortc publishes only the direction that we set ourselves, and the negotiated one after the
    answer is set.
    """
    return transceiver._offerDirection


def end_track(track: MediaStreamTrack) -> None:
    """Make a waiting `recv` of a remote track raise `MediaStreamError`.

    aiortc ends remote tracks when a peer connection closes, but only those whose receiver had
    started. On the others `recv` would wait forever.
    """
    remote: Any = track
    remote._queue.put_nowait(None)


def ice_connection(transport: RTCIceTransport) -> Connection:
    """The aioice connection of an ICE transport. aiortc does not publish it."""
    return transport.iceGatherer._connection


def replace_gathering(connection: Connection, gather: GatherCandidates) -> None:
    """Replace how a connection gathers candidates.

    aioice has no option for a range of UDP ports, and never uses the loopback address.
    """
    _replace(connection, "get_component_candidates", gather)


async def open_host_socket(
    connection: Connection, component: int, local_address: tuple[str, int]
) -> StunProtocol:
    """A UDP socket with its host candidate. Raises `OSError` if it cannot be bound.

    aioice does this inside its gathering method, which `replace_gathering` replaces.
    """
    transport, protocol = await asyncio.get_running_loop().create_datagram_endpoint(
        lambda: StunProtocol(connection), local_addr=local_address
    )
    transport.get_extra_info("socket").setsockopt(
        socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BUFFER_BYTES
    )
    host, port = transport.get_extra_info("sockname")[:2]
    protocol.local_candidate = Candidate(
        foundation=candidate_foundation("host", "udp", host), component=component,
        transport="udp", priority=candidate_priority(component, "host"),
        host=host, port=port, type="host",
    )  # fmt: skip
    return protocol


def add_host_sockets(connection: Connection, sockets: list[StunProtocol]) -> None:
    """Register sockets with their connection, which uses them and closes them at its end."""
    connection._protocols += sockets


async def query_reflexive_candidate(
    protocol: StunProtocol, stun_server: tuple[str, int]
) -> Candidate:
    """Ask a STUN server for the public address of a socket (RFC 8445, 5.1.1.2).

    Older versions of aioice return the candidate alone, newer ones a pair.
    """
    found: Any = await server_reflexive_candidate(protocol, stun_server)
    candidate: Candidate = found[0] if isinstance(found, tuple) else found
    return candidate


def replace_consent_checks(connection: Connection, run: Callable[[], Awaitable[None]]) -> None:
    """Replace the coroutine that a connection runs from its establishment to its end.

    aioice counts only answers to its requests as consent (RFC 7675), and has no option for it.
    """
    _replace(connection, "query_consent", run)


async def request_consent(connection: Connection) -> bool:
    """Send one STUN request to the peer (RFC 7675, 5.1). True if it was answered in time."""
    key = (connection.remote_password or "").encode()
    for pair in list(connection._nominated.values()):
        request = connection.build_request(pair, nominate=False)
        try:
            await pair.protocol.request(
                request, pair.remote_addr, integrity_key=key, retransmissions=0
            )
        except TransactionError:
            return False
    return True


async def close_expired_connection(connection: Connection) -> None:
    """Close a connection from within its consent checks, as aioice's own method does.

    `close` cancels and awaits the task of the checks, so it must not find the running one.
    """
    _replace(connection, "_query_consent_task", None)
    await connection.close()


def _replace(owner: object, name: str, value: object) -> None:
    """Set an attribute that must exist: a silent patch of nothing would bring the fault back."""
    if not hasattr(owner, name):
        kind = getattr(owner, "__name__", type(owner).__name__)
        raise AttributeError(f"{kind} has no {name}: this version of aiortc or aioice is too new")
    setattr(owner, name, value)
