"""`Traffic`: bit rates, lost packets and round-trip time of a peer connection."""

from typing import Any

from aiortc import RTCPeerConnection

from turbolens.pipelines.statistics import Clock

MIN_INTERVAL = 1.0  # seconds between two measurements


class Traffic:
    """Measures a peer connection. Bit rates are averages between two measurements."""

    def __init__(self, peer: RTCPeerConnection, clock: Clock) -> None:
        self._peer, self._clock = peer, clock
        self._bytes = (0, 0)
        self._measured_at = clock()
        self.packets = 0
        """Media packets so far, sent and received."""
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
        """Measure, unless the last measurement is less than a second ago."""
        if self._clock() - self._measured_at < MIN_INTERVAL:
            return
        reports = list((await self._peer.getStats()).values())
        self._measure_bit_rates([each for each in reports if each.type == "transport"])
        self.packets = _total(reports, "inbound-rtp", "packetsReceived")
        self.packets += _total(reports, "outbound-rtp", "packetsSent")
        self.packets_lost = _total(reports, "inbound-rtp", "packetsLost")
        times = [each.roundTripTime for each in reports if each.type == "remote-inbound-rtp"]
        times = [time for time in times if time and time > 0]
        self.round_trip_ms = min(times) * 1000 if times else None

    def _measure_bit_rates(self, transports: list[Any]) -> None:
        now = self._clock()
        received = sum(each.bytesReceived for each in transports)
        sent = sum(each.bytesSent for each in transports)
        seconds = now - self._measured_at
        self.received_kbits = (received - self._bytes[0]) * 8 / 1000 / seconds
        self.sent_kbits = (sent - self._bytes[1]) * 8 / 1000 / seconds
        self._measured_at, self._bytes = now, (received, sent)


def _total(reports: list[Any], kind: str, name: str) -> int:
    """The sum of one value over all reports of a kind."""
    return sum(getattr(each, name) for each in reports if each.type == kind)
