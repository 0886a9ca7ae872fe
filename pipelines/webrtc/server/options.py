"""`ServerOptions`: what is the same for every session of a server."""

from dataclasses import dataclass, field

from turbolens.filter import FilterSettings
from turbolens.pipelines.webrtc.limits import Limits
from turbolens.pipelines.webrtc.peer.options import Codec, IceServer

from .tickets import Tickets


@dataclass(frozen=True)
class ServerOptions:
    """Options of a server, for all of its sessions.

    settings: the first settings of a session.
    limits: how much a peer may ask.
    token: required from every request; `None` for none.
    allow_origins: origins of other pages that may use this server, as "https://example.org".
    allow_hosts: host names of this server, besides localhost and IP addresses.
    ice_servers: STUN and TURN servers, for this server and its peers.
    bit_rate: the highest bit rate of one video in either direction, in kilobits per second.
    codec: the preferred video codec.
    udp_ports: the first and the last UDP port for media; `None` for any.
    public_ip: the address of this machine outside its router; `None` if there is no router.
    adapters: those of "lora", "controlnet" and "ip_adapter" that the model has. Settings of the
    others are marked in the schema.
    tickets: of the front door whose redirects this server accepts; `None` for none.
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
    tickets: Tickets | None = field(default=None, repr=False)
