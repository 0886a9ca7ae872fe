"""The nodes of a cluster: their names and resources, and which of them cannot work."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import turbolens
from turbolens.pipelines.video.segments.identity import Identity, differences

from . import probe

LOCAL_ONLY = ("device", "dtype")
"""In what nodes may differ, as "auto" chooses by the machine."""


@dataclass(frozen=True)
class Share:
    """What one worker needs. gpus: of a node that has any. cores: of a node without."""

    gpus: float = 1.0
    cores: int = 4

    def workers_on(self, resources: Mapping[str, float]) -> int:
        """How many workers a node can have."""
        gpus, cores = resources.get("GPU", 0.0), int(resources.get("CPU", 0.0))
        if gpus:
            return int(gpus / self.gpus + 1e-6)
        return max(cores // self.cores, min(cores, 1))

    def needs_on(self, resources: Mapping[str, float]) -> dict[str, float]:
        """What a worker takes of this node, by the names of Ray's options."""
        if resources.get("GPU", 0.0):
            return {"num_gpus": self.gpus, "num_cpus": 0}
        return {"num_cpus": min(self.cores, int(resources.get("CPU", 1.0)))}

    def wanted(self, known: Sequence[Mapping[str, float]]) -> list[dict[str, float]]:
        """What a worker on one more machine would take: a GPU where there are any, or cores.

        known: the resources of all nodes. If none has either, both are tried.
        """
        gpu: dict[str, float] = {"num_gpus": self.gpus, "num_cpus": 0}
        cores: dict[str, float] = {"num_cpus": self.cores}
        if any(each.get("GPU") for each in known):
            return [gpu]
        return [cores] if any(each.get("CPU") for each in known) else [gpu, cores]


@dataclass(frozen=True)
class Node:
    """A machine of the cluster. name: unique. address: in the network of the cluster."""

    id: str
    name: str
    resources: Mapping[str, float]
    address: str = ""


def living_nodes(listed: Sequence[Mapping[str, Any]]) -> dict[str, Node]:
    """The nodes that are alive, by their ids. listed: as `ray.nodes()` returns them."""
    alive = [each for each in listed if each["Alive"]]
    names = [_name(each) for each in alive]
    return {
        each["NodeID"]: Node(
            each["NodeID"],
            name if names.count(name) == 1 else f"{name} ({each['NodeID'][:6]})",
            each["Resources"],
            each["NodeManagerAddress"],
        )
        for each, name in zip(alive, names, strict=True)
    }  # fmt: skip


def _name(listed: Mapping[str, Any]) -> str:
    return str(listed.get("NodeName") or listed["NodeManagerAddress"])


def tied_to(ray: Any, node: Node) -> Any:
    """How Ray schedules what must run on this node."""
    strategies = ray.util.scheduling_strategies
    return strategies.NodeAffinitySchedulingStrategy(node.id, soft=False)


def version_probe(ray: Any) -> Any:
    """A remote function that returns `version_refusal`'s argument for the node where it runs."""
    ray.cloudpickle.register_pickle_by_value(probe)
    return ray.remote(num_cpus=0, max_retries=0)(probe.installed_version)


def version_refusal(found: str | None) -> str:
    """Why a node with this version cannot work; "" if it can."""
    wanted = turbolens.__version__
    if found is None:
        return f"Turbolens is not installed: pip install turbolens=={wanted}, or --cluster-wheel"
    if found != wanted:
        return f"it has Turbolens {found} and this machine {wanted}; install the same version"
    return ""


def identity_refusal(found: Identity, wanted: Identity) -> str:
    """Why the results of a node would differ from those of others; "" if they would not."""
    different = [name for name in differences(wanted, found) if name not in LOCAL_ONLY]
    return f"it has another {', '.join(different)}" if different else ""
