"""What a process that serves needs: a listening socket, aiohttp's runner, and a log."""

import errno
import logging
import socket

from aiohttp import web

from turbolens.filter import MediaError
from turbolens.pipelines.errors import system_reason
from turbolens.pipelines.webrtc.limits import Limits


def listening(host: str, port: int, *, option: str = "--port") -> socket.socket:
    """A listening socket. port: 0 takes any free one. option: the name of the port's option.

    Raises `MediaError` if it cannot listen there.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    both = host == "::" and socket.has_dualstack_ipv6()
    try:
        return socket.create_server((host, port), family=family, dualstack_ipv6=both)
    except OSError as error:
        if error.errno == errno.EADDRNOTAVAIL or (error.errno or 0) < 0:  # < 0: of getaddrinfo
            raise MediaError(
                f"cannot listen at {host}: this machine has no such address; name another --host"
            ) from error
        raise MediaError(
            f"cannot listen at {host} port {port}: {system_reason(error)}; choose another {option},"
            " or 0 for any free one"
        ) from error


def new_runner(
    app: web.Application, limits: Limits, *, shutdown_seconds: float = 3.0
) -> web.AppRunner:
    """The application's runner, without an access log and with the limits' timeouts.

    shutdown_seconds: for requests that are being answered when it ends. aiohttp applies the
    keep-alive timeout to the head of a connection's first request, too.
    """
    return web.AppRunner(
        app, access_log=None, keepalive_timeout=limits.header_seconds,
        lingering_time=1.0, shutdown_timeout=shutdown_seconds,
    )  # fmt: skip


def log_to_stderr() -> None:
    """Log at INFO, but aiortc at WARNING: its DEBUG logs whole offers, with their secrets."""
    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(levelname)s %(message)s")
    logging.getLogger("turbolens").setLevel(logging.INFO)
    for name in ("aiortc", "aioice"):
        logging.getLogger(name).setLevel(logging.WARNING)
