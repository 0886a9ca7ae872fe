"""`Session`: one peer with its filter, its control channel and what can be said of it."""

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
from turbolens.pipelines.webrtc.peer.peers import close_peer
from turbolens.pipelines.webrtc.peer.traffic import Traffic

Kind = Literal["browser", "whip", "whep"]
FAREWELL_SECONDS = 0.3  # for the last message to leave, before its channel closes


class Session:
    """One peer connection, and what belongs to it.

    A browser and a publisher (WHIP) have a filter with `controls`, and what they send is in
    `video` and `audio`; a player (WHEP) has none of it.
    """

    def __init__(
        self, kind: Kind, name: str, peer: RTCPeerConnection, limits: Limits, clock: Clock
    ) -> None:
        self.id = secrets.token_urlsafe(16)
        self.kind, self.name, self.peer = kind, name, peer
        self._limits, self._clock = limits, clock
        self.began = self._busy_at = clock()
        self._progress = 0
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
        """Give the session its filter. model: what to say of its model."""
        self.model = model
        self.controls = Controls(
            frame_filter, self._limits, statistics=self.statistics, describe=self.describe
        )
        self.peer.on("datachannel", self._channel_opened)

    @property
    def state(self) -> str:
        """new, connecting, connected, failed or closed."""
        return str(self.peer.connectionState)

    @property
    def seconds(self) -> float:
        """Since it began."""
        return self._clock() - self.began

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
        """Who it is, and what it may do."""
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

    def overdue(self) -> str | None:
        """Why the session must end now, if it must."""
        now, limits = self._clock(), self._limits
        progress = self.traffic.packets
        if progress != self._progress:
            self._progress, self._busy_at = progress, now
        if self.track is not None and isinstance(self.track.error, Exception):
            return _reason(self.track.error)
        if self.state != "connected" and now - self.began > limits.connect_seconds:
            return f"no connection within {limits.connect_seconds:g} s"
        if now - self._busy_at > limits.idle_seconds:
            return f"no picture for {limits.idle_seconds:g} s"
        if limits.total_seconds is not None and now - self.began > limits.total_seconds:
            return f"the time of a session is over ({limits.total_seconds:g} s)"
        return None

    async def tick(self) -> None:
        """Measure, and tell those who subscribed."""
        await self.traffic.measure()
        for channel in self._channels:
            channel.tick()

    def tell(self, event: str, data: Data) -> None:
        """An event for every control channel."""
        for channel in self._channels:
            channel.send_event(event, data)

    async def close(self, reason: str) -> None:
        """Tell the peer why, and end. May be called twice."""
        if self._channels:
            self.tell("closing", {"reason": reason})
            await asyncio.sleep(FAREWELL_SECONDS)
        for relay in (self.video, self.audio):
            if relay is not None:
                relay.stop()
        await close_peer(self.peer)
        for channel in self._channels:
            channel.closed()
        self._channels.clear()

    def _channel_opened(self, channel: RTCDataChannel) -> None:
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
    return str(error) if isinstance(error, FrameError) else "the filter failed; the log says why"
