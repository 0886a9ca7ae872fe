"""`ServerOptions`: how a server is reached, and how it sends."""

from dataclasses import dataclass, field

from turbolens.filter import FilterSettings
from turbolens.pipelines.webrtc.limits import Limits
from turbolens.pipelines.webrtc.peer.options import Codec, IceServer


@dataclass(frozen=True)
class ServerOptions:
    """What is the same for every session of a server.

    settings: those that a session begins with. token: what a request must bring, none if anyone
    may. allow_origins: pages of other servers ("https://example.org") that may use this one.
    allow_hosts: names that this server is called by, besides localhost and addresses. bit_rate:
    kilobits a second of one video, at most, either way. codec: which one is preferred. udp_ports:
    first and last port for media, none for any. public_ip: how a router's outside reaches here.
    adapters: which of lora, controlnet and ip_adapter the model has: their dials are shown.
    """

    settings: FilterSettings = field(default_factory=FilterSettings)
    limits: Limits = field(default_factory=Limits)
    token: str | None = field(default=None, repr=False)
    allow_origins: tuple[str, ...] = ()
    allow_hosts: tuple[str, ...] = ()
    ice_servers: tuple[IceServer, ...] = ()
    bit_rate: int = 2500
    codec: Codec = "auto"
    udp_ports: tuple[int, int] | None = None
    public_ip: str | None = None
    adapters: tuple[str, ...] = ()
