"""`Tickets`: what a front door signs in a redirect, so that a server accepts the request.

Browsers drop the header `Authorization` from a redirect to another origin, and other clients
should not send a token to a host that they were not told of. So the front door checks token and
Origin, and the URL of its redirect has a ticket: for one request with this method and path, for a
few seconds.
"""

import base64
import hmac
import secrets
from dataclasses import dataclass
from hashlib import sha256
from time import monotonic

from turbolens.pipelines.statistics import Clock

QUERY = "ticket"
LIFETIME = 30.0  # seconds from the redirect to the request
MANY = 512  # characters of a ticket at most
NULL_ORIGIN = "null"
"""What browsers send after a redirect of a page that is not the front door's own."""


@dataclass(frozen=True)
class Ticket:
    """A ticket with a valid signature. id: unique. expires: in seconds of the server's clock.

    origin: host and port of the page that may send the request, or `NULL_ORIGIN`.
    """

    id: str
    expires: float
    origin: str


class Tickets:
    """The tickets of one server. key: shared with its front door only."""

    def __init__(self, key: bytes, clock: Clock = monotonic) -> None:
        self._key, self._clock = key, clock
        self._used: dict[str, float] = {}
        self._done: set[str] = set()

    @property
    def done(self) -> frozenset[str]:
        """The ids of tickets whose requests were answered, until they would have expired."""
        self._forget()
        return frozenset(self._done & self._used.keys())

    def read(self, text: str, method: str, path: str) -> Ticket | None:
        """The ticket of a request; `None` if it was not signed for this method and path."""
        if len(text) > MANY:
            return None
        body, _, signature = text.rpartition(".")
        expected = _signature(self._key, body, method, path)
        if not hmac.compare_digest(signature.encode(), expected.encode()):
            return None
        identity, expires, origin = body.split(".")
        return Ticket(identity, float.fromhex(_decoded(expires)), _decoded(origin))

    def is_fresh(self, ticket: Ticket) -> bool:
        """True if it has not expired, and was not used."""
        return self._clock() <= ticket.expires and ticket.id not in self._used

    def use(self, ticket: Ticket) -> None:
        """Remember that it was used."""
        self._forget()
        self._used[ticket.id] = ticket.expires

    def finish(self, ticket: Ticket) -> None:
        """Note that its request was answered."""
        self._done.add(ticket.id)

    def _forget(self) -> None:
        now = self._clock()
        for identity in [each for each, expires in self._used.items() if expires < now]:
            del self._used[identity]
            self._done.discard(identity)


def signed_ticket(
    key: bytes, method: str, path: str, *, origin: str, now: float
) -> tuple[str, Ticket]:
    """A new ticket, and its text for a URL. now: the server's clock. origin: see `Ticket`."""
    ticket = Ticket(secrets.token_urlsafe(12), now + LIFETIME, origin)
    body = f"{ticket.id}.{_encoded(ticket.expires.hex())}.{_encoded(origin)}"
    return f"{body}.{_signature(key, body, method, path)}", ticket


def _signature(key: bytes, body: str, method: str, path: str) -> str:
    signed = "\n".join((method, path, body)).encode()
    return _base64(hmac.digest(key, signed, sha256))


def _base64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


def _encoded(text: str) -> str:
    return _base64(text.encode())


def _decoded(text: str) -> str:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)).decode()
