"""Parsing of the options of `turbolens serve`. A bad value raises `typer.BadParameter`."""

import ipaddress
import re
import secrets
import ssl
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import typer

from turbolens.pipelines.webrtc.peer.options import IceServer

if TYPE_CHECKING:
    from turbolens.pipelines.webrtc.peer.certificate import Pem


def token_for(given: str | None, *, local: bool) -> str | None:
    """The given token, or a new one if the server is not on loopback."""
    if given is None:
        return None if local else secrets.token_urlsafe(24)
    if not re.fullmatch(r"[A-Za-z0-9._~+/=-]{8,256}", given):
        raise typer.BadParameter("--token needs 8 to 256 letters, digits or any of ._~+/=-")
    return given


class Tls(NamedTuple):
    """The certificate of a server. fingerprint: of its key if it is self-signed."""

    context: ssl.SSLContext
    pem: "Pem"
    fingerprint: str | None = None


def tls_for(
    host: str, certificate: Path | None, key: Path | None, *, self_signed: bool
) -> Tls | None:
    """The TLS context, or `None` for HTTP. Raises `MediaError` for files that cannot be used."""
    from turbolens.pipelines.webrtc.peer.certificate import (  # noqa: PLC0415
        Pem,
        tls_context,
    )
    from turbolens.pipelines.webrtc.peer.certificate import self_signed as new_certificate  # noqa: PLC0415

    if certificate is not None:
        context = tls_context(certificate, key)
        pem = Pem(certificate.read_bytes(), None if key is None else key.read_bytes())
        return Tls(context, pem)
    if key is not None:
        raise typer.BadParameter("--tls-key needs --tls-cert")
    if not self_signed:
        return None
    pem, fingerprint = new_certificate(host)
    return Tls(pem.context(), pem, fingerprint)


def is_address(host: str) -> bool:
    """True for an IP address, False for a host name."""
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def is_loopback(host: str) -> bool:
    """True if only this machine can reach the address."""
    return host == "localhost" or (is_address(host) and ipaddress.ip_address(host).is_loopback)


def origin(url: str) -> str:
    """The origin of a web page, "https://example.org", without a slash at the end."""
    if not re.fullmatch(r"https?://[^/\s*]+/?", url):
        raise typer.BadParameter(
            f"--allow-origin must be an origin, for example https://example.org, got {url!r}"
        )
    return url.rstrip("/")


def stun_server(text: str) -> IceServer:
    """A STUN server from HOST or HOST:PORT."""
    if not re.fullmatch(r"(stun:)?[\w.\[\]:-]+", text):
        raise typer.BadParameter(f"--stun must be HOST or HOST:PORT, got {text!r}")
    return IceServer(text if text.startswith("stun:") else f"stun:{text}")


def turn_server(text: str) -> IceServer:
    """A TURN server from USER:PASSWORD@HOST or USER:PASSWORD@HOST:PORT."""
    found = re.fullmatch(r"(turns?:)?([^:@\s]+):(\S+)@([\w.\[\]:?=-]+)", text)
    if not found:
        raise typer.BadParameter("--turn must be USER:PASSWORD@HOST or USER:PASSWORD@HOST:PORT")
    return IceServer(f"{found[1] or 'turn:'}{found[4]}", found[2], found[3])


def host_name(option: str, text: str) -> str:
    """A host name or an address; {node} may be a part of it."""
    if not is_address(text) and not re.fullmatch(r"([\w.-]|\{node\})+", text):
        raise typer.BadParameter(f"{option} must be a host name or an address, got {text!r}")
    return text


def port_range(text: str | None) -> tuple[int, int] | None:
    """The first and last port of FIRST-LAST."""
    if text is None:
        return None
    found = re.fullmatch(r"(\d{1,5})-(\d{1,5})", text)
    if not found or not 1 <= int(found[1]) <= int(found[2]) <= 65535:
        raise typer.BadParameter(f"--udp-ports must be FIRST-LAST within 1-65535, got {text!r}")
    return int(found[1]), int(found[2])


def public_address(text: str) -> str:
    """The text, if it is an IP address."""
    if not is_address(text):
        raise typer.BadParameter(f"--public-ip must be an IP address, got {text!r}")
    return text
