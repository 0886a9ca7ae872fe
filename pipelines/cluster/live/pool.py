"""`ReplicaPool`: a replica on each share of every node that can work, as nodes come and go."""

import asyncio
import logging
from collections.abc import Awaitable
from contextlib import suppress
from dataclasses import dataclass, replace
from time import monotonic
from typing import Any

from turbolens.filter import MediaError
from turbolens.pipelines.base import Notify
from turbolens.pipelines.cluster.errors import ClusterError, on_one_line
from turbolens.pipelines.cluster.nodes import (
    Node,
    Share,
    living_nodes,
    tied_to,
    version_probe,
    version_refusal,
)
from turbolens.pipelines.webrtc.control.controls import Data

from .addresses import AddressPlan, free_slot, replica_name
from .replica import Replica, ReplicaPlan, ReplicaStatus
from .replica_handle import ReplicaHandle

NODES_INTERVAL = 2.0  # seconds between two looks at the nodes
STATUS_INTERVAL = 0.5
STATUS_SECONDS = 10.0  # for an answer; then no more sessions are sent there
REFRESH_SECONDS = 2.0
HANGING_SECONDS = 60.0  # without an answer: start it again
ANSWER_SECONDS = 3.0  # for an answer to a question of a client
CLOSE_SECONDS = 10.0
GOODBYE = "the server shuts down"
"""The page connects again after this reason."""
logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class PoolOptions:
    """plan: of every replica; its address and its key are replaced. share: what each takes.

    min_fps: of each session. drain_seconds: for sessions to end by themselves.
    """

    plan: ReplicaPlan
    share: Share
    addresses: AddressPlan
    min_fps: float = 10.0
    drain_seconds: float = 600.0


