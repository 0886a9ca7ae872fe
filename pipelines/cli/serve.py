"""`turbolens serve`: the filter for browsers, WHIP publishers and WHEP players."""

import asyncio
import signal
import sys
from collections.abc import Callable
from contextlib import nullcontext, suppress
from functools import partial
from ipaddress import ip_address
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from turbolens.filter import FilterSettings
from turbolens.pipelines.cluster.connection import Connection
from turbolens.pipelines.cluster.nodes import Share
from turbolens.pipelines.model_choice import (
    AdapterChoices,
    ModelChoice,
    checked_model,
    load_model,
)
from turbolens.pipelines.osc.server import OscAddress, OscServer
from turbolens.pipelines.webrtc.limits import Limits
from turbolens.pipelines.webrtc.peer.options import Codec
from turbolens.pipelines.webrtc.server.options import ServerOptions

from .front_door import (
    MIN_FPS,
    OBJECT_STORE_BYTES,
    ReplicaOptions,
    ServedModel,
    check_for_cluster,
    outside_names,
    run_front_door,
)
from .options.osc import OscOption, osc_address
from .options.panels import CLUSTER
from .options.serve import (
    Tls,
    is_address,
    is_loopback,
    origin,
    port_range,
    public_address,
    stun_server,
    tls_for,
    token_for,
    turn_server,
)
from .options.shared import with_shared_options
from .usage import usage_errors

if TYPE_CHECKING:
    from aiohttp import web

SERVER, MEDIA = "Server", "Media"
ALL_INTERFACES = ("0.0.0.0", "::")  # noqa: S104


