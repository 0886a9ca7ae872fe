"""`Traffic`: the bits, the losses and the round trip of a peer connection."""

from typing import Any

from aiortc import RTCPeerConnection

from turbolens.pipelines.statistics import Clock

INTERVAL = 1.0  # seconds between two measurements


class Traffic:
    """Measures a peer connection now and then. Rates are those between two measurements."""

    def __init__(self, peer: RTCPeerConnection, clock: Clock) -> None:
        self._peer, self._clock = peer, clock
        self._bytes = (0, 0)
        self._at = clock()
        self.packets = 0
        """Media packets, sent and received, so far."""
        self.received_kbits = self.sent_kbits = 0.0
        self.packets_lost = 0
        self.round_trip_ms: float | None = None

    def data(self) -> dict[str, Any]:
        """The last measurement, as plain data."""
        return {
            "received_kbits": round(self.received_kbits, 1),
            "sent_kbits": round(self.sent_kbits, 1),
            "packets_lost": self.packets_lost,
            "round_trip_ms": self.round_trip_ms and round(self.round_trip_ms, 1),
        }

    async def measure(self) -> None:
        """Measure, if the last time is long enough ago for a rate."""
        if self._clock() - self._at < INTERVAL:
            return
        reports = list((await self._peer.getStats()).values())
        transports = [each for each in reports if each.type == "transport"]
        received = sum(each.bytesReceived for each in transports)
        sent = sum(each.bytesSent for each in transports)
        now = self._clock()
        span = now - self._at
        self.received_kbits = (received - self._bytes[0]) * 8 / 1000 / span
        self.sent_kbits = (sent - self._bytes[1]) * 8 / 1000 / span
        self._at, self._bytes = now, (received, sent)
        self.packets = _total(reports, "inbound-rtp", "packetsReceived")
        self.packets += _total(reports, "outbound-rtp", "packetsSent")
        self.packets_lost = _total(reports, "inbound-rtp", "packetsLost")
        times = [each.roundTripTime for each in reports if each.type == "remote-inbound-rtp"]
        times = [time for time in times if time and time > 0]
        self.round_trip_ms = min(times) * 1000 if times else None


def _total(reports: list[Any], kind: str, name: str) -> int:
    return sum(getattr(each, name) for each in reports if each.type == kind)
