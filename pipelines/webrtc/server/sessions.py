"""`Sessions`: all sessions of a server, opened within its limits and closed by them."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterator
from time import monotonic

from aiortc import RTCPeerConnection

from turbolens.filter import NameTakenError, NoSuchSessionError, UnavailableError
from turbolens.pipelines.statistics import Clock
from turbolens.pipelines.webrtc.limits import Limits
from turbolens.pipelines.webrtc.peer.connection import on_state

from .session import Kind, Session

logger = logging.getLogger(__name__)


class Sessions:
    """The open sessions of a server. Iterating gives them; `[id]` gives one."""

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

    def publisher(self, name: str) -> Session:
        """The session that sends video under this name. Raises `NoSuchSessionError`."""
        for session in self:
            if session.name == name and session.video is not None:
                return session
        raise NoSuchSessionError(f"nothing is published as {name!r} now; publish first, then play")

    @property
    def delivered(self) -> int:
        """Frames delivered so far by all sessions, closed ones included."""
        tracks = (each.track for each in self if each.track is not None)
        return self._delivered_before + sum(track.statistics.sent for track in tracks)

    @property
    def dropped(self) -> int:
        """Frames dropped so far by all sessions, closed ones included."""
        tracks = (each.track for each in self if each.track is not None)
        return self._dropped_before + sum(track.statistics.dropped for track in tracks)

    async def open(
        self,
        kind: Kind,
        name: str,
        *,
        new_peer: Callable[[], RTCPeerConnection],
        answer: Callable[[Session], Awaitable[str]],
    ) -> tuple[Session, str]:
        """Open a session. Returns it with the answer to its offer.

        answer: sets up the new session and returns the answer; if it raises, the peer is closed.
        Raises `UnavailableError` if the server is full, and `NameTakenError` if another session
        sends under this name.
        """
        self._check_room()
        if kind != "whep":
            self._check_name(name)
        opening = object()
        self._opening[opening] = "" if kind == "whep" else name
        session = Session(kind, name, new_peer(), limits=self._limits, clock=self._clock)
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
        logger.info("session %s: %s begins", session.id[:6], f"{kind} {name!r}" if name else kind)
        return session, text

    def _check_room(self) -> None:
        if not self._accepting:
            raise UnavailableError("the server is shutting down; try again later")
        if len(self._sessions) + len(self._opening) >= self._limits.sessions:
            self.refused += 1
            raise UnavailableError(
                f"the server is full: it takes {self._limits.sessions} sessions; try again later"
            )

    def _check_name(self, name: str) -> None:
        taken = {session.name for session in self if session.kind != "whep"}
        if name and name in taken | set(self._opening.values()):
            raise NameTakenError(f"{name!r} is published already; choose another name")

    def _state_changed(self, session: Session, state: str) -> None:
        logger.info("session %s: %s", session.id[:6], state)
        if state in ("failed", "closed"):
            self.end(session, f"the connection {state}")

    def end(self, session: Session, reason: str) -> None:
        """Remove a session now, and close it in the background. Its players end with it."""
        if self._sessions.pop(session.id, None) is None:
            return
        if session.track is not None:
            self._delivered_before += session.track.statistics.sent
            self._dropped_before += session.track.statistics.dropped
        logger.info("session %s ends: %s", session.id[:6], reason)
        for other in self:
            other.players.discard(session.id)
        for identity in session.players:
            if identity in self._sessions:
                self.end(self._sessions[identity], "the publisher has ended")
        task = asyncio.get_running_loop().create_task(session.close(reason))
        self._closing.add(task)
        task.add_done_callback(self._closing.discard)

    async def tick(self) -> None:
        """Measure all sessions, and end those beyond a limit. Called several times per second."""
        for session in self:
            await session.tick()
            if reason := session.end_reason():
                self.end(session, reason)

    async def wait_closed(self) -> None:
        """Wait until all ended sessions have closed."""
        while self._closing:
            await asyncio.wait(set(self._closing))

    def drain(self) -> None:
        """Open no more sessions; those that are open go on."""
        self._accepting = False

    async def close(self, reason: str) -> None:
        """End all sessions, and open no more."""
        self._accepting = False
        for session in self:
            self.end(session, reason)
        await self.wait_closed()
