"""One worker on each share of every node that can work, as nodes come and go."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from turbolens.pipelines.base import Notify
from turbolens.pipelines.video.segments.identity import Identity

from .errors import ClusterError, on_one_line
from .exits import has_run_out_of_memory
from .nodes import (
    Node,
    Share,
    identity_refusal,
    living_nodes,
    tied_to,
    version_probe,
    version_refusal,
)
from .worker import Load, SegmentWorker, WorkerReport

NODES_INTERVAL = 2.0  # seconds between two looks at the nodes
PATIENCE = 600.0  # seconds without any node that can work; a machine may start that long
LOAD_SECONDS = 900.0  # for a worker to load its model, once it has a place
DEMAND_INTERVAL = 30.0  # seconds between two requests for more machines
DEMAND = 4  # workers that are asked for at a time

T = TypeVar("T")


@dataclass(eq=False)
class Worker(Generic[T]):
    """An actor on a node. task: what it works on. process: see `WorkerReport`.

    was_told: True once it was told to load its model in another dtype than it has chosen.
    loads_since: when it has begun to load its model, and report: the reference of its report, until
    that has come. lost: the tasks that it had when it ended, until it is there again.
    """

    actor: Any
    node: Node
    is_ready: bool = False
    process: int | None = None
    run_up: int | None = None
    task: T | None = None
    was_told: bool = False
    loads_since: float | None = None
    report: Any = None
    lost: list[T] = field(default_factory=list)


class WorkerPool(Generic[T]):
    """The workers of a cluster. Everything happens in `wait`, on one thread.

    ray: the connected module. on_lost: called with a task whose worker has ended. on_killed: called
    with the same task once it is known that the worker ended and not its node. dtypes: by device,
    of an earlier run; all workers on devices of one name have the same. expected: what the identity
    of every worker must hold. load_seconds: how long a worker may load its model. lost_workers,
    lost_nodes: how many there were. identity, run_up, has_textures: see `LoadedFilter`; by the
    first worker that has started.
    """

    def __init__(
        self,
        ray: Any,
        load: Load,
        share: Share,
        *,
        on_lost: Callable[[T], None],
        on_killed: Callable[[T], None],
        notify: Notify,
        dtypes: Mapping[str, str],
        expected: Identity,
    ) -> None:
        self._ray, self._share, self._notify = ray, share, notify
        self._on_lost, self._on_killed = on_lost, on_killed
        self._load, self._dtypes, self._expected = load, dict(dtypes), expected
        self.load_seconds = LOAD_SECONDS
        self._probe = version_probe(ray)
        self._actor = ray.remote(max_restarts=-1, max_task_retries=0)(SegmentWorker)
        self._callbacks: dict[Any, Callable[[Any], None]] = {}
        self._nodes: dict[str, Node] = {}
        self._refused: dict[str, str] = {}
        self.workers: list[Worker[T]] = []
        self.identity: Identity | None = None
        self.run_up: int | None = None
        self.has_textures = False
        self.lost_workers = self.lost_nodes = 0
        self._looked = self._asked = -DEMAND_INTERVAL
        self._worked: float | None = None  # when there was hope for the last time
        self._demand: set[Any] = set()

    @property
    def idle(self) -> list[Worker[T]]:
        """The workers that wait for a task."""
        return [each for each in self.workers if each.is_ready and each.task is None]

    def submit(self, worker: Worker[T], task: T, *, method: str, parcel: Any) -> None:
        """Give a worker a task. parcel: the argument, or a reference to it."""
        worker.task = task
        ref = getattr(worker.actor, method).remote(parcel, self._dtypes)
        self._callbacks[ref] = lambda done: self._task_ended(worker, task, done)

    def wait(self, on_result: Callable[[T, Node, Any], None], seconds: float) -> None:
        """Wait until something happens, at most this long, and deal with it.

        on_result: called with a task, its node and the result, which may be an exception that the
        task has raised. Raises `ClusterError` if no node can work.
        """
        self._on_result = on_result
        self._leave_out_hanging()
        if time.monotonic() - self._looked >= NODES_INTERVAL:
            self._looked = time.monotonic()
            self._look_at_nodes()
        if not self._callbacks:
            time.sleep(seconds)
            return
        refs = list(self._callbacks)
        ready, _ = self._ray.wait(refs, num_returns=1, timeout=seconds, fetch_local=False)
        for ref in ready:
            self._callbacks.pop(ref)(ref)

    def ask_for_more(self) -> None:
        """Let an autoscaler add machines, while all workers are busy and tasks wait.

        It adds machines for tasks that find no room. These do nothing, and end with the driver.
        """
        if self._demand or any(not worker.is_ready for worker in self.workers):
            return
        if time.monotonic() - self._asked < DEMAND_INTERVAL:
            return
        self._asked = time.monotonic()
        for needs in self._share.wanted([node.resources for node in self._nodes.values()]):
            for _ in range(DEMAND):
                ref = self._probe.options(**needs).remote()
                self._demand.add(ref)
                self._callbacks[ref] = self._demand.discard

    def close(self) -> None:
        """End all workers."""
        for worker in self.workers:
            self._ray.kill(worker.actor)
        self.workers, self._callbacks = [], {}

    def _look_at_nodes(self) -> None:
        alive = living_nodes(self._ray.nodes())
        for node_id in self._nodes.keys() - alive.keys():
            self._lose(self._nodes.pop(node_id))
        for node_id in alive.keys() - self._nodes.keys():
            self._nodes[node_id] = node = alive[node_id]
            if self._share.workers_on(node.resources):
                self._ask(node)
        self._check_hope()

    def _check_hope(self) -> None:
        """Raise `ClusterError` if all nodes are refused, or none has come for long."""
        now = time.monotonic()
        if self._worked is None or self.workers or self._callbacks.keys() - self._demand:
            self._worked = now
            return
        refused = {self._nodes[each].name: why for each, why in self._refused.items()
                   if each in self._nodes}  # fmt: skip
        if refused and len(refused) == len(self._nodes):
            reasons = "; ".join(f"{name}: {why}" for name, why in refused.items())
            raise ClusterError(f"no node of the cluster can work: {reasons}")
        if now - self._worked > PATIENCE:
            raise ClusterError(
                f"the cluster has had no node that can work for {PATIENCE:.0f} s (it needs a GPU or"
                " a core that is not in use); `ray status` shows its nodes"
            )

    def _lose(self, node: Node) -> None:
        self.lost_nodes += 1
        self._refused.pop(node.id, None)
        self._notify(f"node {node.name} is lost; its segments are made elsewhere")
        for worker in [each for each in self.workers if each.node.id == node.id]:
            self._drop(worker)

    def _drop(self, worker: Worker[T]) -> None:
        """Forget a worker that will not come back."""
        if worker in self.workers:
            self.workers.remove(worker)
        if worker.task is not None:
            task, worker.task = worker.task, None
            self._on_lost(task)

    def _ask(self, node: Node) -> None:
        ref = self._probe.options(scheduling_strategy=tied_to(self._ray, node)).remote()
        self._callbacks[ref] = lambda done: self._answered(node, done)

    def _answered(self, node: Node, ref: Any) -> None:
        try:
            refusal = version_refusal(self._ray.get(ref))
        except self._ray.exceptions.RayError as error:
            refusal = f"it runs no task: {on_one_line(error)}"
        if refusal:
            self._refuse(node, refusal)
            return
        for _ in range(self._share.workers_on(node.resources)):
            actor = self._actor.options(
                scheduling_strategy=tied_to(self._ray, node), **self._share.needs_on(node.resources)
            ).remote(self._load)
            worker: Worker[T] = Worker(actor, node)
            self.workers.append(worker)
            self._ask_for_report(worker)

    def _refuse(self, node: Node, why: str) -> None:
        if node.id in self._nodes and node.id not in self._refused:
            self._refused[node.id] = why
            self._notify(f"node {node.name} is left out: {why}")

    def _ask_for_report(self, worker: Worker[T]) -> None:
        begun = worker.actor.process.options(max_task_retries=-1).remote()
        self._callbacks[begun] = lambda _: self._let_load(worker)

    def _let_load(self, worker: Worker[T]) -> None:
        """Its process runs, for which it may have waited: the time to load begins."""
        if worker not in self.workers:
            return
        ref = worker.actor.report.options(max_task_retries=-1).remote(self._dtypes)
        worker.loads_since, worker.report = time.monotonic(), ref
        self._callbacks[ref] = lambda done: self._reported(worker, done)

    def _leave_out_hanging(self) -> None:
        for worker in self.workers[:]:
            if worker.loads_since is None:
                continue
            if time.monotonic() - worker.loads_since > self.load_seconds:
                self._callbacks.pop(worker.report)
                self._drop(worker)
                self._ray.kill(worker.actor)
                why = f"its worker has not loaded the model in {self.load_seconds:.0f} s"
                self._refuse(worker.node, why)

    def _reported(self, worker: Worker[T], ref: Any) -> None:
        worker.loads_since = None
        try:
            report: WorkerReport = self._ray.get(ref)
        except self._ray.exceptions.RayError as error:
            self._drop(worker)
            if worker.node.id in self._alive():
                self._refuse(worker.node, f"its worker does not start: {on_one_line(error)}")
            return
        if self._has_another_dtype(report) and not worker.was_told:
            worker.was_told = True
            self._ask_for_report(worker)
            return
        refusal = report.refusal or self._identity_refusal(report)
        if refusal:
            self._drop(worker)
            self._ray.kill(worker.actor)
            self._refuse(worker.node, refusal)
            return
        killed, worker.lost = worker.lost, []
        worker.process, worker.run_up, worker.is_ready = report.process, report.run_up, True
        for task in killed:
            self._on_killed(task)

    def _has_another_dtype(self, report: WorkerReport) -> bool:
        """True if a worker must load its model again: "auto" depends on the load of a machine."""
        identity = report.identity or {}
        device, dtype = identity.get("device", ""), identity.get("dtype", "")
        return self._dtypes.setdefault(device, dtype) != dtype

    def _identity_refusal(self, report: WorkerReport) -> str:
        assert report.identity is not None  # noqa: S101 - it has loaded the model
        found = report.identity
        refusal = identity_refusal(found, {**(self.identity or found), **self._expected})
        if self.identity is None and not refusal:
            self.identity, self.run_up = found, report.run_up
            self.has_textures = report.has_textures
        return refusal

    def _alive(self) -> set[str]:
        return set(living_nodes(self._ray.nodes()))

    def _task_ended(self, worker: Worker[T], task: T, ref: Any) -> None:
        errors = self._ray.exceptions
        if worker.task is not task:
            return  # its node was lost before; the task was given to another worker
        try:
            result = self._ray.get(ref)
        except errors.RayTaskError as error:
            result = error.cause if isinstance(error.cause, Exception) else error
        except errors.RayError:
            self.lost_workers += 1
            for_memory = has_run_out_of_memory(self._ray, worker.node.id, worker.process)
            reason = " (not enough memory)" if for_memory else ""
            self._notify(
                f"a worker on {worker.node.name} has ended{reason}: its segment is made again"
            )
            worker.task, worker.is_ready = None, False
            worker.lost.append(task)
            self._on_lost(task)
            self._ask_for_report(worker)
            return
        worker.task = None
        self._on_result(task, worker.node, result)
