"""The options of `turbolens serve`, from how people write them."""

import ipaddress
import re
import secrets
import ssl
from pathlib import Path

import typer

from turbolens.pipelines.webrtc.peer.options import IceServer


def token_for(given: str | None, *, local: bool) -> str | None:
    """The token: the given one, or a new one where others than this machine can come."""
    if given is None:
        return None if local else secrets.token_urlsafe(24)
    if not re.fullmatch(r"[A-Za-z0-9._~+/=-]{8,256}", given):
        raise typer.BadParameter("--token needs 8 to 256 letters, digits or any of ._~+/=-")
    return given


def tls_for(
    host: str, certificate: Path | None, key: Path | None, *, self_signed: bool
) -> ssl.SSLContext | None:
    """What HTTPS needs, if it is wanted. Raises `MediaError` for files that cannot be used."""
    from turbolens.pipelines.webrtc.peer.certificate import (  # noqa: PLC0415
        self_signed_context,
        tls_context,
    )

    if certificate is not None:
        return tls_context(certificate, key)
    if key is not None:
        raise typer.BadParameter("--tls-key needs --tls-cert")
    return self_signed_context(host) if self_signed else None


def is_address(host: str) -> bool:
    """Whether this is an IP address and no name."""
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach it."""
    return host == "localhost" or (is_address(host) and ipaddress.ip_address(host).is_loopback)


def origin(url: str) -> str:
    """A page's origin, as browsers write it."""
    if not re.fullmatch(r"https?://[^/\s*]+/?", url):
        raise typer.BadParameter(f"--allow-origin is like https://example.org, got {url!r}")
    return url.rstrip("/")


def stun_server(text: str) -> IceServer:
    """HOST or HOST:PORT."""
    if not re.fullmatch(r"(stun:)?[\w.\[\]:-]+", text):
        raise typer.BadParameter(f"--stun is HOST or HOST:PORT, got {text!r}")
    return IceServer(text if text.startswith("stun:") else f"stun:{text}")


def turn_server(text: str) -> IceServer:
    """USER:PASSWORD@HOST or USER:PASSWORD@HOST:PORT."""
    found = re.fullmatch(r"(turns?:)?([^:@\s]+):(\S+)@([\w.\[\]:?=-]+)", text)
    if not found:
        raise typer.BadParameter("--turn is USER:PASSWORD@HOST or USER:PASSWORD@HOST:PORT")
    return IceServer(f"{found[1] or 'turn:'}{found[4]}", found[2], found[3])


def port_range(text: str | None) -> tuple[int, int] | None:
    """FIRST-LAST."""
    if text is None:
        return None
    found = re.fullmatch(r"(\d{1,5})-(\d{1,5})", text)
    if not found or not 1 <= int(found[1]) <= int(found[2]) <= 65535:
        raise typer.BadParameter(f"--udp-ports is FIRST-LAST within 1-65535, got {text!r}")
    return int(found[1]), int(found[2])


def public_address(text: str) -> str:
    """An IP address."""
    if not is_address(text):
        raise typer.BadParameter(f"--public-ip is an address, got {text!r}")
    return text
