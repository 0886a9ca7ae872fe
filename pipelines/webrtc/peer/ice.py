"""ICE candidates (RFC 8445): a range of UDP ports, and the loopback address if there is no other.

All candidates are gathered before the answer is sent; there is no trickle ICE (RFC 8838).
"""

import asyncio
import ipaddress
import logging
import random
from collections.abc import Iterator
from itertools import chain

from aioice import Candidate, Connection
from aioice.ice import StunProtocol
from aiortc import RTCIceTransport, RTCPeerConnection

from turbolens.filter import MediaError

from .aiortc_internals import (
    add_host_sockets,
    ice_connection,
    open_host_socket,
    query_reflexive_candidate,
    replace_gathering,
)

logger = logging.getLogger(__name__)

LOOPBACK = "127.0.0.1"
PortRange = tuple[int, int]
"""The first and the last UDP port."""


def ice_transports(peer: RTCPeerConnection) -> Iterator[RTCIceTransport]:
    """Every ICE transport of a peer connection once, that of the data channel included."""
    found = [transceiver.receiver.transport.transport for transceiver in peer.getTransceivers()]
    if peer.sctp is not None:
        found.append(peer.sctp.transport.transport)
    yield from dict.fromkeys(found)


def use_ports(peer: RTCPeerConnection, ports: PortRange | None) -> None:
    """Gather host candidates from this range of UDP ports; any free port if `None`.

    Without a network interface the loopback address is used. Call it after the remote description
    is set and before the local one is.
    """
    for transport in ice_transports(peer):
        connection = ice_connection(transport)
        replace_gathering(connection, CandidateGatherer(connection, ports).gather)


class CandidateGatherer:
    """Gathers the candidates of one aioice connection, in place of aioice's own method.

    In order (RFC 8445, 5.1.1):
    1. host candidates: one UDP socket per local address, on a random free port of the range;
    2. then in parallel: server-reflexive candidates, one STUN query per IPv4 socket, and relayed
       candidates, which aioice's own method gathers from the TURN server.

    A STUN or TURN server that does not answer costs its candidates and nothing else.
    """

    def __init__(self, connection: Connection, ports: PortRange | None) -> None:
        self._connection, self._ports = connection, ports
        self._aioice_gather = connection.get_component_candidates

    async def gather(
        self, component: int, addresses: list[str], timeout: int = 5
    ) -> list[Candidate]:
        """The candidates of one component. addresses: of this machine, without loopback.

        timeout: seconds to wait for a STUN server. Raises `MediaError` if no UDP port is free.
        """
        sockets = await self._open_sockets(component, addresses)
        add_host_sockets(self._connection, sockets)
        relayed = self._aioice_gather(component, [], timeout)  # without addresses: TURN only
        reflexive = [self._reflexive_candidates(each, timeout) for each in sockets]
        found = await asyncio.gather(relayed, *reflexive)
        return [each.local_candidate for each in sockets] + list(chain.from_iterable(found))

    async def _open_sockets(self, component: int, addresses: list[str]) -> list[StunProtocol]:
        """One socket per address that has a free port."""
        opened = [await self._open_socket(component, each) for each in addresses or [LOOPBACK]]
        sockets = [each for each in opened if each is not None]
        if not sockets and (addresses or self._ports):
            ports = f" from {self._ports[0]} to {self._ports[1]}" if self._ports else ""
            raise MediaError(f"no UDP port is free for media{ports}; allow more ports")
        return sockets

    async def _open_socket(self, component: int, address: str) -> StunProtocol | None:
        """A socket on the first port that can be bound; `None` if there is none."""
        for port in self._shuffled_ports():
            try:
                return await open_host_socket(self._connection, component, (address, port))
            except OSError as error:  # noqa: PERF203 - the port is in use
                logger.debug("UDP %s port %s: %s", address, port, error)
        return None

    def _shuffled_ports(self) -> list[int]:
        """The ports to try, in random order; port 0 lets the system choose."""
        if self._ports is None:
            return [0]
        ports = range(self._ports[0], self._ports[1] + 1)
        return random.sample(ports, len(ports))

    async def _reflexive_candidates(self, protocol: StunProtocol, timeout: int) -> list[Candidate]:
        """The public address of an IPv4 socket; empty without a STUN server that answers."""
        server = self._connection.stun_server
        if server is None or not _is_ipv4(protocol):
            return []
        try:
            return [await asyncio.wait_for(query_reflexive_candidate(protocol, server), timeout)]
        except Exception as error:  # noqa: BLE001 - the edge of a task: STUN is optional
            logger.info("the STUN server does not answer: %s", error or type(error).__name__)
            return []


def _is_ipv4(protocol: StunProtocol) -> bool:
    return ipaddress.ip_address(protocol.local_candidate.host).version == 4
