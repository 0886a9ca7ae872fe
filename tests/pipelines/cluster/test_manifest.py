"""The Kubernetes example: what KubeRay needs of a RayCluster."""

from pathlib import Path
from typing import Any

import yaml

import turbolens

FOLDER = Path(__file__).parents[3] / "examples" / "kubernetes"


def manifest() -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.safe_load((FOLDER / "raycluster.yaml").read_text())
    return loaded


def containers(group: dict[str, Any]) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = group["template"]["spec"]["containers"]
    return found


def test_the_cluster_has_a_head_and_groups_that_scale() -> None:
    cluster = manifest()
    assert (cluster["apiVersion"], cluster["kind"]) == ("ray.io/v1", "RayCluster")
    spec = cluster["spec"]
    assert spec["enableInTreeAutoscaling"] is True
    assert spec["headGroupSpec"]["rayStartParams"]["num-cpus"] == "0"  # parameters are strings
    for group in spec["workerGroupSpecs"]:
        assert group["minReplicas"] <= group["replicas"] <= group["maxReplicas"]
        assert all(isinstance(value, str) for value in group["rayStartParams"].values())


def test_each_worker_has_a_gpu_and_equal_limits() -> None:
    for group in manifest()["spec"]["workerGroupSpecs"]:
        (worker,) = containers(group)
        assert worker["resources"]["limits"] == worker["resources"]["requests"]
        assert worker["resources"]["limits"]["nvidia.com/gpu"] == "1"


def test_all_nodes_have_the_versions_of_the_image() -> None:
    spec = manifest()["spec"]
    groups = [spec["headGroupSpec"], *spec["workerGroupSpecs"]]
    images = {each["image"] for group in groups for each in containers(group)}
    assert images == {f"registry.example.com/turbolens:{turbolens.__version__}"}
    dockerfile = (FOLDER / "Dockerfile").read_text()
    assert f"rayproject/ray:{spec['rayVersion']}-" in dockerfile
    assert f"turbolens[cluster]=={turbolens.__version__}" in dockerfile


def test_volumes_are_declared() -> None:
    head = manifest()["spec"]["headGroupSpec"]["template"]["spec"]
    declared = {volume["name"] for volume in head["volumes"]}
    used = {mount["name"] for each in head["containers"] for mount in each["volumeMounts"]}
    assert used <= declared
