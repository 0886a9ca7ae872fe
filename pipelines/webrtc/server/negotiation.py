"""`Server`: what the handlers of the routes share, and how an offer becomes a session."""

from dataclasses import dataclass, field
from typing import Any

from aiohttp import web
from aiortc import MediaStreamTrack, RTCPeerConnection, RTCRtpTransceiver

from turbolens.filter import FilterSettings, OfferError
from turbolens.pipelines.base import AdjustableFilter
from turbolens.pipelines.webrtc.control.controls import Data, within_limits
from turbolens.pipelines.webrtc.media.audio import DelayedTrack
from turbolens.pipelines.webrtc.media.batching import FrameBatcher
from turbolens.pipelines.webrtc.media.relay import Relay
from turbolens.pipelines.webrtc.media.tracks import FilteredTrack
from turbolens.pipelines.webrtc.peer.aiortc_internals import offered_direction
from turbolens.pipelines.webrtc.peer.connection import create_answer, create_peer, set_offer
from turbolens.pipelines.webrtc.peer.sdp import checked_offer

from .model_slot import ModelSlot
from .options import ServerOptions
from .session import Kind, Session
from .sessions import Sessions
from .thumbnails import Thumbnails


@dataclass
class Server:
    """The parts of a running server."""

    options: ServerOptions
    slot: ModelSlot
    sessions: Sessions
    batcher: FrameBatcher
    thumbnails: Thumbnails = field(default_factory=Thumbnails)

    @property
    def first_settings(self) -> FilterSettings:
        """The first settings of a session; the default `size` is one that is live here."""
        settings = self.options.settings.with_steps_of(self.slot.steps)
        return settings if settings.size is not None else settings.replace(size=self.slot.live_size)

    def new_settings(self, changes: Data) -> FilterSettings:
        """The first settings of a session, with changes. Raises `SettingsError`."""
        return within_limits(self.first_settings.replace(**changes), self.options.limits)

    async def open_filtering(
        self, kind: Kind, name: str, offer: str, *, changes: Data, sends_back: bool
    ) -> tuple[Session, str]:
        """Open a session that filters the video of a peer. Returns it with the answer.

        changes: of the first settings. sends_back: send the result to the same peer, too. Raises
        `PeerError`, `SettingsError`, `MediaError` and `UnavailableError`.
        """
        offer = checked_offer(offer, candidates=self.options.limits.candidates)
        frame_filter = self.slot.new_filter(self.new_settings(changes))

        async def answer(session: Session) -> str:
            await set_offer(session.peer, offer, receives_only=not sends_back)
            session.attach(frame_filter, self.slot.describe)
            self._connect(session, frame_filter)
            if sends_back:
                _send_back(session)
            return await self._create_answer(session.peer, offer)

        return await self.sessions.open(kind, name, new_peer=self.new_peer, answer=answer)

    async def open_playing(self, name: str, offer: str) -> tuple[Session, str]:
        """Open a session that plays the publisher of this name. Returns it with the answer.

        Raises `PeerError`, `MediaError` and `UnavailableError`.
        """
        offer = checked_offer(offer, candidates=self.options.limits.candidates)
        publisher = self.sessions.publisher(name)

        async def answer(session: Session) -> str:
            await set_offer(session.peer, offer)
            for kind, relay in (("video", publisher.video), ("audio", publisher.audio)):
                transceiver = _first(session.peer, kind, "sendonly", "sendrecv")
                if relay is not None and transceiver is not None:
                    _send(transceiver, relay.subscribe())
            if _first(session.peer, "video", "sendonly", "sendrecv") is None:
                raise OfferError("a player's offer must receive video (recvonly)")
            return await self._create_answer(session.peer, offer)

        session, text = await self.sessions.open(
            "whep", name, new_peer=self.new_peer, answer=answer
        )
        publisher.players.add(session.id)
        return session, text

    def new_peer(self) -> RTCPeerConnection:
        """A peer connection with the server's options."""
        return create_peer(self.options.ice_servers, self.options.codec)

    async def _create_answer(self, peer: RTCPeerConnection, offer: str) -> str:
        options = self.options
        return await create_answer(
            peer,
            offer,
            bit_rate=options.bit_rate,
            udp_ports=options.udp_ports,
            public_ip=options.public_ip,
        )

    def _connect(self, session: Session, frame_filter: AdjustableFilter) -> None:
        """Connect the tracks that the peer sends to the relays of the session."""
        video = _first(session.peer, "video", "recvonly", "sendrecv")
        if video is None:
            raise OfferError("the offer must send video (sendonly or sendrecv)")
        session.track = FilteredTrack(
            video.receiver.track, frame_filter, batcher=self.batcher,
            max_pixels=self.options.limits.frame_pixels,
        )  # fmt: skip
        session.video = Relay(session.track)
        audio = _first(session.peer, "audio", "recvonly", "sendrecv")
        if audio is not None:
            session.audio = Relay(DelayedTrack(audio.receiver.track, lambda: _delay(session)))
        for transceiver in session.peer.getTransceivers():
            if transceiver not in (video, audio):
                transceiver.direction = "inactive"  # its queue would grow without bound


def _delay(session: Session) -> float:
    """Seconds by which the audio is delayed."""
    return session.track.delay if session.track is not None else 0.0


def _send_back(session: Session) -> None:
    """Send the filtered video and the delayed audio to the peer that they come from."""
    for kind, relay in (("video", session.video), ("audio", session.audio)):
        transceiver = _first(session.peer, kind, "sendrecv")
        if relay is not None and transceiver is not None:
            _send(transceiver, relay.subscribe())
    if _first(session.peer, "video", "sendrecv") is None:
        raise OfferError("the offer must send and receive video (sendrecv)")


def _send(transceiver: RTCRtpTransceiver, track: MediaStreamTrack) -> None:
    transceiver.sender.replaceTrack(track)
    receives = transceiver.direction in ("recvonly", "sendrecv") and transceiver.receiver.track
    transceiver.direction = "sendrecv" if receives else "sendonly"


def _first(peer: RTCPeerConnection, kind: str, *directions: str) -> RTCRtpTransceiver | None:
    """The first transceiver of a kind whose offer leaves us one of these directions."""
    for transceiver in peer.getTransceivers():
        if transceiver.kind == kind and offered_direction(transceiver) in directions:
            return transceiver
    return None


SERVER: web.AppKey[Server] = web.AppKey("server", Server)


def server_of(request: web.Request) -> Server:
    """The server of a request."""
    return request.app[SERVER]


def link_headers(server: Server) -> list[str]:
    """The ICE servers as Link headers (RFC 9725, 4.6)."""
    return [_link(each) for each in server.options.ice_servers]


def _link(server: Any) -> str:
    link = f'<{server.url}>; rel="ice-server"'
    if server.username is not None:
        link += f'; username="{server.username}"; credential="{server.credential}"'
        link += '; credential-type="password"'
    return link
