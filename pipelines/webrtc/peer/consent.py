"""Consent to send (RFC 7675): when a connection counts as lost.

aioice sends a STUN request about every five seconds, and closes the connection after six without an
answer. Some publishers, such as FFmpeg's WHIP muxer, answer none once media flows. So media that
was received and authenticated since the last request counts as an answer, too.
"""

import asyncio
import random

from aiortc import RTCIceTransport, RTCPeerConnection

from .aiortc_internals import (
    close_expired_connection,
    ice_connection,
    replace_consent_checks,
    request_consent,
)
from .ice import ice_transports

INTERVAL_SECONDS = 5.0  # between two requests, on average (RFC 7675, 5.1)
MAX_FAILURES = 6  # in a row: consent expires after 30 seconds


def count_media_as_consent(peer: RTCPeerConnection) -> None:
    """Keep a connection while media arrives. Call it before the connection is established."""
    for transport in ice_transports(peer):
        replace_consent_checks(ice_connection(transport), ConsentChecks(peer, transport).run)


class ConsentChecks:
    """Checks the consent of one ICE transport, in place of aioice's own method."""

    def __init__(self, peer: RTCPeerConnection, transport: RTCIceTransport) -> None:
        self._peer, self._transport = peer, transport
        self._packets = 0

    async def run(self) -> None:
        """Check until consent expires, then close the connection."""
        connection = ice_connection(self._transport)
        failures = 0
        while failures < MAX_FAILURES:
            await asyncio.sleep(INTERVAL_SECONDS * random.uniform(0.8, 1.2))  # noqa: S311 - not a secret
            answered = await request_consent(connection)
            received = await self._has_received()
            failures = 0 if answered or received else failures + 1
        await close_expired_connection(connection)

    async def _has_received(self) -> bool:
        """True if authenticated media has arrived on this transport since the last call."""
        last, self._packets = self._packets, await self._received_packets()
        return self._packets > last

    async def _received_packets(self) -> int:
        receivers = [each.receiver for each in self._peer.getTransceivers()]
        reports = [
            report
            for receiver in receivers
            if receiver.transport.transport is self._transport
            for report in (await receiver.getStats()).values()
        ]
        return sum(each.packetsReceived for each in reports if each.type == "inbound-rtp")
