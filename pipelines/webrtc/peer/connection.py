"""Peer connections: how one is created, answered and closed."""

import asyncio
import logging
from collections.abc import Callable, Iterable
from functools import partial

from aiortc import (
    RTCConfiguration,
    RTCIceServer,
    RTCPeerConnection,
    RTCRtpTransceiver,
    RTCSessionDescription,
)
from aiortc.codecs import get_capabilities
from aiortc.exceptions import OperationError

from turbolens.filter import OfferError, UnsupportedOfferError
from turbolens.pipelines.video.encoders.live import live_hardware_encoder

from .aiortc_internals import (
    DtlsCertificate,
    deliver_frame,
    end_track,
    replace_certificate,
    replace_loss_repair,
)
from .consent import count_media_as_consent
from .h264 import with_matching_h264, with_offered_h264
from .ice import PortRange, use_ports
from .jitter_buffer import JitterBuffer
from .nack_generator import NackGenerator
from .options import Codec, IceServer
from .sdp import offered_codecs, tuned_answer

logger = logging.getLogger(__name__)

CLOSE_SECONDS = 5.0
MIME_TYPES = {"vp8": "video/vp8", "h264": "video/h264"}


def create_peer(ice_servers: Iterable[IceServer], codec: Codec) -> RTCPeerConnection:
    """A peer connection that receives video, and that asks only these STUN and TURN servers.

    codec: the preferred one; the others remain possible.
    """
    servers = [
        RTCIceServer(urls=server.url, username=server.username, credential=server.credential)
        for server in ice_servers
    ]
    peer = RTCPeerConnection(RTCConfiguration(iceServers=servers))
    replace_certificate(peer, DtlsCertificate.generateCertificate())
    prefer_codec(peer.addTransceiver("video", direction="recvonly"), codec)
    return peer


def prefer_codec(transceiver: RTCRtpTransceiver, codec: Codec) -> None:
    """Offer or answer with this video codec first; the others remain possible.

    "auto" is H.264 if this machine encodes it in hardware.
    """
    if codec == "auto" and live_hardware_encoder() is not None:
        codec = "h264"
    if codec != "auto":
        codecs = get_capabilities("video").codecs
        codecs.sort(key=lambda each: each.mimeType.lower() != MIME_TYPES[codec])
        transceiver.setCodecPreferences(codecs)


async def set_offer(peer: RTCPeerConnection, offer: str, *, receives_only: bool = False) -> None:
    """Set an offer that `checked_offer` returned.

    receives_only: True if no video is sent back. Raises `UnsupportedOfferError` if no codec is in
    common, and `OfferError`.
    """
    matching = with_matching_h264(offer, receives_only=receives_only)
    try:
        await peer.setRemoteDescription(RTCSessionDescription(sdp=matching, type="offer"))
    except OperationError as error:
        modes = "0 or 1" if receives_only else "1"
        raise UnsupportedOfferError(
            f"no codec in common: video must be VP8 or H.264 (packetization-mode {modes}), "
            f"audio Opus, G.722 or G.711; got {offered_codecs(offer)}"
        ) from error
    except Exception as error:  # aiortc raises errors of many kinds for a contradictory offer
        logger.debug("an offer was refused", exc_info=True)
        raise OfferError("the offer cannot be answered; its parts contradict each other") from error
    repair_losses(peer)


def repair_losses(peer: RTCPeerConnection) -> None:
    """Use our own NACK generator and jitter buffer for every video that the peer sends."""
    for transceiver in peer.getTransceivers():
        if transceiver.kind == "video":
            receiver = transceiver.receiver
            jitter_buffer = JitterBuffer(partial(deliver_frame, receiver))
            replace_loss_repair(receiver, NackGenerator(), jitter_buffer)


async def create_answer(
    peer: RTCPeerConnection,
    offer: str,
    *,
    bit_rate: int,
    udp_ports: PortRange | None,
    public_ip: str | None,
) -> str:
    """Set and return the answer, with all candidates. Call it after `set_offer`.

    offer: the same as for `set_offer`. bit_rate: kilobits per second that the peer should send at
    first. udp_ports: the range of local ports. public_ip: the address of this machine behind a
    router, or `None`. Raises `MediaError` if no port is free.
    """
    use_ports(peer, udp_ports)
    count_media_as_consent(peer)
    await peer.setLocalDescription(await peer.createAnswer())
    answer = with_offered_h264(peer.localDescription.sdp, offer)
    return tuned_answer(answer, bit_rate=bit_rate, public_ip=public_ip)


def on_state(peer: RTCPeerConnection, callback: Callable[[str], None]) -> None:
    """Call `callback` with the state of the connection whenever it changes."""
    peer.on("connectionstatechange", lambda: callback(peer.connectionState))


async def close_peer(peer: RTCPeerConnection) -> None:
    """Close a peer connection. Errors are logged: its tracks must end in any case."""
    try:
        await asyncio.wait_for(peer.close(), CLOSE_SECONDS)
    except Exception:
        logger.warning("a peer connection did not close cleanly", exc_info=True)
    finally:
        for transceiver in peer.getTransceivers():
            if transceiver.receiver.track is not None:
                end_track(transceiver.receiver.track)
