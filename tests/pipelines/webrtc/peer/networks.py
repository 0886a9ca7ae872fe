"""Two network namespaces with a bad link between them; they end with their last user."""

import ctypes
import fcntl
import os
import struct
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TypeVar

from tests.pipelines.webrtc.programs import SCRIPTS, Program, needs, running

CLONE_NEWNET, TUNSETIFF, IFF_TUN, IFF_NO_PI = 0x40000000, 0x400454CA, 0x0001, 0x1000
MTU = 1500
ADDRESSES = ("10.77.0.1", "10.77.0.2")
T = TypeVar("T")
libc = ctypes.CDLL(None, use_errno=True)


def needs_networks() -> None:
    """Skip if this process must not create network namespaces, except in CI."""
    may = os.geteuid() == 0 and Path("/dev/net/tun").exists()
    needs(may, "root, /dev/net/tun and network namespaces")


def elsewhere(work: Callable[[], T]) -> T:
    """The result of `work` on a new thread, whose network namespace may be changed."""
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(work).result()


def _must(result: int) -> None:
    if result:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))


class Network:
    """An unnamed network namespace with a TUN device."""

    def __init__(self, address: str) -> None:
        self.address = address
        self.namespace, self.tun = elsewhere(self._make)

    def _make(self) -> tuple[int, int]:
        _must(libc.unshare(CLONE_NEWNET))
        namespace = os.open("/proc/thread-self/ns/net", os.O_RDONLY)
        tun = os.open("/dev/net/tun", os.O_RDWR)
        fcntl.ioctl(tun, TUNSETIFF, struct.pack("16sH22x", b"line", IFF_TUN | IFF_NO_PI))
        for command in (f"addr add {self.address}/24 dev line", f"link set line mtu {MTU} up",
                        "link set lo up"):  # fmt: skip
            subprocess.run(["ip", *command.split()], check=True)  # noqa: S603, S607
        return namespace, tun

    def within(self, work: Callable[[], T]) -> T:
        """The result of `work` on a thread in this network."""

        def entered() -> T:
            _must(libc.setns(self.namespace, CLONE_NEWNET))
            return work()

        return elsewhere(entered)

    def close(self) -> None:
        """Release it; it ends with its last user."""
        os.close(self.tun)
        os.close(self.namespace)


@asynccontextmanager
async def line(ours: Network, theirs: Network) -> AsyncIterator[Program]:
    """The link between them; `say` changes its delay and loss."""
    tuns = ours.tun, theirs.tun
    script = str(SCRIPTS / "lossy_link.py")
    async with running(sys.executable, script, *map(str, tuns), pass_fds=tuns) as program:
        yield program


def program_within(network: Network, program: str, path: Path) -> Path:
    """A script that runs a program in this network, while this process lives."""
    place = f"/proc/{os.getpid()}/fd/{network.namespace}"
    path.write_text(f'#!/bin/sh\nexec nsenter --net={place} {program} "$@"\n')
    path.chmod(0o755)
    return path
