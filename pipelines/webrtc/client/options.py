"""`ClientOptions`: which server a client uses, and how it reaches it."""

import ipaddress
from dataclasses import dataclass, field
from urllib.parse import parse_qs, urlsplit

from turbolens.filter.errors import SettingsError
from turbolens.pipelines.webrtc.peer.options import Codec, IceServer


@dataclass(frozen=True)
class ServerAddress:
    """Where a server listens. path: "" or a path like "/turbolens", without a slash at its end."""

    host: str
    port: int
    secure: bool = True
    path: str = ""

    @property
    def name(self) -> str:
        """Host and port, as in "example.org:8443"."""
        return f"{f'[{self.host}]' if ':' in self.host else self.host}:{self.port}"

    @property
    def url(self) -> str:
        """The URL, without a slash at its end."""
        return f"{'https' if self.secure else 'http'}://{self.name}{self.path}"


@dataclass(frozen=True)
class ClientOptions:
    """Options of a client.

    token: the server's. fingerprint: expected of the key in the server's certificate, "SHA256:…";
    `None` accepts a certificate of a known authority, the key that was remembered, or at first
    contact any key. ice_servers: STUN and TURN servers, besides those of the server. relay_only:
    send media through a TURN server only. codec: the preferred one for video in both
    directions; "auto" is H.264.
    """

    server: ServerAddress
    token: str | None = field(default=None, repr=False)
    fingerprint: str | None = None
    ice_servers: tuple[IceServer, ...] = ()
    relay_only: bool = False
    codec: Codec = "auto"


def parse_server(text: str) -> tuple[ServerAddress, str | None]:
    """The address in a URL, and the token of a link that `turbolens serve` printed, if any.

    Raises `SettingsError` if it is no URL, or if the connection would not be encrypted.
    """
    wanted = f"--server must be like https://HOST:8443, got {text!r}"
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError as error:
        raise SettingsError(wanted) from error
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.query:
        raise SettingsError(wanted)
    secure = parts.scheme == "https"
    if not secure and not is_this_machine(parts.hostname):
        raise SettingsError(
            f"--server must be https:// on another machine, got {text!r}: start turbolens serve "
            "there with --tls-self-signed, or use an SSH tunnel to localhost"
        )
    default = 443 if secure else 80
    address = ServerAddress(parts.hostname, port or default, secure, parts.path.rstrip("/"))
    return address, parse_qs(parts.fragment).get("token", [None])[0]


def is_this_machine(host: str) -> bool:
    """True for localhost and loopback addresses."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")
