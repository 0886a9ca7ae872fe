"""`Replica`: a server on a machine of the cluster, as an actor of Ray."""

import asyncio
import os
import secrets
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from time import monotonic
from typing import Any

from turbolens.filter.errors import TurbolensError
from turbolens.pipelines.webrtc.control.controls import Data
from turbolens.pipelines.webrtc.peer.certificate import Pem
from turbolens.pipelines.webrtc.server.api import ServerHost
from turbolens.pipelines.webrtc.server.app import create_app
from turbolens.pipelines.webrtc.server.background import BackgroundServer
from turbolens.pipelines.webrtc.server.model_slot import MakeFilter
from turbolens.pipelines.webrtc.server.negotiation import SERVER, Server
from turbolens.pipelines.webrtc.server.options import ServerOptions
from turbolens.pipelines.webrtc.server.running import log_to_stderr
from turbolens.pipelines.webrtc.server.tickets import Tickets

from .addresses import ReplicaAddress
from .cost import FrameCost

PATIENCE = 8.0  # seconds that the server's event loop may be busy


@dataclass(frozen=True)
class ReplicaPlan:
    """What a replica serves. It must be possible to pickle it.

    load: loads the model. make_filter: see `create_app`. options: of the server, without what
    `address` says. key: of its tickets. pem: for HTTPS.
    """

    load: Callable[[], Any]
    make_filter: MakeFilter
    options: ServerOptions
    address: ReplicaAddress
    key: bytes = field(repr=False)
    pem: Pem | None = None


@dataclass(frozen=True)
class OpenSession:
    """A session of a replica. kind: "browser", "whip" or "whep"."""

    id: str
    kind: str
    name: str


@dataclass(frozen=True)
class ReplicaStatus:
    """The state of a replica.

    refusal: why it cannot serve; "" if it can. incarnation: another one after each start. process:
    its number on its machine. clock: its monotonic clock. model: as `GET api/status` gives it.
    frame_seconds: the measured cost of a frame; `None` before the first. done_tickets: the ids of
    those whose requests were answered.
    """

    incarnation: str
    process: int
    refusal: str = ""
    port: int = 0
    clock: float = 0.0
    model: Data = field(default_factory=dict)
    sessions: tuple[OpenSession, ...] = ()
    frame_seconds: float | None = None
    done_tickets: frozenset[str] = frozenset()
    opened: int = 0
    delivered: int = 0
    dropped: int = 0


class Replica:
    """A server on its own port, which starts at the first call of `status`."""

    def __init__(self, plan: ReplicaPlan) -> None:
        self._plan = plan
        self._incarnation = secrets.token_hex(8)
        self._http: BackgroundServer | None = None
        self._server: Server | None = None
        self._tickets = Tickets(plan.key)
        self._cost = FrameCost()

    def status(self) -> ReplicaStatus:
        """The state of the replica."""
        own = ReplicaStatus(self._incarnation, os.getpid())
        try:
            http, server = self._started()
        except TurbolensError as error:
            return replace(own, refusal=str(error))
        if server.slot.state == "failed":
            return replace(own, refusal=str(server.slot.status()["message"]))
        return http.call(lambda: self._status(own, http.port, server), PATIENCE)

    def sessions(self) -> list[Data]:
        """The state of every session, as `GET api/sessions` gives it."""
        found: list[Data] = self._on_loop(lambda host, _: host.snapshots())
        return found

    def change_settings(self, changes: Data) -> Data:
        """Change the first settings of later sessions. Returns them. Raises `SettingsError`."""

        def change(host: ServerHost, _: Server) -> Data:
            host.change_settings(changes)
            return host.settings().model_dump(mode="json")

        settings: Data = self._on_loop(change)
        return settings

    def drain(self) -> None:
        """Open no more sessions."""
        self._on_loop(lambda _, server: server.sessions.drain())

    def close(self, reason: str) -> None:
        """End all sessions, and the server."""
        http, server = self._started()
        http.call(lambda: server.sessions.close(reason), PATIENCE)
        http.__exit__(None, None, None)

    def _started(self) -> tuple[BackgroundServer, Server]:
        """The server. Raises `MediaError` if it cannot listen at its port."""
        if self._http is None or self._server is None:
            log_to_stderr()
            plan, address = self._plan, self._plan.address
            hosts = () if address.outside is None else (address.outside,)
            options = replace(
                plan.options, tickets=self._tickets, udp_ports=address.udp_ports,
                public_ip=address.public_ip, allow_hosts=(*plan.options.allow_hosts, *hosts),
            )  # fmt: skip
            app = create_app(plan.load, options, make_filter=plan.make_filter)
            http = BackgroundServer(
                app, host=address.host, port=address.port, limits=options.limits,
                tls=None if plan.pem is None else plan.pem.context(),
            )  # fmt: skip
            self._http, self._server = http.__enter__(), app[SERVER]
        return self._http, self._server

    async def _status(self, own: ReplicaStatus, port: int, server: Server) -> ReplicaStatus:
        now, batcher, sessions = monotonic(), server.batcher, server.sessions
        self._cost.add(now, batcher.busy_seconds, batcher.frames)
        return replace(
            own, port=port, clock=now,
            model={**server.slot.describe(), **server.slot.status()},
            sessions=tuple(OpenSession(each.id, each.kind, each.name) for each in sessions),
            frame_seconds=self._cost.seconds(server.slot.frame_seconds),
            done_tickets=self._tickets.done, opened=sessions.opened,
            delivered=sessions.delivered, dropped=sessions.dropped,
        )  # fmt: skip

    def _on_loop(self, action: Callable[[ServerHost, Server], Any]) -> Any:
        http, server = self._started()

        async def act() -> Any:
            await asyncio.sleep(0)
            return action(ServerHost(server), server)

        return http.call(act, PATIENCE)
