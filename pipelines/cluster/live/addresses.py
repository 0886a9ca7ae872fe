"""Under which address and with which ports a replica is reached."""

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from ipaddress import ip_address

from turbolens.filter import MediaError
from turbolens.pipelines.cluster.nodes import Node

PORTS_PER_SESSION = 4  # UDP: some machines have several addresses, and some offers no bundle
ALL_INTERFACES = "0.0.0.0"  # noqa: S104
NODE = "{node}"


@dataclass(frozen=True)
class OutsideNames:
    """Names of the nodes for those who connect.

    named: by the node's name. every: of all others; "{node}" in it is the node's name. `None`: the
    address of the node in the cluster.
    """

    named: Mapping[str, str] = field(default_factory=dict)
    every: str | None = None

    def of(self, node: Node) -> str | None:
        """The name of a node; `None` if none is given."""
        given = self.named.get(node.name, self.every)
        return None if given is None else given.replace(NODE, node.name)


@dataclass(frozen=True)
class ReplicaAddress:
    """Where one replica listens, and how it is reached.

    host: to listen at. port: of HTTP, 0 for any. outside: the name for others; `None` is the name
    by which the front door is reached, as it is on the same machine. udp_ports: for media, `None`
    for any. public_ip: for media, if it differs from the machine's own address.
    """

    host: str
    port: int
    outside: str | None
    udp_ports: tuple[int, int] | None
    public_ip: str | None

    def origin(self, *, secure: bool, port: int, front_host: str) -> str:
        """Scheme, host and port. port: at which it listens. front_host: of the front door."""
        host = self.outside or front_host
        bracketed = f"[{host}]" if ":" in host else host
        return f"{'https' if secure else 'http'}://{bracketed}:{port}"


@dataclass(frozen=True)
class AddressPlan:
    """The addresses of all replicas.

    host: at which the front door listens. own_address: of its machine in the cluster. first_port:
    of HTTP on each machine, 0 for any. udp_ports: on each machine, which its replicas share.
    udp_per_replica: how many of them each takes.
    """

    host: str
    own_address: str
    first_port: int
    names: OutsideNames = field(default_factory=OutsideNames)
    udp_ports: tuple[int, int] | None = None
    udp_per_replica: int = 0

    def address(self, node: Node, slot: int) -> ReplicaAddress:
        """The address of the replica with this number on a machine, counted from 0.

        Raises `MediaError` if the ports are not enough.
        """
        outside = self.names.of(node)
        here = node.address == self.own_address
        if outside is None and not here:
            outside = node.address
        port = self.first_port + slot if self.first_port else 0
        if port > 65535:
            raise MediaError(f"replica {slot + 1} of a machine has no port below 65536; choose a "
                             "lower --replica-port")  # fmt: skip
        public_ip = outside if outside != node.address and _is_address(outside) else None
        return ReplicaAddress(
            self.host if here else ALL_INTERFACES, port, outside, self._udp_ports(slot), public_ip
        )

    def _udp_ports(self, slot: int) -> tuple[int, int] | None:
        if self.udp_ports is None:
            return None
        first, last = self.udp_ports
        begin = first + slot * self.udp_per_replica
        end = begin + self.udp_per_replica - 1
        if end > last:
            raise MediaError(
                f"--udp-ports must have {(slot + 1) * self.udp_per_replica} ports for {slot + 1} "
                f"replicas on a machine, got {last - first + 1}"
            )
        return begin, end


def free_slot(used: Collection[int]) -> int:
    """The lowest number that is not used."""
    return next(number for number in range(len(used) + 1) if number not in used)


def replica_name(node: Node, slot: int) -> str:
    """A name for URLs and metrics, such as "gpu-a-0"."""
    return f"{re.sub(r'[^A-Za-z0-9_.]+', '-', node.name).strip('-')}-{slot}"


def _is_address(text: str | None) -> bool:
    try:
        ip_address(text or "")
    except ValueError:
        return False
    return True
