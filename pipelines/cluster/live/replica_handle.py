"""`ReplicaHandle`: what the front door knows of one replica."""

import secrets
from dataclasses import dataclass, field
from time import monotonic
from typing import Any, Literal

from turbolens.pipelines.cluster.nodes import Node
from turbolens.pipelines.statistics import Clock
from turbolens.pipelines.webrtc.limits import Limits
from turbolens.pipelines.webrtc.server.tickets import Ticket, signed_ticket

from .addresses import ReplicaAddress
from .cost import capacity
from .replica import OpenSession, ReplicaStatus

State = Literal["starting", "loading", "ready", "draining", "lost"]
PENDING_SECONDS = 15.0  # for a redirected client to open its session


@dataclass(frozen=True)
class Pending:
    """A session that was sent to a replica, and is not there yet."""

    name: str
    kind: str
    until: float


@dataclass(eq=False)
class ReplicaHandle:
    """One replica. name: unique. slot: its number among those of its machine. key: of its tickets.

    status: the last one, `None` while it starts or is lost. is_silent: True while it gives none.
    restarts: how many there were.
    """

    name: str
    node: Node
    slot: int
    address: ReplicaAddress
    limits: Limits
    min_fps: float
    clock: Clock = monotonic
    actor: Any = None
    key: bytes = field(default_factory=lambda: secrets.token_bytes(32), repr=False)
    status: ReplicaStatus | None = None
    is_draining: bool = False
    is_silent: bool = False
    restarts: int = 0
    _heard_at: float = 0.0
    _pending: dict[str, Pending] = field(default_factory=dict)

    @property
    def state(self) -> State:
        """Lost while it does not answer; draining as soon as it was asked to; ready once its model
        is loaded."""
        if self.status is None:
            return "lost" if self.restarts else "starting"
        if self.is_silent:
            return "lost"
        if self.is_draining:
            return "draining"
        return "ready" if self.status.model.get("state") == "ready" else "loading"

    def heard(self, status: ReplicaStatus) -> None:
        """Take a new status."""
        self.status, self._heard_at, self.is_silent = status, self.clock(), False
        for identity in self._pending.keys() & status.done_tickets:
            del self._pending[identity]  # its session is among the status' own, or was refused

    def lost(self) -> None:
        """Note that its process has ended, and its sessions with it."""
        self.status, self.is_silent = None, False
        self.restarts += 1
        self._pending.clear()

    @property
    def sessions(self) -> tuple[OpenSession, ...]:
        """The open ones."""
        return () if self.status is None else self.status.sessions

    @property
    def capacity(self) -> int:
        """How many sessions it filters at a time."""
        seconds = None if self.status is None else self.status.frame_seconds
        return capacity(seconds, min_fps=self.min_fps, limit=self.limits.sessions)

    @property
    def load(self) -> float:
        """The used part of its capacity."""
        filtering = [each for each in self._taken() if each.kind != "whep"]
        return len(filtering) / self.capacity

    def has_room(self, kind: str) -> bool:
        """True if it takes one more session of this kind. Players take nothing of the filter."""
        if self.state != "ready" or len(self._taken()) >= self.limits.sessions:
            return False
        return kind == "whep" or self.load < 1

    def publishes(self, name: str) -> bool:
        """True if a session that is filtered has this name."""
        return any(each.name == name and each.kind != "whep" for each in self._taken())

    def ticket(self, method: str, path: str, origin: str) -> tuple[str, Ticket]:
        """A new ticket for one request. Only for a replica with a status."""
        assert self.status is not None  # noqa: S101
        now = self.status.clock + self.clock() - self._heard_at
        return signed_ticket(self.key, method, path, origin=origin, now=now)

    def expect(self, ticket: Ticket, kind: str, name: str) -> None:
        """Count a session that was sent here."""
        self._pending[ticket.id] = Pending(name, kind, self.clock() + PENDING_SECONDS)

    def _taken(self) -> list[OpenSession | Pending]:
        now = self.clock()
        for identity in [each for each, one in self._pending.items() if one.until < now]:
            del self._pending[identity]
        return [*self.sessions, *self._pending.values()]
