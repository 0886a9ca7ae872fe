"""A peer connection that makes the offer: sends video, and receives it filtered."""

from collections.abc import Iterable

from aiortc import (
    MediaStreamTrack,
    RTCBundlePolicy,
    RTCConfiguration,
    RTCIceServer,
    RTCIceTransportPolicy,
    RTCPeerConnection,
    RTCSessionDescription,
)

from turbolens.filter.errors import PeerError

from .aiortc_internals import DtlsCertificate, replace_certificate
from .connection import prefer_codec, repair_losses
from .consent import count_media_as_consent
from .ice import use_ports
from .options import Codec, IceServer


def create_offering_peer(
    track: MediaStreamTrack,
    ice_servers: Iterable[IceServer],
    *,
    codec: Codec = "auto",
    relay_only: bool = False,
) -> RTCPeerConnection:
    """A peer connection that sends the track and receives video.

    Open data channels before `create_offer`. relay_only: use candidates of a TURN server only.
    """
    servers = [
        RTCIceServer(urls=server.url, username=server.username, credential=server.credential)
        for server in ice_servers
    ]
    policy = RTCIceTransportPolicy.RELAY if relay_only else RTCIceTransportPolicy.ALL
    peer = RTCPeerConnection(
        RTCConfiguration(
            iceServers=servers, iceTransportPolicy=policy, bundlePolicy=RTCBundlePolicy.MAX_BUNDLE
        )
    )
    replace_certificate(peer, DtlsCertificate.generateCertificate())
    prefer_codec(peer.addTransceiver(track, direction="sendrecv"), codec)
    return peer


async def create_offer(peer: RTCPeerConnection, *, relay_only: bool = False) -> str:
    """Set and return the offer, with all candidates."""
    if not relay_only:
        use_ports(peer, None)
    count_media_as_consent(peer)
    repair_losses(peer)
    await peer.setLocalDescription(await peer.createOffer())
    return str(peer.localDescription.sdp)


async def set_answer(peer: RTCPeerConnection, answer: str) -> None:
    """Set the answer of the other side. Raises `PeerError` if it does not fit the offer."""
    try:
        await peer.setRemoteDescription(RTCSessionDescription(sdp=answer, type="answer"))
    except Exception as error:  # aiortc raises errors of many kinds for a bad answer
        raise PeerError(f"the answer of the server cannot be used: {error}") from error