class ReplicaPool:
    """The replicas of a cluster, on the running event loop. ray: the connected module.

    error: why no node can work; `None` unless that is certain.
    """

    def __init__(self, ray: Any, options: PoolOptions, notify: Notify) -> None:
        self._ray, self.options, self._notify = ray, options, notify
        self._probe = version_probe(ray)
        self._actor = ray.remote(max_restarts=-1, max_task_retries=0)(Replica)
        self._nodes: dict[str, Node] = {}
        self._refused: dict[str, str] = {}
        self._tasks: dict[ReplicaHandle, asyncio.Task[None]] = {}
        self._others: set[asyncio.Task[None]] = set()
        self._changes: Data = {}
        self._ending = False
        self.error: ClusterError | None = None

    @property
    def replicas(self) -> list[ReplicaHandle]:
        """All replicas."""
        return list(self._tasks)

    def start(self) -> None:
        """Start replicas, and look for nodes, until `close`."""
        self._in_background(self._watch_nodes())

    async def refresh(self) -> None:
        """Ask all replicas for their status now; one that does not answer is not waited for."""
        known = [self._ask(each) for each in self.replicas if each.status is not None]
        with suppress(asyncio.TimeoutError, TimeoutError):
            answers = asyncio.gather(*known, return_exceptions=True)
            await asyncio.wait_for(answers, REFRESH_SECONDS)

    async def sessions(self) -> tuple[list[Data], list[str]]:
        """The state of every session, and the names of the replicas that did not answer."""
        answers, silent = await self._of_all("sessions")
        return [session for answer in answers for session in answer], silent

    async def change_settings(self, changes: Data) -> Data:
        """Change the first settings of later sessions, on later replicas too. Returns them.

        One that does not answer changes them when it can. Raises `SettingsError`.
        """
        answers, _ = await self._of_all("change_settings", changes)
        self._changes |= changes
        return answers[0] if answers else {}

    async def drain(self, replica: ReplicaHandle) -> None:
        """Open no more sessions on a replica, wait for the others to end, and replace it."""
        if not replica.is_draining:
            await self._stop_accepting(replica)
            self._in_background(self._replace(replica))

    async def drain_all(self) -> None:
        """Open no more sessions anywhere. Returns when all have ended."""
        self._ending = True
        replicas = self.replicas
        await asyncio.gather(*(self._stop_accepting(each) for each in replicas))
        await asyncio.gather(*(self._drained(each) for each in replicas))

    async def close(self) -> None:
        """End all replicas."""
        self._ending = True
        for task in self._others:
            task.cancel()
        await asyncio.gather(*(self._end(each) for each in self.replicas))

    def _in_background(self, work: Any) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._others.add(task)
        task.add_done_callback(self._others.discard)

    async def _watch_nodes(self) -> None:
        while True:
            try:
                await self._look_at_nodes()
            except Exception:  # the edge of the task
                logger.exception("the nodes of the cluster could not be listed")
            await asyncio.sleep(NODES_INTERVAL)

    async def _look_at_nodes(self) -> None:
        alive = living_nodes(await asyncio.to_thread(self._ray.nodes))
        for identity in self._nodes.keys() - alive.keys():
            self._lose(self._nodes.pop(identity))
        for identity in alive.keys() - self._nodes.keys():
            self._nodes[identity] = node = alive[identity]
            if self.options.share.workers_on(node.resources):
                self._in_background(self._begin_on(node))

    def _lose(self, node: Node) -> None:
        self._refused.pop(node.id, None)
        lost = [each for each in self.replicas if each.node.id == node.id]
        for replica in lost:
            self._tasks.pop(replica).cancel()
        if lost:
            self._notify(f"node {node.name} is lost; its sessions go elsewhere")

    async def _begin_on(self, node: Node) -> None:
        ref = self._probe.options(scheduling_strategy=tied_to(self._ray, node)).remote()
        try:
            refusal = version_refusal(await _result(ref))
        except self._ray.exceptions.RayError as error:
            refusal = f"it runs no task: {on_one_line(error)}"
        if refusal:
            self._refuse(node, refusal)
            return
        for _ in range(self.options.share.workers_on(node.resources)):
            used = {each.slot for each in self.replicas if each.node.address == node.address}
            self._begin(node, free_slot(used))

    def _begin(self, node: Node, slot: int) -> None:
        """Start a replica on a node, unless that is lost or all ends."""
        options = self.options
        if node.id not in self._nodes or self._ending:
            return
        try:
            address = options.addresses.address(node, slot)
        except MediaError as error:
            self._refuse(node, str(error))
            return
        handle = ReplicaHandle(replica_name(node, slot), node, slot, address,
                               options.plan.options.limits, options.min_fps)  # fmt: skip
        handle.actor = self._actor.options(
            scheduling_strategy=tied_to(self._ray, node), **options.share.needs_on(node.resources)
        ).remote(replace(options.plan, address=address, key=handle.key))
        self._tasks[handle] = asyncio.get_running_loop().create_task(self._follow(handle))

    async def _follow(self, replica: ReplicaHandle) -> None:
        """Ask a replica for its status again and again, through restarts."""
        while True:
            try:
                await self._ask(replica, waits=replica.status is None)
            except self._ray.exceptions.ActorDiedError as error:
                if replica.status is None:  # it was not restarted, or never started
                    await self._give_up(
                        replica, f"its replica does not start: {on_one_line(error)}"
                    )
                    return
                self._note_loss(replica)
            except self._ray.exceptions.RayTaskError:  # it is there, but busy
                logger.warning("replica %s gives no status", replica.name, exc_info=True)
            except self._ray.exceptions.RayError:
                if replica.status is not None:
                    self._note_loss(replica)
            except Exception:  # the edge of the task
                logger.exception("replica %s gives no status", replica.name)
            await asyncio.sleep(STATUS_INTERVAL)

    def _note_loss(self, replica: ReplicaHandle) -> None:
        replica.lost()
        self._notify(f"replica {replica.name} is lost; it starts again")

    async def _ask(self, replica: ReplicaHandle, *, waits: bool = False) -> None:
        """Update the status of a replica. waits: for a start, however long it takes.

        Without an answer it gets no sessions, and after a minute it is started again.
        """
        method = replica.actor.status
        ref = method.options(max_task_retries=-1).remote() if waits else method.remote()
        if waits:
            await self._heard(replica, await _result(ref))
            return
        answer = asyncio.ensure_future(_result(ref))
        done, _ = await asyncio.wait([answer], timeout=STATUS_SECONDS)
        if not done:
            logger.warning("replica %s does not answer", replica.name)
            replica.is_silent = True
            done, _ = await asyncio.wait([answer], timeout=HANGING_SECONDS)
        if not done:
            self._ray.kill(replica.actor, no_restart=False)
        await self._heard(replica, await answer)

    async def _heard(self, replica: ReplicaHandle, status: ReplicaStatus) -> None:
        if status.refusal:
            await self._give_up(replica, status.refusal)
            return
        before, state = replica.status, replica.state
        is_new = before is None or before.incarnation != status.incarnation
        if is_new and before is not None:
            self._note_loss(replica)
        if is_new and self._changes:
            await _result(replica.actor.change_settings.remote(self._changes))
        if is_new and replica.is_draining:
            await _result(replica.actor.drain.remote())
        replica.heard(status)
        if replica.state == "ready" != state:
            self._notify(f"replica {replica.name} is ready on port {status.port}")

    async def _give_up(self, replica: ReplicaHandle, why: str) -> None:
        self._ray.kill(replica.actor)
        task = self._tasks.pop(replica, None)
        self._refuse(replica.node, why)
        if task is not None and task is not asyncio.current_task():
            task.cancel()

    def _refuse(self, node: Node, why: str) -> None:
        """Leave out a node. If all are and no replica is left, this is the end."""
        if node.id not in self._refused:
            self._refused[node.id] = why
            self._notify(f"node {node.name} is left out: {why}")
        able = [each for each in self._nodes.values()
                if self.options.share.workers_on(each.resources)]  # fmt: skip
        if not self._tasks and all(each.id in self._refused for each in able):
            reasons = "; ".join(f"{each.name}: {self._refused[each.id]}" for each in able)
            self.error = ClusterError(f"no node of the cluster can work: {reasons}")

    async def _stop_accepting(self, replica: ReplicaHandle) -> None:
        replica.is_draining = True
        with suppress(self._ray.exceptions.RayError):
            if replica.status is not None:
                await _result(replica.actor.drain.remote())

    async def _drained(self, replica: ReplicaHandle) -> None:
        """Wait until a replica has no sessions, or the time is over."""
        deadline = monotonic() + self.options.drain_seconds
        await asyncio.sleep(2 * STATUS_INTERVAL)  # until its status has those that just came
        while replica.sessions and monotonic() < deadline:
            await asyncio.sleep(STATUS_INTERVAL)

    async def _replace(self, replica: ReplicaHandle) -> None:
        await self._drained(replica)
        await self._end(replica)
        self._notify(f"replica {replica.name} is drained; a new one starts")
        self._begin(replica.node, replica.slot)

    async def _end(self, replica: ReplicaHandle) -> None:
        """End a replica and its sessions, which are told that they may connect again."""
        task = self._tasks.pop(replica, None)
        if task is None:
            return
        task.cancel()
        with suppress(self._ray.exceptions.RayError, asyncio.TimeoutError, TimeoutError):
            if replica.status is not None:
                closed = _result(replica.actor.close.remote(GOODBYE))
                await asyncio.wait_for(closed, CLOSE_SECONDS)
        self._ray.kill(replica.actor)

    async def _of_all(self, method: str, *arguments: Any) -> tuple[list[Any], list[str]]:
        """The results of a method of all replicas, without those that have just ended.

        Also returns the names of those that have not answered in `ANSWER_SECONDS`.
        """
        asked = {
            asyncio.ensure_future(_outcome(getattr(each.actor, method).remote(*arguments))): each
            for each in self.replicas
            if each.status is not None
        }
        if not asked:
            return [], []
        done, _ = await asyncio.wait(asked, timeout=ANSWER_SECONDS)
        found = [each.result() for each in asked if each in done]
        for error in found:
            if isinstance(error, self._ray.exceptions.RayTaskError):
                raise error.cause if isinstance(error.cause, Exception) else error
        answers = [each for each in found if not isinstance(each, Exception)]
        return answers, [replica.name for each, replica in asked.items() if each not in done]


async def _outcome(ref: Any) -> Any:
    """The result, or the exception that it is."""
    try:
        return await _result(ref)
    except Exception as error:  # noqa: BLE001 - returned
        return error


async def _result(ref: Any) -> Any:
    pending: Awaitable[Any] = asyncio.wrap_future(ref.future())
    return await pending