@with_shared_options
def serve(  # noqa: PLR0913 - each one is an option of the command
    *,
    settings: dict[str, Any],
    choice: ModelChoice,
    host: Annotated[str, typer.Option(
        help="Address to listen on. 0.0.0.0: all interfaces.", rich_help_panel=SERVER)]
    = "127.0.0.1",
    port: Annotated[int, typer.Option(
        min=0, max=65535, help="Port to listen on. 0: any free port.",
        rich_help_panel=SERVER)] = 8080,
    token: Annotated[str | None, typer.Option(
        envvar="TURBOLENS_TOKEN", rich_help_panel=SERVER,
        help="Access token, required in every request [default: none on loopback, otherwise "
        "generated].")] = None,
    tls_cert: Annotated[Path | None, typer.Option(
        help="TLS certificate file (PEM), for HTTPS.", rich_help_panel=SERVER)] = None,
    tls_key: Annotated[Path | None, typer.Option(
        help="File of the certificate's key (PEM), if it is not in the same file.",
        rich_help_panel=SERVER)] = None,
    tls_self_signed: Annotated[bool, typer.Option(
        "--tls-self-signed", rich_help_panel=SERVER,
        help="Use HTTPS with a new self-signed certificate. Browsers warn once; turbolens webcam "
        "--server remembers its key.")] = False,
    allow_origin: Annotated[list[str] | None, typer.Option(
        metavar="URL", rich_help_panel=SERVER,
        help="Origin of other web pages that may use this server, for example "
        "https://example.org.")] = None,
    allow_host: Annotated[list[str] | None, typer.Option(
        metavar="NAME", help="A host name under which this server is reached.",
        rich_help_panel=SERVER)]
    = None,
    max_sessions: Annotated[int, typer.Option(
        min=1, max=1000, help="Maximum number of sessions at once.", rich_help_panel=SERVER)] = 8,
    max_minutes: Annotated[float | None, typer.Option(
        min=0.1, help="Maximum length of a session in minutes [default: 720].",
        rich_help_panel=SERVER)] = None,
    stun: Annotated[list[str] | None, typer.Option(
        metavar="HOST[:PORT]", help="A STUN server [default: none].",
        rich_help_panel=MEDIA)] = None,
    turn: Annotated[list[str] | None, typer.Option(
        metavar="USER:PASSWORD@HOST[:PORT]", help="A TURN server, for peers behind firewalls.",
        rich_help_panel=MEDIA)] = None,
    bit_rate: Annotated[int, typer.Option(
        min=100, max=50_000, help="Maximum bit rate of each video in kbit/s.",
        rich_help_panel=MEDIA)] = 2500,
    codec: Annotated[Codec, typer.Option(
        help="Preferred video codec. auto: H.264 with a hardware encoder, else the peer's choice.",
        rich_help_panel=MEDIA)] = "auto",
    udp_ports: Annotated[str | None, typer.Option(
        metavar="FIRST-LAST", help="Range of UDP ports for media [default: any].",
        rich_help_panel=MEDIA)] = None,
    public_ip: Annotated[str | None, typer.Option(
        help="Public address of a router that forwards media to this machine.",
        rich_help_panel=MEDIA)] = None,
    osc: OscOption = None,
    cluster: Annotated[str | None, typer.Option(
        metavar="ADDRESS|auto|local", rich_help_panel=CLUSTER,
        help="Serve from the machines of a Ray cluster; local: from all GPUs of this one. Needs "
             "turbolens[cluster].")] = None,
    cluster_gpu_share: Annotated[float, typer.Option(
        min=0.05, max=1, rich_help_panel=CLUSTER, help="The part of a GPU that a server takes.")]
    = 1.0,
    cluster_cores: Annotated[int, typer.Option(
        min=1, rich_help_panel=CLUSTER,
        help="How many cores a server takes on a machine without a GPU.")] = 4,
    cluster_wheel: Annotated[Path | None, typer.Option(
        metavar="FILE", rich_help_panel=CLUSTER, exists=True, dir_okay=False,
        help="A wheel of Turbolens that is sent to machines on which it is not installed.")] = None,
    replica_port: Annotated[int | None, typer.Option(
        min=0, max=65535, metavar="FIRST", rich_help_panel=CLUSTER,
        help="TCP port of the first server on each machine; others have the next ones. 0: any "
             "[default: --port + 1].")] = None,
    replica_host: Annotated[list[str] | None, typer.Option(
        metavar="[NODE=]NAME", rich_help_panel=CLUSTER,
        help="Name or address under which browsers reach a machine; {node} in it is its name in "
             "Ray [default: its address in the cluster].")] = None,
    min_fps: Annotated[float, typer.Option(
        min=1, max=60, rich_help_panel=CLUSTER,
        help="Filtered frames per second for each session: a server takes as many as it measures "
             "that it can do.")] = MIN_FPS,
    drain_minutes: Annotated[float, typer.Option(
        min=0, rich_help_panel=CLUSTER,
        help="How long sessions may last after SIGTERM, or of a server that is replaced.")]
    = 10.0,
) -> None:  # fmt: skip
    """Serve the filter to browsers, WHIP publishers (OBS) and WHEP players.

    If this machine is too slow for the model's own size in real time, a smaller working size is
    used. --size sets a fixed one.

    With --cluster this command is the front door: it sends each session to one of the servers,
    which it starts on all machines. Media goes there directly.

    Examples:
    turbolens serve
    turbolens serve --host 0.0.0.0 --tls-self-signed
    turbolens serve -p watercolour --stun stun.example.org
    turbolens serve --cluster auto --host 0.0.0.0 --tls-cert all.pem
    """
    with usage_errors():
        choice.adapters.check()
    limits = Limits(sessions=max_sessions)
    if max_minutes is not None:
        limits = Limits(sessions=max_sessions, total_seconds=max_minutes * 60)
    check_for_cluster(cluster, {"--osc": osc, "--public-ip": public_ip})
    local = is_loopback(host) and cluster in (None, "local")
    options = ServerOptions(
        settings=FilterSettings(**choice.with_look(settings)), limits=limits,
        token=token_for(token, local=local),
        allow_origins=tuple(map(origin, allow_origin or ())),
        allow_hosts=(*(allow_host or ()), *(() if is_address(host) else (host,))),
        ice_servers=(*map(stun_server, stun or ()), *map(turn_server, turn or ())),
        bit_rate=bit_rate, codec=codec, udp_ports=port_range(udp_ports),
        public_ip=None if public_ip is None else public_address(public_ip),
        adapters=choice.adapters.kinds,
    )  # fmt: skip
    listen_at = osc_address(osc)
    tls = tls_for(host, tls_cert, tls_key, self_signed=tls_self_signed)
    load, make_filter = _loader(choice), _filters(choice.adapters)
    if cluster is not None:
        run_front_door(
            ServedModel(load, make_filter, options, tls), host=host, port=port,
            connection=Connection(cluster, cluster_wheel, object_store_bytes=OBJECT_STORE_BYTES),
            share=Share(cluster_gpu_share, cluster_cores),
            replicas=ReplicaOptions(replica_port, outside_names(replica_host or ()), min_fps,
                                    drain_minutes),
            on_start=lambda actual: _announce(actual, host, options, tls),
        )  # fmt: skip
        return
    checked_model(choice)  # before the address is printed; a cluster's machines have their own
    from turbolens.pipelines.webrtc.server.app import create_app  # noqa: PLC0415 - aiohttp: after parsing
    from turbolens.pipelines.webrtc.server.running import log_to_stderr  # noqa: PLC0415

    app = create_app(load, options, make_filter=make_filter)
    log_to_stderr()
    asyncio.run(_serve(app, host, port, tls, options, listen_at))


