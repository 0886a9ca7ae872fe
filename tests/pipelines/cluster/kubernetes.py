"""The manifests in `examples/kubernetes`, and what KubeRay and Kubernetes accept."""

from pathlib import Path
from typing import Any

import yaml

FOLDER = Path(__file__).parents[3] / "examples" / "kubernetes"
KUBERNETES = "1.34"
FIELDS = {
    "cluster": {"rayVersion", "enableInTreeAutoscaling", "autoscalerOptions", "headGroupSpec",
                "workerGroupSpecs"},
    "head": {"rayStartParams", "template"},
    "workers": {"groupName", "replicas", "minReplicas", "maxReplicas", "rayStartParams",
                "template"},
    "job": {"entrypoint", "shutdownAfterJobFinishes", "rayClusterSpec"},
}  # fmt: skip
"""What KubeRay's resources have, as far as it is used here."""


def documents(name: str) -> list[dict[str, Any]]:
    """The resources in a file."""
    return list(yaml.safe_load_all((FOLDER / name).read_text()))


def cluster_of(resource: dict[str, Any]) -> dict[str, Any]:
    """The specification of the cluster in a RayCluster or RayJob."""
    spec: dict[str, Any] = resource["spec"]
    found: dict[str, Any] = spec.get("rayClusterSpec", spec)
    return found


def groups_of(cluster: dict[str, Any]) -> list[dict[str, Any]]:
    """The head's group and those of the workers."""
    return [cluster["headGroupSpec"], *cluster["workerGroupSpecs"]]


def unknown_fields(resource: dict[str, Any]) -> set[str]:
    """Fields of a RayCluster or RayJob that KubeRay would refuse."""
    cluster = cluster_of(resource)
    head, *workers = groups_of(cluster)
    unknown = set(cluster) - FIELDS["cluster"] | set(head) - FIELDS["head"]
    for group in workers:
        unknown |= set(group) - FIELDS["workers"]
    if cluster is not resource["spec"]:
        unknown |= set(resource["spec"]) - FIELDS["job"]
    return unknown


def as_kubernetes_sees_it(resource: dict[str, Any]) -> list[dict[str, Any]]:
    """A resource of Kubernetes itself, or the pods that KubeRay makes."""
    if not resource["apiVersion"].startswith("ray.io/"):
        return [resource]
    return [
        {"apiVersion": "v1", "kind": "Pod", **group["template"]}
        for group in groups_of(cluster_of(resource))
    ]
