"""Where media comes in: local addresses, a range of UDP ports."""

import asyncio
import ipaddress
import logging
import random
import socket
from collections.abc import Iterator
from typing import Any

from aioice import Candidate
from aioice.candidate import candidate_foundation, candidate_priority
from aioice.ice import Connection, StunProtocol, server_reflexive_candidate
from aiortc import RTCPeerConnection
from aiortc.rtcicetransport import RTCIceTransport

from turbolens.filter import MediaError

logger = logging.getLogger(__name__)

RECEIVE_BUFFER = 1 << 20  # bytes; a key frame comes at once
LOOPBACK = "127.0.0.1"


def transports(peer: RTCPeerConnection) -> Iterator[RTCIceTransport]:
    """Every ICE transport of a peer connection once, those without media too."""
    seen = [transceiver.receiver.transport.transport for transceiver in peer.getTransceivers()]
    if peer.sctp is not None:
        seen.append(peer.sctp.transport.transport)
    yield from dict.fromkeys(seen)


def gather_here(peer: RTCPeerConnection, ports: tuple[int, int] | None) -> None:
    """Let a peer take its UDP ports from this range, and loopback where there is nothing else.

    aioice takes any port and never loopback, and has no option (0.13): its gathering of one
    connection is replaced, after the remote description is set and before the local one is.
    """
    for transport in transports(peer):
        connection = transport.iceGatherer._connection
        setattr(connection, "get_component_candidates", _Gathering(connection, ports).gather)  # noqa: B010


class _Gathering:
    def __init__(self, connection: Connection, ports: tuple[int, int] | None) -> None:
        self._connection, self._ports = connection, ports
        self._elsewhere = connection.get_component_candidates

    async def gather(
        self, component: int, addresses: list[str], timeout: int = 5
    ) -> list[Candidate]:
        """The candidates of one component. Raises `MediaError` where no port is free."""
        hosts = [protocol for address in addresses or [LOOPBACK]
                 if (protocol := await self._open(component, address)) is not None]  # fmt: skip
        if not hosts and (addresses or self._ports):
            raise MediaError(f"no UDP port is free for media{self._range()}; allow more ports")
        self._connection._protocols += hosts
        candidates = [protocol.local_candidate for protocol in hosts]
        others = [self._elsewhere(component, [], timeout)]  # TURN, and no host
        others += [self._reflexive(protocol, timeout) for protocol in hosts]
        for found in await asyncio.gather(*others):
            candidates += found
        return candidates

    def _range(self) -> str:
        return f" from {self._ports[0]} to {self._ports[1]}" if self._ports else ""

    async def _open(self, component: int, address: str) -> StunProtocol | None:
        for port in self._ports_to_try():
            try:
                return await self._open_at(component, address, port)
            except OSError as error:  # noqa: PERF203 - taken by somebody: the next one
                logger.debug("UDP %s port %s: %s", address, port, error)
        return None

    def _ports_to_try(self) -> list[int]:
        if self._ports is None:
            return [0]
        ports = range(self._ports[0], self._ports[1] + 1)
        return random.sample(ports, len(ports))

    async def _open_at(self, component: int, address: str, port: int) -> StunProtocol:
        loop = asyncio.get_running_loop()
        _, protocol = await loop.create_datagram_endpoint(
            lambda: StunProtocol(self._connection), local_addr=(address, port)
        )
        sock = protocol.transport.get_extra_info("socket")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BUFFER)
        host, bound = protocol.transport.get_extra_info("sockname")[:2]
        protocol.local_candidate = Candidate(
            foundation=candidate_foundation("host", "udp", host), component=component,
            transport="udp", priority=candidate_priority(component, "host"),
            host=host, port=bound, type="host",
        )  # fmt: skip
        return protocol

    async def _reflexive(self, protocol: StunProtocol, timeout: int) -> list[Candidate]:
        """What a STUN server sees of a socket; nothing where it does not answer."""
        server: Any = self._connection.stun_server
        if server is None or ipaddress.ip_address(protocol.local_candidate.host).version != 4:
            return []
        try:
            found, _ = await asyncio.wait_for(server_reflexive_candidate(protocol, server), timeout)
        except Exception as error:  # noqa: BLE001 - a server that is away is no reason to fail
            logger.info("the STUN server does not help: %s", error or type(error).__name__)
            return []
        return [found]
