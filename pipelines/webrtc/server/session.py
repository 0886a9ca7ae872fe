"""`Session`: one peer connection with its filter, tracks and control channel."""

import asyncio
import secrets
from collections.abc import Callable
from typing import Literal

from aiortc import RTCDataChannel, RTCPeerConnection

from turbolens.filter import FrameError
from turbolens.pipelines.base import AdjustableFilter
from turbolens.pipelines.statistics import Clock, SessionStats, Stats
from turbolens.pipelines.webrtc.control.channel import LABEL, ControlChannel
from turbolens.pipelines.webrtc.control.controls import Controls, Data
from turbolens.pipelines.webrtc.limits import Limits
from turbolens.pipelines.webrtc.media.relay import Relay
from turbolens.pipelines.webrtc.media.tracks import FilteredTrack
from turbolens.pipelines.webrtc.peer.connection import close_peer
from turbolens.pipelines.webrtc.peer.traffic import Traffic

Kind = Literal["browser", "whip", "whep"]
FAREWELL_SECONDS = 0.3  # to send the last message before the channel closes


class Session:
    """One peer connection with its filter, tracks and control channel.

    A browser and a publisher (WHIP) have `controls` of their filter, and relays of the filtered
    `video` and the delayed `audio`. For a player (WHEP) they are `None`.
    """

    def __init__(
        self, kind: Kind, name: str, peer: RTCPeerConnection, *, limits: Limits, clock: Clock
    ) -> None:
        self.id = secrets.token_urlsafe(16)
        self.kind, self.name, self.peer = kind, name, peer
        self._limits, self._clock = limits, clock
        self._started_at = self._active_at = clock()
        self._packets = 0
        self.controls: Controls | None = None
        self.track: FilteredTrack | None = None
        self.video: Relay | None = None
        self.audio: Relay | None = None
        self.players: set[str] = set()
        """The ids of the sessions that play this one."""
        self.traffic = Traffic(peer, clock)
        self._channels: list[ControlChannel] = []
        self.on_end: Callable[[str], None] = lambda reason: None
        self.model: Callable[[], Data] = dict

    def attach(self, frame_filter: AdjustableFilter, model: Callable[[], Data]) -> None:
        """Give the session its filter. model: returns the description of its model."""
        self.model = model
        self.controls = Controls(
            frame_filter, self._limits, statistics=self.statistics, describe=self.describe
        )
        self.peer.on("datachannel", self._channel_opened)

    @property
    def state(self) -> str:
        """The state of the peer connection: new, connecting, connected, failed or closed."""
        return str(self.peer.connectionState)

    @property
    def seconds(self) -> float:
        """Seconds since the session was created."""
        return self._clock() - self._started_at

    def statistics(self) -> SessionStats:
        """Figures of the frames and of the connection."""
        frames, size = Stats(), (0, 0)
        if self.track is not None:
            frames, size = self.track.statistics, self.track.size
        return SessionStats(
            **{**frames.model_dump(), "seconds": self.seconds},
            width=size[0], height=size[1], **self.traffic.data(),
        )  # fmt: skip

    def describe(self) -> Data:
        """The session, its model and its limits, as plain data."""
        return {
            "session": {"id": self.id, "kind": self.kind, "name": self.name, "state": self.state},
            "model": self.model(),
            "limits": {
                "messages_per_second": self._limits.messages_per_second,
                "message_bytes": self._limits.message_bytes,
                "prompt_characters": self._limits.prompt_characters,
                "working_size": self._limits.working_size,
                "total_seconds": self._limits.total_seconds,
            },
        }

    def end_reason(self) -> str | None:
        """Why the session must end now; `None` if it may continue."""
        if self.track is not None and self.track.error is not None:
            return _reason(self.track.error)
        limits, seconds = self._limits, self.seconds
        if self.state != "connected" and seconds > limits.connect_seconds:
            return f"no connection within {limits.connect_seconds:g} s"
        if self._idle_seconds() > limits.idle_seconds:
            return f"no video for {limits.idle_seconds:g} s"
        if limits.total_seconds is not None and seconds > limits.total_seconds:
            return f"the session has reached its limit of {limits.total_seconds:g} s"
        return None

    def _idle_seconds(self) -> float:
        """Seconds since the number of media packets last changed."""
        now = self._clock()
        if self.traffic.packets != self._packets:
            self._packets, self._active_at = self.traffic.packets, now
        return now - self._active_at

    async def tick(self) -> None:
        """Measure the traffic, and send statistics to a subscribed peer."""
        await self.traffic.measure()
        for channel in self._channels:
            channel.tick()

    async def close(self, reason: str) -> None:
        """Send the reason to the peer, and close. May be called twice."""
        if self._channels:
            for channel in self._channels:
                channel.send_event("closing", {"reason": reason})
            await asyncio.sleep(FAREWELL_SECONDS)
        for relay in (self.video, self.audio):
            if relay is not None:
                relay.stop()
        await close_peer(self.peer)
        for channel in self._channels:
            channel.closed()
        self._channels.clear()

    def _channel_opened(self, channel: RTCDataChannel) -> None:
        """Accept one control channel, and close any other data channel."""
        if channel.label != LABEL or self.controls is None or self._channels:
            channel.close()
            return
        control = ControlChannel(
            channel, self.controls, self._limits, clock=self._clock,
            on_flood=lambda: self.on_end("too many messages on the control channel"),
        )  # fmt: skip
        self._channels.append(control)
        channel.on("message", control.receive)
        control.opened()


def _reason(error: Exception) -> str:
    """The message of an error that is about the peer's frames; of others only the log tells."""
    return str(error) if isinstance(error, FrameError) else "the filter failed; the log says why"
