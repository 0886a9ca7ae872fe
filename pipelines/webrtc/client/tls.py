"""How a client recognises its server: a certificate of a known authority, or a remembered key."""

import asyncio
import ssl
from asyncio import Transport

from aiohttp import Fingerprint, ServerDisconnectedError, ServerFingerprintMismatch
from cryptography import x509

from turbolens.filter.errors import MediaError
from turbolens.pipelines.base import Notify
from turbolens.pipelines.errors import system_reason
from turbolens.pipelines.webrtc.peer.certificate import key_fingerprint

from .errors import ServerError
from .known_servers import KnownServers
from .options import ClientOptions, ServerAddress

CONNECT_SECONDS = 10.0


class KeyMismatchError(ServerFingerprintMismatch):
    """The server has another key than the expected one. presented: the fingerprint of its key.

    transport: the connection, which aiohttp closes without waiting for the end.
    """

    def __init__(self, expected: str, presented: str, transport: Transport) -> None:
        super().__init__(expected.encode(), presented.encode(), "", 0)
        self.presented, self.transport = presented, transport


class PinnedKey(Fingerprint):
    """For aiohttp's parameter `ssl`: checks the server's key before anything is sent.

    aiohttp's own class compares the whole certificate, which a server may renew.
    """

    def __init__(self, fingerprint: str) -> None:
        super().__init__(bytes(32))
        self._expected = fingerprint

    def check(self, transport: Transport) -> None:
        """Raise `KeyMismatchError` if the key has another fingerprint."""
        presented = _presented(transport.get_extra_info("ssl_object"))
        if presented != self._expected:
            raise KeyMismatchError(self._expected, presented, transport)


async def trusted_tls(
    options: ClientOptions, known: KnownServers, notify: Notify
) -> Fingerprint | ssl.SSLContext:
    """What aiohttp must check of the server's certificate, as its parameter `ssl`.

    The first contact with a server whose certificate no known authority has signed shows the
    fingerprint of its key and remembers it. Raises `ServerError` and `MediaError`.
    """
    server = options.server
    pin = options.fingerprint or known.fingerprint(server.name)
    context = ssl.create_default_context()
    if not server.secure or pin is not None:
        return context if pin is None else PinnedKey(pin)
    try:
        await _handshake(server, context)
    except ssl.SSLCertVerificationError as error:
        presented = await _handshake(server, _without_verification())
        known.remember(server.name, presented)
        notify(
            f"first contact with {server.name}: its certificate is not from a known authority "
            f"({error.verify_message}). The fingerprint of its key is {presented}; compare it with "
            f"what turbolens serve printed. It is remembered in {known.file}"
        )
        return PinnedKey(presented)
    return context


def changed_key(
    options: ClientOptions, known: KnownServers, presented: str, *, at: ServerAddress
) -> ServerError:
    """The error for a server whose key is not the expected one. at: the server."""
    name = options.server.name
    if at != options.server:
        return ServerError(
            f"{name} redirects to {at.name}, which has another key, with the fingerprint "
            f"{presented}; nothing was sent there",
            permanent=True,
        )
    if options.fingerprint is not None:
        return ServerError(
            f"the key of {name} must have the fingerprint {options.fingerprint}, got {presented}; "
            "nothing was sent",
            permanent=True,
        )
    return ServerError(
        f"the key of {name} has changed: its fingerprint was {known.fingerprint(name)}, and is now "
        f"{presented}. Someone may be listening in, so nothing was sent. If the server has a new "
        f"key on purpose, remove its line from {known.file}",
        permanent=True,
    )


async def _handshake(server: ServerAddress, context: ssl.SSLContext) -> str:
    """Connect, and return the fingerprint of the server's key.

    Raises `ServerError`, and `SSLCertVerificationError` if the context verifies certificates.
    """
    try:
        _, writer = await asyncio.wait_for(
            asyncio.open_connection(server.host, server.port, ssl=context), CONNECT_SECONDS
        )
    except ssl.SSLCertVerificationError:
        raise
    except (OSError, asyncio.TimeoutError) as error:
        raise unreachable(server, error) from error
    try:
        return _presented(writer.get_extra_info("ssl_object"))
    finally:
        writer.transport.abort()


def unreachable(server: ServerAddress, error: BaseException) -> ServerError:
    """The error for a server that cannot be connected to, or is cut off."""
    if isinstance(error, ssl.SSLError):
        return ServerError(
            f"{server.name} does not answer with HTTPS; start turbolens serve there with "
            "--tls-self-signed"
        )
    if isinstance(error, (asyncio.TimeoutError, TimeoutError)):
        return ServerError(f"{server.name} does not answer; is it the right host and port?")
    if isinstance(error, ServerDisconnectedError) and not server.secure:
        return ServerError(
            f"{server.name} does not answer with HTTP; is its address https://{server.name}?"
        )
    return ServerError(
        f"cannot reach {server.name}: {system_reason(error)}; does turbolens serve run there, with "
        "--host 0.0.0.0?"
    )


def _without_verification() -> ssl.SSLContext:
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context


def _presented(connection: ssl.SSLObject) -> str:
    certificate = connection.getpeercert(binary_form=True)
    if certificate is None:
        raise MediaError("the server has sent no certificate")
    return key_fingerprint(x509.load_der_x509_certificate(certificate))
