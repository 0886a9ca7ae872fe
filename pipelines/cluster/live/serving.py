"""Runs the front door of a cluster: until Ctrl-C at once, until SIGTERM with draining."""

import asyncio
import signal
import socket
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from typing import Any

from aiohttp import web

from turbolens.pipelines.base import Notify
from turbolens.pipelines.cluster.connection import Connection, connected
from turbolens.pipelines.cluster.nodes import living_nodes
from turbolens.pipelines.webrtc.server.running import new_runner

from .front_door import create_front_door
from .pool import PoolOptions, ReplicaPool

TICK_SECONDS = 0.2


@dataclass(frozen=True)
class FrontDoor:
    """What runs.

    connection: to the cluster. sock: listens. options: of the replicas; the address of this machine
    in the cluster is filled in.
    """

    connection: Connection
    sock: socket.socket
    options: PoolOptions

    def run(self, on_start: Callable[[int], None], notify: Notify) -> None:
        """Serve until Ctrl-C or SIGTERM. on_start: called with the port once it serves.

        Raises `ClusterError` if the cluster cannot be reached, or none of its nodes can work.
        """
        with connected(self.connection) as ray:
            asyncio.run(self._run(ray, on_start, notify))

    async def _run(self, ray: Any, on_start: Callable[[int], None], notify: Notify) -> None:
        plan = self.options.plan
        addresses = replace(self.options.addresses, own_address=_own_address(ray))
        pool = ReplicaPool(ray, replace(self.options, addresses=addresses), notify)
        runner = new_runner(create_front_door(pool), plan.options.limits)
        await runner.setup()
        try:
            context = None if plan.pem is None else plan.pem.context()
            await web.SockSite(runner, self.sock, ssl_context=context).start()
            pool.start()
            on_start(int(runner.addresses[0][1]))
            await _until_stopped(pool, notify)
            notify("closing the sessions …")
        finally:
            await pool.close()
            await runner.cleanup()


def _own_address(ray: Any) -> str:
    """The address of this machine in the cluster."""
    own = ray.get_runtime_context().get_node_id()
    node = living_nodes(ray.nodes()).get(own)
    return "" if node is None else node.address


async def _until_stopped(pool: ReplicaPool, notify: Notify) -> None:
    """Wait for Ctrl-C, or for SIGTERM and the end of all sessions. A second signal ends the wait.

    Raises the pool's error.
    """
    loop, stop, drain = asyncio.get_running_loop(), asyncio.Event(), asyncio.Event()

    def terminated() -> None:
        (stop if drain.is_set() else drain).set()

    with _handling({signal.SIGINT: stop.set, signal.SIGTERM: terminated}):
        await _until(lambda: stop.is_set() or drain.is_set(), pool)
        if stop.is_set():
            return
        notify("no more sessions are opened; waiting for the others to end …")
        draining = loop.create_task(pool.drain_all())
        await _until(lambda: stop.is_set() or draining.done(), pool)
        draining.cancel()
        with suppress(asyncio.CancelledError):
            await draining


@contextmanager
def _handling(handlers: Mapping[signal.Signals, Callable[[], None]]) -> Iterator[None]:
    """Call these on signals. After the block a signal kills, as the end may take long."""
    if sys.platform == "win32":  # there KeyboardInterrupt cancels us
        yield
        return
    loop = asyncio.get_running_loop()
    for number, handler in handlers.items():
        loop.add_signal_handler(number, handler)
    try:
        yield
    finally:
        for number in handlers:
            loop.remove_signal_handler(number)
            signal.signal(number, signal.SIG_DFL)


async def _until(condition: Callable[[], bool], pool: ReplicaPool) -> None:
    while not condition():
        if pool.error is not None:
            raise pool.error
        await asyncio.sleep(TICK_SECONDS)
