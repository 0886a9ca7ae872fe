"""`turbolens serve --cluster`: the front door of servers on the machines of a Ray cluster."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import typer

from turbolens.pipelines.cluster.connection import Connection, require_ray
from turbolens.pipelines.cluster.live.addresses import (
    PORTS_PER_SESSION,
    AddressPlan,
    OutsideNames,
    ReplicaAddress,
)
from turbolens.pipelines.cluster.nodes import Share
from turbolens.pipelines.webrtc.server.options import ServerOptions

from .options.serve import Tls, host_name

MIN_FPS = 10.0
OBJECT_STORE_BYTES = 100 << 20  # of a local cluster: no media goes through it


@dataclass(frozen=True)
class ServedModel:
    """What every server has: a model, filters of sessions, options and a certificate."""

    load: Callable[[], Any]
    make_filter: Callable[..., Any]
    options: ServerOptions
    tls: Tls | None


@dataclass(frozen=True)
class ReplicaOptions:
    """first_port: of HTTP on each machine; `None` is the port after the front door's."""

    first_port: int | None = None
    names: OutsideNames = field(default_factory=OutsideNames)
    min_fps: float = MIN_FPS
    drain_minutes: float = 10.0


def check_for_cluster(address: str | None, given: Mapping[str, object]) -> None:
    """Raise `typer.BadParameter` for an option that does not work with --cluster.

    address: of the cluster, `None` for none. given: options and their values. Raises
    `SettingsError` if Ray is not installed.
    """
    if address is None:
        return
    for name, value in given.items():
        if value is not None:
            more = ": name the machine by --replica-host" if name == "--public-ip" else ""
            raise typer.BadParameter(f"{name} does not work with --cluster{more}")
    require_ray()


def outside_names(texts: Sequence[str]) -> OutsideNames:
    """The names of machines from NODE=NAME, or NAME for all others."""
    named, every = {}, None
    for text in texts:
        node, separator, name = text.rpartition("=")
        checked = host_name("--replica-host", name)
        if separator:
            named[node] = checked
        else:
            every = checked
    return OutsideNames(named, every)


def run_front_door(
    model: ServedModel,
    *,
    host: str,
    port: int,
    connection: Connection,
    share: Share,
    replicas: ReplicaOptions,
    on_start: Callable[[int], None],
) -> None:
    """Serve until Ctrl-C or SIGTERM. on_start: called with the port of the front door.

    Raises `MediaError` if it cannot listen there, `SettingsError`, and `ClusterError`.
    """
    from turbolens.pipelines.cluster.live.pool import PoolOptions  # noqa: PLC0415 - aiortc
    from turbolens.pipelines.cluster.live.replica import ReplicaPlan  # noqa: PLC0415
    from turbolens.pipelines.cluster.live.serving import FrontDoor  # noqa: PLC0415
    from turbolens.pipelines.webrtc.control.controls import within_limits  # noqa: PLC0415
    from turbolens.pipelines.webrtc.server.running import listening, log_to_stderr  # noqa: PLC0415

    options = model.options
    within_limits(options.settings, options.limits)
    sock = listening(host, port)
    first_port = replicas.first_port
    if first_port is None:
        first_port = port + 1 if port else 0
    plan = ReplicaPlan(
        model.load, model.make_filter, options, ReplicaAddress(host, 0, None, None, None), b"",
        None if model.tls is None else model.tls.pem,
    )  # fmt: skip
    addresses = AddressPlan(
        host, "", first_port, replicas.names, options.udp_ports,
        PORTS_PER_SESSION * options.limits.sessions,
    )  # fmt: skip
    pool = PoolOptions(plan, share, addresses, replicas.min_fps, 60 * replicas.drain_minutes)
    log_to_stderr()
    FrontDoor(connection, sock, pool).run(on_start, _notify)


def _notify(text: str) -> None:
    typer.echo(f"turbolens: {text}", err=True)
