"""`Session`: one peer with its filter; `Sessions`: all of a server, and their limits."""

import asyncio
import logging
import secrets
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import asdict
from time import monotonic
from typing import Any, Literal

from aiortc import RTCDataChannel, RTCPeerConnection

from turbolens.filter import FrameError, NameTakenError, NoSuchSessionError, UnavailableError
from turbolens.pipelines.base import LiveFilter

from .control import LABEL, ControlChannel
from .controls import Controls, Data
from .limits import Limits
from .meter import Clock
from .peers import close_peer, on_state
from .relay import Relay
from .tracks import FilteredTrack
from .traffic import Traffic

logger = logging.getLogger(__name__)

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

    def attach(self, frame_filter: LiveFilter, model: Callable[[], Data]) -> None:
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

    def statistics(self) -> Data:
        """Frames and bits, as plain data."""
        track = asdict(self.track.statistics) if self.track is not None else {}
        return {"seconds": round(self.seconds, 1), **_rounded(track), **self.traffic.data()}

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
            channel.tell(event, data)

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


class Sessions:
    """All sessions of a server: opened within the limits, closed when they must be."""

    def __init__(self, limits: Limits, clock: Clock = monotonic) -> None:
        self._limits, self._clock = limits, clock
        self._sessions: dict[str, Session] = {}
        self._opening: dict[object, str] = {}
        self._closing: set[asyncio.Task[None]] = set()
        self._accepting = True
        self.opened = self.refused = 0
        self._delivered_before = self._dropped_before = 0

    def __len__(self) -> int:
        return len(self._sessions)

    def __iter__(self) -> Iterator[Session]:
        return iter(list(self._sessions.values()))

    def __getitem__(self, identity: str) -> Session:
        """Raises `NoSuchSessionError`."""
        if identity not in self._sessions:
            raise NoSuchSessionError("there is no such session, or it has ended")
        return self._sessions[identity]

    def playable(self, name: str) -> Session:
        """The session that sends under this name. Raises `NoSuchSessionError`."""
        for session in self:
            if session.name == name and session.video is not None:
                return session
        raise NoSuchSessionError(f"nobody sends as {name!r} now; publish first, then play")

    @property
    def delivered(self) -> int:
        """Frames of all sessions, ended ones too."""
        tracks = (each.track for each in self if each.track is not None)
        return self._delivered_before + sum(track.statistics.delivered for track in tracks)

    @property
    def dropped(self) -> int:
        """Frames that were received and not filtered, of all sessions, ended ones too."""
        tracks = (each.track for each in self if each.track is not None)
        return self._dropped_before + sum(track.statistics.dropped for track in tracks)

    async def open(
        self,
        kind: Kind,
        name: str,
        new_peer: Callable[[], RTCPeerConnection],
        answer: Callable[[Session], Awaitable[str]],
    ) -> tuple[Session, str]:
        """A new session and its answer. Raises `UnavailableError` where there is no room.

        A name that sends is taken until it ends: `NameTakenError`. What `answer` raises is passed
        on, after the peer was closed.
        """
        self._check_room()
        if kind != "whep":
            self._check_name(name)
        opening = object()
        self._opening[opening] = "" if kind == "whep" else name
        session = Session(kind, name, new_peer(), self._limits, self._clock)
        try:
            text = await answer(session)
            if not self._accepting:
                raise UnavailableError("the server is shutting down; try again later")
        except BaseException:
            await asyncio.shield(session.close("refused"))
            raise
        finally:
            del self._opening[opening]
        self._sessions[session.id] = session
        self.opened += 1
        session.on_end = lambda reason: self.end(session, reason)
        on_state(session.peer, lambda state: self._state_changed(session, state))
        logger.info("session %s: %s %r begins", session.id[:6], kind, name)
        return session, text

    def _check_room(self) -> None:
        if not self._accepting:
            raise UnavailableError("the server is shutting down; try again later")
        if len(self._sessions) + len(self._opening) >= self._limits.sessions:
            self.refused += 1
            raise UnavailableError(
                f"the server is full: {self._limits.sessions} sessions; try again later"
            )

    def _check_name(self, name: str) -> None:
        taken = {session.name for session in self if session.kind != "whep"}
        if name and name in taken | set(self._opening.values()):
            raise NameTakenError(f"somebody sends as {name!r} already; take another name")

    def _state_changed(self, session: Session, state: str) -> None:
        logger.info("session %s: %s", session.id[:6], state)
        if state in ("failed", "closed"):
            self.end(session, f"the connection {state}")

    def end(self, session: Session, reason: str) -> None:
        """Close a session in the background. It is off the list at once."""
        if self._sessions.pop(session.id, None) is None:
            return
        if session.track is not None:
            self._delivered_before += session.track.statistics.delivered
            self._dropped_before += session.track.statistics.dropped
        logger.info("session %s ends: %s", session.id[:6], reason)
        for identity in session.players:
            if identity in self._sessions:
                self.end(self._sessions[identity], "who sent this has ended")
        task = asyncio.get_running_loop().create_task(session.close(reason))
        self._closing.add(task)
        task.add_done_callback(self._closing.discard)

    async def tick(self) -> None:
        """Measure all sessions, and end those that must."""
        for session in self:
            await session.tick()
            if reason := session.overdue():
                self.end(session, reason)

    async def ended(self) -> None:
        """Wait until everything that is ending has ended."""
        while self._closing:
            await asyncio.wait(set(self._closing))

    async def close(self, reason: str) -> None:
        """End all of them, and open no more."""
        self._accepting = False
        for session in self:
            self.end(session, reason)
        await self.ended()


def _reason(error: Exception) -> str:
    return str(error) if isinstance(error, FrameError) else "the filter failed; the log says why"


def _rounded(values: dict[str, Any]) -> Data:
    return {name: round(value, 2) if isinstance(value, float) else value
            for name, value in values.items()}  # fmt: skip
