"""A cluster of three nodes on this machine, and jobs on it."""

import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest

from tests.pipelines.video.segments.conftest import film
from turbolens.pipelines.cluster.connection import Connection, require_ray
from turbolens.pipelines.cluster.driver import (
    ClusterOptions,
    ClusterSummary,
    Listener,
    run_on_cluster,
)
from turbolens.pipelines.cluster.nodes import Share
from turbolens.pipelines.cluster.pool import LOAD_SECONDS
from turbolens.pipelines.cluster.progress import ClusterProgress
from turbolens.pipelines.video.job import VideoJob, VideoOptions
from turbolens.pipelines.video.segments.segmentation import Segmentation

from . import filters
from .filters import LOSSLESS

__all__ = ["film"]  # a fixture

NODE = {"num_cpus": 1, "object_store_memory": 80 << 20}
PATIENCE = 70.0  # seconds for a step of a job on a busy machine; three are less than a test's limit
SECONDS = Fraction(1, 2)  # of a segment of the film, which has about 16 of them then


@dataclass
class Steps:
    """What must come in a job, one after the other. Names the first that does not."""

    patience: float = PATIENCE
    _begun: float = field(default_factory=time.monotonic, init=False)
    _done: set[str] = field(default_factory=set, init=False)

    def must(self, what: str, is_so: bool) -> None:
        """Fail if this has not come long after the step before it. Call it again and again."""
        if is_so and what not in self._done:
            self._done.add(what)
            self._begun = time.monotonic()
        if not is_so and time.monotonic() - self._begun > self.patience:
            pytest.fail(f"waited in vain: {what}")


@dataclass
class Run:
    """A job on a cluster, and what was heard of it. hook: called with each progress."""

    reports: dict[str, Any] = field(default_factory=dict)
    failures: dict[str, str] = field(default_factory=dict)
    notices: list[str] = field(default_factory=list)
    progress: list[ClusterProgress] = field(default_factory=list)
    summary: ClusterSummary | None = None

    def on(
        self,
        address: str,
        jobs: dict[Path, Path],
        make: Any,
        hook: Callable[[ClusterProgress], None] = lambda _: None,
        *,
        seconds: Fraction = SECONDS,
        load_seconds: float = LOAD_SECONDS,
    ) -> "Run":
        """Filter these inputs into these outputs. make: as `Make`. seconds: of a segment.

        load_seconds: see `ClusterOptions`.
        """
        require_ray().cloudpickle.register_pickle_by_value(filters)

        def heard(progress: ClusterProgress) -> None:
            self.progress.append(progress)
            hook(progress)

        listener = Listener(
            lambda _, text: self.notices.append(text), heard,
            lambda job, report: self.reports.update({job.source: report}),
            lambda job, error: self.failures.update({job.source: str(error)}),
        )  # fmt: skip
        options = ClusterOptions(
            Connection(address), make, Segmentation(seconds), Share(cores=1),
            expected={"model's files": "the same"}, load_seconds=load_seconds,
        )  # fmt: skip
        self.summary = run_on_cluster(
            [VideoJob.prepare(str(source), str(target), VideoOptions(encoding=LOSSLESS))
             for source, target in jobs.items()],
            options, listener, total_files=len(jobs),
        )  # fmt: skip
        return self


@pytest.fixture(scope="module")
def cluster() -> Iterator[Any]:
    """Three nodes of one core each."""
    with three_nodes() as found:
        yield found


@contextmanager
def three_nodes() -> Iterator[Any]:
    """A cluster of three nodes of one core each."""
    with nodes("second", "third") as cluster:
        yield cluster


@contextmanager
def nodes(*others: str, **environment: str) -> Iterator[Any]:
    """A cluster of a head and nodes of these names, of one core each.

    environment: of the processes of Ray, which have no priority here.
    """
    require_ray()
    from ray.cluster_utils import Cluster  # noqa: PLC0415 - takes a second

    root = str(Path(__file__).parents[3])
    with pytest.MonkeyPatch.context() as patch:  # other tests must not find the code by it
        patch.setenv("PYTHONPATH", root, prepend=os.pathsep)
        for name, value in environment.items():
            patch.setenv(name, value)
        make: Any = Cluster  # without types
        cluster = make(initialize_head=True, head_node_args={**NODE, "include_dashboard": False})
        for name in others:
            cluster.add_node(**NODE, node_name=name, wait=False)
        cluster.wait_for_nodes()
        yield cluster
        cluster.shutdown()
