"""GET /metrics of the front door: the replicas of a cluster for Prometheus."""

from collections.abc import Iterator, Sequence

from prometheus_client.core import Metric

from turbolens.pipelines.prometheus import counter, gauge

from .placement import Placement
from .replica_handle import ReplicaHandle


def cluster_metrics(replicas: Sequence[ReplicaHandle], placement: Placement) -> Iterator[Metric]:
    """The metrics of these replicas. Each has its own, too, at its own address."""
    known = {each.name: each.status for each in replicas if each.status is not None}
    yield gauge(
        "turbolens_replica_ready", "1 if the replica takes sessions, else 0.",
        {each.name: each.state == "ready" for each in replicas}, "replica",
    )  # fmt: skip
    yield gauge(
        "turbolens_replica_sessions", "Open sessions.",
        {each.name: len(each.sessions) for each in replicas}, "replica",
    )  # fmt: skip
    yield gauge(
        "turbolens_replica_capacity", "Sessions that the replica can filter at a time.",
        {each.name: each.capacity for each in replicas}, "replica",
    )  # fmt: skip
    yield gauge(
        "turbolens_replica_frame_milliseconds", "Measured time of the filter for one frame.",
        {name: round(1000 * status.frame_seconds, 3)
         for name, status in known.items() if status.frame_seconds is not None}, "replica",
    )  # fmt: skip
    yield counter(
        "turbolens_replica_restarts", "Ends of the replica's process.",
        {each.name: each.restarts for each in replicas}, "replica",
    )  # fmt: skip
    yield counter(
        "turbolens_replica_sessions_opened", "Sessions opened since the replica's start.",
        {name: status.opened for name, status in known.items()}, "replica",
    )  # fmt: skip
    yield counter(
        "turbolens_replica_frames_delivered", "Filtered frames sent since the replica's start.",
        {name: status.delivered for name, status in known.items()}, "replica",
    )  # fmt: skip
    yield counter(
        "turbolens_replica_frames_dropped", "Frames replaced by newer ones.",
        {name: status.dropped for name, status in known.items()}, "replica",
    )  # fmt: skip
    yield counter(
        "turbolens_sessions_refused", "Sessions refused because the cluster was full.",
        placement.refused,
    )  # fmt: skip
