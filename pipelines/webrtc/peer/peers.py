"""Peer connections: how one is made, answered and closed."""

import asyncio
import logging
from collections.abc import Callable
from typing import Any

from aiortc import (
    RTCConfiguration,
    RTCIceServer,
    RTCPeerConnection,
    RTCRtpTransceiver,
    RTCSessionDescription,
)
from aiortc.codecs import get_capabilities, h264, vpx
from aiortc.exceptions import OperationError

from turbolens.filter import OfferError, UnsupportedOfferError
from turbolens.pipelines.webrtc.server.options import ServerOptions

from .dtls import use_own_certificate
from .ice import gather_here
from .losses import mend_losses
from .sdp import tuned_answer

logger = logging.getLogger(__name__)

CLOSE_SECONDS = 5.0
PREFERRED = {"vp8": "video/vp8", "h264": "video/h264"}


def limit_bit_rates(kilobits: int) -> None:
    """At most so much, and so much at first, for every video that this process sends.

    aiortc has these as constants of its encoders (1.16) and nothing else.
    """
    encoders: tuple[Any, ...] = (vpx, h264)
    for module in encoders:
        module.DEFAULT_BITRATE = module.MAX_BITRATE = kilobits * 1000
        module.MIN_BITRATE = min(module.MIN_BITRATE, kilobits * 1000)


def new_peer(options: ServerOptions) -> RTCPeerConnection:
    """A peer connection that asks only the STUN and TURN servers of the options."""
    servers = [
        RTCIceServer(urls=server.url, username=server.username, credential=server.credential)
        for server in options.ice_servers
    ]
    peer = RTCPeerConnection(RTCConfiguration(iceServers=servers))
    use_own_certificate(peer)
    _prefer_codec(peer.addTransceiver("video", direction="recvonly"), options)
    return peer


def _prefer_codec(transceiver: RTCRtpTransceiver, options: ServerOptions) -> None:
    """A wish and no condition: the rest of what is known follows."""
    if options.codec != "auto":
        codecs = get_capabilities("video").codecs
        wanted = PREFERRED[options.codec]
        codecs.sort(key=lambda codec: codec.mimeType.lower() != wanted)
        transceiver.setCodecPreferences(codecs)


async def set_offer(peer: RTCPeerConnection, offer: str) -> None:
    """Set a checked offer. Raises `OfferError` or `UnsupportedOfferError`."""
    try:
        await peer.setRemoteDescription(RTCSessionDescription(sdp=offer, type="offer"))
    except OperationError as error:
        raise UnsupportedOfferError(
            "no codec in common: video must be VP8 or H.264, sound Opus, G.722 or G.711"
        ) from error
    except Exception as error:  # whatever passed the check and still cannot be
        logger.debug("an offer was refused", exc_info=True)
        raise OfferError("the offer cannot be answered; its parts contradict each other") from error
    mend_losses(peer)


async def answered(peer: RTCPeerConnection, options: ServerOptions) -> str:
    """The answer, complete with candidates, after `set_offer` and the tracks."""
    gather_here(peer, options.udp_ports)
    await peer.setLocalDescription(await peer.createAnswer())
    text = peer.localDescription.sdp
    return tuned_answer(text, bit_rate=options.bit_rate, public_ip=options.public_ip)


def on_state(peer: RTCPeerConnection, callback: Callable[[str], None]) -> None:
    """Call back whenever the state of the connection changes."""
    peer.on("connectionstatechange", lambda: callback(peer.connectionState))


async def close_peer(peer: RTCPeerConnection) -> None:
    """Close it whatever happens; left open it would leave tasks, threads and sockets."""
    try:
        await asyncio.wait_for(peer.close(), CLOSE_SECONDS)
    except Exception:
        logger.warning("a peer connection did not close in order", exc_info=True)
    finally:
        _end_tracks(peer)


def _end_tracks(peer: RTCPeerConnection) -> None:
    """Let who waits for a remote track go on. aiortc (1.16) ends only those that had begun."""
    for transceiver in peer.getTransceivers():
        track: Any = transceiver.receiver.track
        if track is not None:
            track._queue.put_nowait(None)
