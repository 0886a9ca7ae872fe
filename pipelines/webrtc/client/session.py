"""`ClientSession`: one session with a server, from the offer to its end."""

import asyncio
from collections.abc import Callable, Iterable
from contextlib import suppress
from time import monotonic

import av
from aiortc import MediaStreamTrack, RTCPeerConnection
from aiortc.mediastreams import MediaStreamError

from turbolens.pipelines.webrtc.control.channel import LABEL
from turbolens.pipelines.webrtc.control.controls import Data
from turbolens.pipelines.webrtc.peer.connection import close_peer, on_state
from turbolens.pipelines.webrtc.peer.offering import create_offer, create_offering_peer, set_answer
from turbolens.pipelines.webrtc.peer.options import Codec, IceServer
from turbolens.pipelines.webrtc.peer.traffic import Traffic

from .api import ServerApi
from .camera_track import CameraTrack, TimedFrame
from .control import ControlClient, OnAnswer
from .errors import ServerError
from .options import ClientOptions

CONNECT_SECONDS = 15.0
SILENCE_SECONDS = 4.0  # without a frame or a message: the connection is lost
STATISTICS_MS = 1000  # between two messages with the server's statistics
TICK_SECONDS = 0.5
DELETE_SECONDS = 2.0  # to tell the server that the session is over

Deliver = Callable[[av.VideoFrame, float], None]
"""Takes a filtered frame, and when its input was captured (seconds of the monotonic clock)."""


class ClientSession:
    """Sends frames to a server, and passes on its results and events. Used on one event loop.

    deliver: takes each filtered frame. on_event: takes the events of the control channel.
    """

    def __init__(
        self,
        api: ServerApi,
        options: ClientOptions,
        *,
        deliver: Deliver,
        on_event: Callable[[str, Data], None],
    ) -> None:
        self._api, self._options = api, options
        self._deliver, self._on_event = deliver, on_event
        self._track = CameraTrack()
        self._id: str | None = None
        self._control: ControlClient | None = None
        self._peer: RTCPeerConnection | None = None
        loop = asyncio.get_running_loop()
        self._first_state: asyncio.Future[Data] = loop.create_future()
        self._ended: asyncio.Future[str] = loop.create_future()
        self._reading: asyncio.Task[None] | None = None
        self._heard_at = monotonic()
        self.traffic: Traffic | None = None

    async def open(self, settings: Data, ice_servers: Iterable[IceServer]) -> Data:
        """Connect. Returns the first state of the session.

        settings: changes of the server's first settings. ice_servers: those that the server named.
        Raises `PeerError`; call `close` afterwards.
        """
        options = self._options
        self._peer = peer = create_offering_peer(
            self._track, (*options.ice_servers, *ice_servers), codec=_codec(options),
            relay_only=options.relay_only,
        )  # fmt: skip
        self.traffic = Traffic(peer, monotonic)
        self._control = ControlClient(peer.createDataChannel(LABEL), self._event)
        peer.on("track", self._receive)
        on_state(peer, self._state_changed)
        offer = await create_offer(peer, relay_only=options.relay_only)
        answer = await self._api.request(
            "POST", "api/sessions", {"sdp": offer, "settings": settings}
        )
        self._id = str(answer["id"])
        await set_answer(peer, str(answer["sdp"]))
        try:
            first = await asyncio.wait_for(self._first_state, CONNECT_SECONDS)
        except (asyncio.TimeoutError, TimeoutError):
            raise ServerError(
                f"no network path for the video to {options.server.name} was found within "
                f"{CONNECT_SECONDS:g} s; a firewall may block UDP: name a TURN server with --turn"
            ) from None
        self.request("subscribe", {"interval_ms": STATISTICS_MS})
        return first

    def send(self, timed: TimedFrame) -> None:
        """Send a frame, unless a newer one comes before the encoder is ready."""
        self._track.put(timed)

    def request(self, operation: str, params: Data, on_answer: OnAnswer | None = None) -> None:
        """Send a request on the control channel."""
        if self._control is not None:
            self._control.request(operation, params, on_answer)

    async def wait_ended(self) -> str:
        """Wait until the session is over. Returns the reason."""
        while not self._ended.done():
            await asyncio.wait([self._ended], timeout=TICK_SECONDS)
            if self.traffic is not None:
                await self.traffic.measure()
            if monotonic() - self._heard_at > SILENCE_SECONDS:
                self._end(f"nothing was received for {SILENCE_SECONDS:g} s")
        return self._ended.result()

    async def close(self) -> None:
        """End the session, on the server too."""
        self._track.stop()
        if self._id is not None:
            with suppress(ServerError, asyncio.TimeoutError, TimeoutError):
                request = self._api.request("DELETE", f"api/sessions/{self._id}")
                await asyncio.wait_for(request, DELETE_SECONDS)
        if self._peer is not None:
            await close_peer(self._peer)
        if self._reading is not None:
            await self._reading

    def _receive(self, track: MediaStreamTrack) -> None:
        if track.kind == "video":
            self._reading = asyncio.get_running_loop().create_task(self._read(track))

    async def _read(self, track: MediaStreamTrack) -> None:
        with suppress(MediaStreamError):
            while True:
                frame = await track.recv()
                if isinstance(frame, av.VideoFrame):
                    self._heard_at = monotonic()
                    self._deliver(frame, self._track.captured_at(frame))

    def _event(self, event: str, data: Data) -> None:
        self._heard_at = monotonic()
        if event == "state" and not self._first_state.done():
            self._first_state.set_result(data)
        elif event == "closing":
            self._end(str(data.get("reason", "the server has ended the session")))
        else:
            self._on_event(event, data)

    def _state_changed(self, state: str) -> None:
        if state in ("failed", "closed"):
            self._end(f"the connection {state}")

    def _end(self, reason: str) -> None:
        if not self._ended.done():
            self._ended.set_result(reason)
        if not self._first_state.done():
            self._first_state.set_exception(ServerError(f"the session has ended: {reason}"))


def _codec(options: ClientOptions) -> Codec:
    """H.264 unless another codec was chosen: at 1920×1080 libx264 takes less time than VP8."""
    return options.codec if options.codec != "auto" else "h264"