def _filters(adapters: AdapterChoices) -> Callable[[Any, FilterSettings], Any]:
    """A function that makes the filter of a session, with the chosen adapters' images."""
    given = adapters.for_filter()

    def make(model: Any, settings: FilterSettings) -> Any:
        from turbolens.filter import FrameFilter  # noqa: PLC0415 - torch takes seconds

        return FrameFilter(model, settings, **given)

    return make


def _loader(choice: ModelChoice) -> Callable[[], Any]:
    return partial(load_model, choice, live=True, spare_processor=True)


async def _serve(
    app: "web.Application",
    host: str,
    port: int,
    tls: Tls | None,
    options: ServerOptions,
    osc: OscAddress | None = None,
) -> None:
    """Serve until Ctrl-C or SIGTERM, then close every session."""
    from aiohttp import web  # noqa: PLC0415

    from turbolens.pipelines.webrtc.server.running import listening, new_runner  # noqa: PLC0415

    sock = listening(host, port)  # before the model begins to load
    runner = new_runner(app, options.limits)
    await runner.setup()
    try:
        context = None if tls is None else tls.context
        await web.SockSite(runner, sock, ssl_context=context).start()
        _announce(runner.addresses[0][1], host, options, tls)
        with nullcontext() if osc is None else _osc(app, osc):
            await _stopped(app)
        typer.echo("turbolens: closing the sessions …", err=True)
    finally:
        await runner.cleanup()


def _osc(app: "web.Application", address: OscAddress) -> OscServer:
    """Listens for OSC inside a `with` block. Messages change the settings of all sessions."""
    from turbolens.pipelines.webrtc.server.all_sessions import AllSessions  # noqa: PLC0415
    from turbolens.pipelines.webrtc.server.negotiation import SERVER as RUNNING  # noqa: PLC0415

    server = app[RUNNING]
    osc = OscServer(
        AllSessions(server, asyncio.get_running_loop()), address, limits=server.options.limits
    )
    typer.echo(f"turbolens: OSC at {osc.url}")
    return osc


async def _stopped(app: "web.Application") -> None:
    """Wait for Ctrl-C or SIGTERM; a second one kills. Raises the model's loading error."""
    from turbolens.pipelines.webrtc.server.negotiation import SERVER as RUNNING  # noqa: PLC0415

    loop, stop = asyncio.get_running_loop(), asyncio.Event()

    def stop_once(number: signal.Signals) -> None:
        loop.remove_signal_handler(number)
        signal.signal(number, signal.SIG_DFL)
        stop.set()

    if sys.platform != "win32":  # there KeyboardInterrupt cancels us
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, stop_once, number)
    slot = app[RUNNING].slot
    while not stop.is_set():
        if slot.error is not None:
            raise slot.error
        with suppress(asyncio.TimeoutError):
            await asyncio.wait_for(stop.wait(), 0.2)


def _announce(port: int, host: str, options: ServerOptions, tls: Tls | None) -> None:
    secure = tls is not None
    typer.echo(f"turbolens: open {_link(host, port, options.token, secure=secure)}")
    if tls is not None and tls.fingerprint is not None:
        typer.echo(f"turbolens: fingerprint of the server's key: {tls.fingerprint}")
    if is_loopback(host):
        return
    for address in _other_addresses(host):
        link = _link(address, port, options.token, secure=secure)
        typer.echo(f"turbolens: on other machines, open {link}")
    if not secure:
        typer.echo("turbolens: browsers give cameras to HTTPS pages only: --tls-self-signed, or "
                   "--tls-cert FILE", err=True)  # fmt: skip


def _other_addresses(host: str) -> list[str]:
    """The addresses of this machine for other machines, if it listens on all interfaces."""
    if host not in ALL_INTERFACES:
        return []
    from aioice.ice import get_host_addresses  # noqa: PLC0415 - after parsing

    found = get_host_addresses(use_ipv4=True, use_ipv6=host == "::")
    return [each for each in found if not ip_address(each).is_loopback]


def _link(host: str, port: int, token: str | None, *, secure: bool) -> str:
    """The page's address. The token stands after #, so that servers and logs never see it."""
    name = "localhost" if is_loopback(host) or host in ALL_INTERFACES else host
    name = f"[{name}]" if ":" in name else name
    fragment = f"#token={token}" if token else ""
    return f"{'https' if secure else 'http'}://{name}:{port}/{fragment}"
