"""The Kubernetes examples: what Kubernetes and KubeRay need of them."""

from typing import Any

import pytest

import turbolens

from .kubernetes import (
    FOLDER,
    KUBERNETES,
    as_kubernetes_sees_it,
    cluster_of,
    documents,
    groups_of,
    unknown_fields,
)

FILES = sorted(path.name for path in FOLDER.glob("*.yaml"))


def check(resource: dict[str, Any]) -> None:
    """Raise an error for a field or value that the schema of Kubernetes does not have."""
    import kubernetes_validate  # noqa: PLC0415 - loads thousands of schemas

    kubernetes_validate.validate(resource, KUBERNETES, strict=True)


def manifest() -> dict[str, Any]:
    (found,) = documents("raycluster.yaml")
    return found


@pytest.mark.parametrize("name", FILES)
def test_kubernetes_knows_every_field(name: str) -> None:
    for resource in documents(name):
        for seen in as_kubernetes_sees_it(resource):
            check(seen)


@pytest.mark.parametrize(
    ("field", "value"),
    [("hostNetwork", "yes"), ("containers", []), ("hostNetwrk", True)],
)
def test_a_wrong_field_is_found(field: str, value: Any) -> None:
    import kubernetes_validate  # noqa: PLC0415

    pod, *_ = as_kubernetes_sees_it(manifest())
    pod["spec"][field] = value
    if field == "containers":
        del pod["spec"]["containers"]
    with pytest.raises(kubernetes_validate.ValidationError):
        check(pod)


@pytest.mark.parametrize("name", FILES)
def test_kuberay_knows_every_field(name: str) -> None:
    resource, *_ = documents(name)
    assert resource["apiVersion"] == "ray.io/v1"
    assert unknown_fields(resource) == set()
    for group in groups_of(cluster_of(resource)):  # parameters are strings
        assert all(isinstance(value, str) for value in group["rayStartParams"].values())


def test_the_cluster_has_a_head_without_workers_and_groups_that_scale() -> None:
    cluster = cluster_of(manifest())
    assert cluster["enableInTreeAutoscaling"] is True
    assert cluster["headGroupSpec"]["rayStartParams"]["num-cpus"] == "0"
    for group in cluster["workerGroupSpecs"]:
        assert group["minReplicas"] <= group["replicas"] <= group["maxReplicas"]


@pytest.mark.parametrize("name", FILES)
def test_each_worker_has_a_gpu_and_equal_limits(name: str) -> None:
    resource, *_ = documents(name)
    for group in cluster_of(resource)["workerGroupSpecs"]:
        (worker,) = group["template"]["spec"]["containers"]
        assert worker["resources"]["limits"] == worker["resources"]["requests"]
        assert worker["resources"]["limits"]["nvidia.com/gpu"] == "1"


@pytest.mark.parametrize("name", FILES)
def test_all_nodes_have_the_versions_of_the_image(name: str) -> None:
    resource, *_ = documents(name)
    cluster = cluster_of(resource)
    images = {container["image"] for group in groups_of(cluster)
              for container in group["template"]["spec"]["containers"]}  # fmt: skip
    assert images == {f"registry.example.com/turbolens:{turbolens.__version__}"}
    dockerfile = (FOLDER / "Dockerfile").read_text()
    assert f"rayproject/ray:{cluster['rayVersion']}-" in dockerfile
    assert f"turbolens[cluster]=={turbolens.__version__}" in dockerfile


@pytest.mark.parametrize("name", FILES)
def test_volumes_are_declared_and_used(name: str) -> None:
    resource, *_ = documents(name)
    for group in groups_of(cluster_of(resource)):
        pod = group["template"]["spec"]
        declared = {volume["name"] for volume in pod.get("volumes", ())}
        used = {mount["name"] for each in pod["containers"]
                for mount in each.get("volumeMounts", ())}  # fmt: skip
        assert used == declared
