"""The Kubernetes example of live sessions: names, ports and options that must agree."""

import shlex
from typing import Any

import typer
from typer.main import get_command

from tests.pipelines.cluster.kubernetes import documents as documents_in
from turbolens.pipelines.cli.serve import serve
from turbolens.pipelines.cluster.live.addresses import PORTS_PER_SESSION
from turbolens.pipelines.webrtc import Limits


def documents() -> tuple[dict[str, Any], dict[str, Any]]:
    job, service = documents_in("raycluster-live.yaml")
    return job, service


def options() -> dict[str, Any]:
    """The options of the command in the manifest."""
    program, command, *arguments = shlex.split(documents()[0]["spec"]["entrypoint"])
    assert (program, command) == ("turbolens", "serve")
    app = typer.Typer()
    app.command()(serve)
    return dict(get_command(app).make_context(command, arguments).params)


def test_the_command_is_understood_and_names_each_machine() -> None:
    given = options()
    assert given["cluster"] == "auto"
    assert given["replica_host"] == ["{node}.gpu.example.com"]
    worker = documents()[0]["spec"]["rayClusterSpec"]["workerGroupSpecs"][0]
    (container,) = worker["template"]["spec"]["containers"]
    assert worker["rayStartParams"]["node-name"] == f"${container['env'][0]['name']}"


def test_the_ports_agree() -> None:
    given, (job, service) = options(), documents()
    cluster = job["spec"]["rayClusterSpec"]
    head = cluster["headGroupSpec"]["template"]
    (front,) = head["spec"]["containers"][0]["ports"]
    assert front["containerPort"] == given["port"]
    assert service["spec"]["ports"][0]["targetPort"] == front["name"]
    assert service["spec"]["selector"].items() <= head["metadata"]["labels"].items()
    worker = cluster["workerGroupSpecs"][0]["template"]["spec"]
    assert worker["hostNetwork"] is True
    (replica,) = worker["containers"][0]["ports"]
    assert replica["containerPort"] == replica["hostPort"] == given["port"] + 1
    first, last = map(int, given["udp_ports"].split("-"))
    assert last - first + 1 >= PORTS_PER_SESSION * Limits().sessions
