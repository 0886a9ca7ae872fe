"""Connects to a Ray cluster, or starts one on this machine. Ray is imported here only."""

import logging
import os
import signal
import socket
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from zipfile import BadZipFile, ZipFile

from turbolens.filter.errors import SettingsError

from .errors import ClusterError

LOCAL = "local"
LOOPBACK = "127.0.0.2" if sys.platform == "linux" else None
"""Ray replaces 127.0.0.1 by an address in the network. Elsewhere it listens on 127.0.0.1 itself."""
OBJECT_STORE_BYTES = 1 << 30
"""Of `--cluster local`: for the packets of the segments that are in work, and some."""
CONNECT_SECONDS = 5.0
ENVIRONMENT = {
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_DEDUP_LOGS_SKIP_REGEX": ".*",  # else it writes to stdout when a worker ends
    "RAY_SCHEDULER_EVENTS": "0",  # else it writes to the terminal when it adds machines
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",  # else a warning of a coming default
    "RAY_worker_niceness": "0",  # 15 by default, so that other programs stop a worker for seconds
}
"""For Ray, unless they are set."""


@dataclass(frozen=True)
class Connection:
    """How to reach a cluster.

    address: as `ray.init` takes it, "auto" for the one that runs on this machine, or "local" to
    start one here that ends with the connection. wheel: of Turbolens, sent to all nodes. cores,
    object_store_bytes: of a local cluster; `None`: all cores.
    """

    address: str
    wheel: Path | None = None
    cores: int | None = None
    object_store_bytes: int = OBJECT_STORE_BYTES


def require_ray() -> Any:
    """The module Ray. Raises `SettingsError` if it is not installed."""
    if find_spec("ray") is None:
        raise SettingsError("--cluster needs Ray: pip install 'turbolens[cluster]'")
    for name, value in ENVIRONMENT.items():
        os.environ.setdefault(name, value)
    if _has_token():  # `ray start` demands it then, but a driver does not send it by itself
        os.environ.setdefault("RAY_AUTH_MODE", "token")
    return import_module("ray")


def _has_token() -> bool:
    """True if there is a token for clusters on this machine."""
    if "RAY_AUTH_TOKEN" in os.environ or "RAY_AUTH_TOKEN_PATH" in os.environ:
        return True
    return (Path.home() / ".ray" / "auth_token").is_file()


@contextmanager
def connected(connection: Connection) -> Iterator[Any]:
    """Ray, connected to the cluster. Raises `ClusterError` if it cannot be reached."""
    ray = require_ray()
    with ExitStack() as stack:
        options: dict[str, Any] = {"log_to_driver": False, "logging_level": logging.ERROR}
        if connection.wheel is not None:
            folder = stack.enter_context(TemporaryDirectory(prefix="turbolens-"))
            options["runtime_env"] = {"py_modules": [_unpacked(connection.wheel, Path(folder))]}
        if connection.address == LOCAL:
            options.update(
                address=LOCAL, num_cpus=connection.cores, include_dashboard=False,
                object_store_memory=connection.object_store_bytes, _node_ip_address=LOOPBACK,
            )  # fmt: skip
        else:
            _check_reachable(connection.address)
            options["address"] = connection.address
        handler = signal.getsignal(signal.SIGTERM)
        try:
            ray.init(**options)
        except (ConnectionError, RuntimeError, ValueError, OSError) as error:
            raise _error(connection.address, error) from error
        signal.signal(signal.SIGTERM, handler)  # Ray has set its own
        try:
            yield ray
        finally:
            ray.shutdown()


def _check_reachable(address: str) -> None:
    """Raise `ClusterError` if no Ray is at HOST:PORT: Ray itself would try for minutes.

    Ray speaks gRPC, and so must who listens there. Other addresses, such as "auto", are left to
    Ray, and so are clusters with TLS.
    """
    host, separator, port = address.removeprefix("ray://").rpartition(":")
    if not separator or not port.isdecimal():
        return
    try:
        socket.create_connection((host.strip("[]"), int(port)), CONNECT_SECONDS).close()
    except (OSError, OverflowError) as error:
        raise _error(address, error) from error
    if os.environ.get("RAY_USE_TLS", "0") in ("0", "") and find_spec("grpc") is not None:
        _check_speaks_grpc(address, f"{host}:{port}")


def _check_speaks_grpc(address: str, target: str) -> None:
    grpc = import_module("grpc")
    with grpc.insecure_channel(target) as channel:
        try:
            grpc.channel_ready_future(channel).result(CONNECT_SECONDS)
        except grpc.FutureTimeoutError as error:
            silent = OSError("something else listens there")
            raise _error(address, silent) from error


def _error(address: str, error: Exception) -> ClusterError:
    if address == LOCAL:
        return ClusterError(f"Ray cannot be started on this machine: {_first_line(error)}")
    return ClusterError(
        f"there is no Ray cluster at {address} ({_first_line(error)}); start one with"
        " `ray start --head`, or use --cluster local. Its token (`ray get-auth-token`) and version"
        " of Ray must be those of this machine"
    )


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0].rstrip(".")


def _unpacked(wheel: Path, folder: Path) -> str:
    """The package in a wheel, as a folder that Ray sends to every node."""
    try:
        with ZipFile(wheel) as archive:
            archive.extractall(folder)
    except (BadZipFile, OSError) as error:
        raise SettingsError(f"--cluster-wheel {wheel} is not a wheel: {error}") from error
    package = folder / "turbolens"
    if not (package / "__init__.py").is_file():
        raise SettingsError(f"--cluster-wheel {wheel} does not hold the package turbolens")
    return str(package)
