"""A front door on a thread, before replicas on the three nodes of a real Ray cluster."""

import asyncio
import os
import signal
import socket
from collections.abc import Awaitable, Callable, Iterator
from concurrent.futures import TimeoutError as FutureTimeoutError
from contextlib import contextmanager
from typing import Any, TypeVar

import pytest
from aiohttp import web

from tests.pipelines.cluster.conftest import three_nodes
from tests.pipelines.webrtc.client.conftest import configuration
from tests.pipelines.webrtc.conftest import ShadeModel, new_shade
from turbolens.filter import FilterSettings
from turbolens.pipelines.cluster.connection import Connection, connected
from turbolens.pipelines.cluster.live.addresses import AddressPlan, OutsideNames, ReplicaAddress
from turbolens.pipelines.cluster.live.front_door import create_front_door
from turbolens.pipelines.cluster.live.pool import PoolOptions, ReplicaPool
from turbolens.pipelines.cluster.live.replica import ReplicaPlan
from turbolens.pipelines.cluster.live.replica_handle import ReplicaHandle
from turbolens.pipelines.cluster.nodes import Share, living_nodes
from turbolens.pipelines.webrtc import Limits, ServerOptions
from turbolens.pipelines.webrtc.client.options import ClientOptions, ServerAddress
from turbolens.pipelines.webrtc.server.background import BackgroundServer

__all__ = ["configuration"]  # a fixture

T = TypeVar("T")
TOKEN = "a-token-of-the-cluster"  # noqa: S105
BEARER = {"Authorization": f"Bearer {TOKEN}"}
START = 150.0  # seconds for replicas to start, on a busy machine
REPLICAS = 3
SESSIONS = 2  # of each replica
HALF = FilterSettings(strength=0.5)


class Door:
    """The front door on a thread of its own, with its pool."""

    def __init__(self, ray: Any, options: PoolOptions, notices: list[str]) -> None:
        self.pool = ReplicaPool(ray, options, notices.append)
        self.notices = notices
        self.friend = ""
        """The origin of another page that may use it."""
        app = create_front_door(self.pool)
        app.on_startup.append(self._start)
        app.on_cleanup.append(self._close)
        self.http = BackgroundServer(app)

    async def _start(self, _: web.Application) -> None:
        self.pool.start()

    async def _close(self, _: web.Application) -> None:
        await self.pool.close()

    @property
    def port(self) -> int:
        return self.http.port

    @property
    def base(self) -> str:
        """The address, as `aiohttp.ClientSession` takes it."""
        return self.http.url.rstrip("/")

    def client(self, **options: Any) -> ClientOptions:
        """The options of a client of it."""
        return ClientOptions(
            ServerAddress("127.0.0.1", self.port, secure=False), token=TOKEN, **options
        )

    def call(self, action: Callable[[], Awaitable[T]]) -> T:
        """The result of a coroutine function on the front door's event loop."""
        return self.http.call(action, START)

    def wait_for(self, condition: Callable[[], Any], what: str) -> None:
        """Wait for a state of the replicas."""

        async def wait() -> None:
            while not condition():
                await asyncio.sleep(0.05)

        try:
            self.call(wait)
        except FutureTimeoutError:
            states = [(each.name, each.state, each.sessions) for each in self.pool.replicas]
            raise AssertionError(f"waited in vain for {what}: {states}, {self.notices}") from None

    def ready(self, count: int = REPLICAS) -> None:
        """Wait until so many replicas are ready, without sessions."""
        self.wait_for(
            lambda: (
                sum(each.state == "ready" and each.load == 0 for each in self.pool.replicas)
                == count
            ),
            f"{count} replicas",
        )

    def busy(self) -> list[ReplicaHandle]:
        """The replicas that have sessions."""
        return [each for each in self.pool.replicas if each.sessions]

    def kill(self, replica: ReplicaHandle) -> None:
        """Kill a replica's process, which runs on this machine."""
        assert replica.status is not None
        os.kill(replica.status.process, signal.SIGKILL)


@contextmanager
def front_door(address: str, **options: Any) -> Iterator[Door]:
    """A front door before all nodes of a cluster. options: of the replicas' server."""
    given = ServerOptions(**{"token": TOKEN, "limits": Limits(sessions=SESSIONS), **options})
    with connected(Connection(address)) as ray:
        own = living_nodes(ray.nodes())[ray.get_runtime_context().get_node_id()].address
        plan = ReplicaPlan(ShadeModel, new_shade, given,
                           ReplicaAddress("", 0, None, None, None), b"")  # fmt: skip
        plans = AddressPlan("127.0.0.1", own, 0, OutsideNames())
        door = Door(ray, PoolOptions(plan, Share(cores=1), plans, drain_seconds=30), [])
        with door.http:
            yield door


@pytest.fixture(scope="package")
def door() -> Iterator[Door]:
    """A front door with a token before three replicas, which take two sessions each."""
    with socket.create_server(("127.0.0.1", 0)) as closed_soon:
        friend = f"http://localhost:{closed_soon.getsockname()[1]}"
    with (
        three_nodes() as cluster,
        front_door(cluster.address, settings=HALF, allow_origins=(friend,)) as found,
    ):
        found.friend = friend
        found.ready()
        yield found


@pytest.fixture(autouse=True)
def without_sessions(request: pytest.FixtureRequest) -> Iterator[None]:
    """Wait for the end of a test's sessions."""
    yield
    if "door" in request.fixturenames:
        request.getfixturevalue("door").ready()
