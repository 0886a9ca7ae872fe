"""Options of a peer connection that need no aiortc to be parsed."""

from dataclasses import dataclass, field
from typing import Literal

Codec = Literal["auto", "vp8", "h264"]
"""The preferred video codec; "auto" is H.264 with a hardware encoder, else the peer's choice."""


@dataclass(frozen=True)
class IceServer:
    """A STUN or TURN server that the server and its peers may use.

    url: such as "stun:HOST:PORT" or "turn:HOST:PORT?transport=udp".
    """

    url: str
    username: str | None = None
    credential: str | None = field(default=None, repr=False)

    def for_browsers(self) -> dict[str, str]:
        """As `new RTCPeerConnection({iceServers})` takes it."""
        if self.username is None:
            return {"urls": self.url}
        return {
            "urls": self.url, "username": self.username, "credential": self.credential or "",
        }  # fmt: skip
