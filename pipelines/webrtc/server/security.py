"""Access control: Host, Origin and token of a request, and limits of its body."""

import asyncio
import hmac
import ipaddress
import json
import socket
from typing import Any
from urllib.parse import urlsplit

from aiohttp import web
from aiohttp.typedefs import Middleware

from .answers import RETRY_SECONDS, Handler, Refused, answer_errors
from .options import ServerOptions
from .tickets import NULL_ORIGIN, QUERY, Ticket

OPEN_ROUTE = "open"  # routes whose name begins with it need no token
METHODS = "GET, POST, PATCH, DELETE, OPTIONS"
EXPOSED = "Location, ETag, Link, Retry-After"
PAGE_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; "
    "media-src 'self' blob: mediastream:; connect-src 'self'; manifest-src 'self'; "
    "worker-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "X-Frame-Options": "DENY",
    "Permissions-Policy": "camera=(self), microphone=(self), display-capture=(self)",
}


class AccessControl:
    """Refuses requests that the options do not allow, and adds security headers to responses."""

    def __init__(self, options: ServerOptions) -> None:
        self._options = options
        self._origins = {_origin(origin) for origin in options.allow_origins}
        default_hosts = {"localhost", socket.gethostname().lower()}
        self._hosts = default_hosts | {name.lower() for name in options.allow_hosts}

    async def __call__(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Check the request, call the handler, and add the headers to its response.

        A page of another origin that may use the server can read refusals, too.
        """
        ticket = self._ticket(request)

        async def checked(request: web.Request) -> web.StreamResponse:
            return await self._checked(request, ticket, handler)

        response = await answer_errors(request, checked)
        self._add_headers(response, self._allowed_origin(request, ticket))
        return response

    async def _checked(
        self, request: web.Request, ticket: Ticket | None, handler: Handler
    ) -> web.StreamResponse:
        self._check_host(request)
        self._check_age(ticket)
        self._check_origin(request, ticket)
        if request.method == "OPTIONS":
            return _options_answer(request)
        self._check_token(request, ticket)
        try:
            return await handler(request)
        finally:
            if ticket is not None and self._options.tickets is not None:
                self._options.tickets.finish(ticket)

    def _check_host(self, request: web.Request) -> None:
        """Refuse unknown host names: DNS rebinding. An IP address cannot be rebound."""
        name = _host_name(request.host)
        if name in self._hosts or name.endswith(".localhost") or _is_address(name):
            return
        raise Refused(403, "this host name is not allowed; start the server with --allow-host NAME")

    def _ticket(self, request: web.Request) -> Ticket | None:
        """The ticket of a front door's redirect; `None` if there is none with its signature."""
        tickets, text = self._options.tickets, request.query.get(QUERY)
        if tickets is None or text is None:
            return None
        asked = request.headers.get("Access-Control-Request-Method", "")
        method = asked if request.method == "OPTIONS" else request.method
        return tickets.read(text, method, request.rel_url.raw_path)

    def _check_age(self, ticket: Ticket | None) -> None:
        tickets = self._options.tickets
        if tickets is not None and ticket is not None and not tickets.is_fresh(ticket):
            raise Refused(
                503, "this redirect has expired; ask the server that sent it again",
                {"Retry-After": RETRY_SECONDS},
            )  # fmt: skip

    def _allowed_origin(self, request: web.Request, ticket: Ticket | None) -> str | None:
        """The origin of a page that may use the server if it is not our own."""
        origin = request.headers.get("Origin")
        if origin is None:
            return None
        if ticket is not None and _netloc(origin) == ticket.origin:
            return origin
        is_other = _netloc(origin) != request.host.lower()
        return origin if is_other and _origin(origin) in self._origins else None

    def _check_origin(self, request: web.Request, ticket: Ticket | None) -> None:
        """Refuse pages of other origins, unless they are allowed."""
        origin = request.headers.get("Origin")
        if origin is None:
            if request.headers.get("Sec-Fetch-Site") == "cross-site" and not _is_open(request):
                raise Refused(403, "pages of other origins must not use this server")
            return
        if _netloc(origin) == request.host.lower() or self._allowed_origin(request, ticket):
            return
        raise Refused(
            403,
            "pages of other origins must not use this server; start it with --allow-origin URL",
        )

    def _check_token(self, request: web.Request, ticket: Ticket | None) -> None:
        token = self._options.token
        if ticket is not None and self._options.tickets is not None:
            self._options.tickets.use(ticket)
            return
        if token is None or _is_open(request):
            return
        kind, _, given = request.headers.get("Authorization", "").partition(" ")
        if kind.lower() != "bearer" or not hmac.compare_digest(
            given.strip().encode(), token.encode()
        ):
            raise Refused(
                401, "the server's token is required: Authorization: Bearer TOKEN",
                {"WWW-Authenticate": 'Bearer realm="turbolens"'},
            )  # fmt: skip

    def _add_headers(self, response: web.StreamResponse, allowed_origin: str | None) -> None:
        for name, value in HEADERS.items():
            response.headers.setdefault(name, value)
        if self._origins or self._options.tickets is not None:
            response.headers.add("Vary", "Origin")
        if allowed_origin is not None:
            response.headers["Access-Control-Allow-Origin"] = allowed_origin
            response.headers["Access-Control-Expose-Headers"] = EXPOSED


def guard(options: ServerOptions) -> Middleware:
    """`AccessControl` as an aiohttp middleware."""
    control = AccessControl(options)

    @web.middleware
    async def guarded(request: web.Request, handler: Handler) -> web.StreamResponse:
        return await control(request, handler)

    return guarded


def _options_answer(request: web.Request) -> web.Response:
    """The answer to OPTIONS: the allowed methods, and what a CORS preflight asks for."""
    error = request.match_info.http_exception
    if error is not None and error.status != 405:
        raise error
    allowed = error.headers.get("Allow", METHODS) if error is not None else METHODS
    headers = {"Allow": allowed}
    if "Access-Control-Request-Method" in request.headers and "Origin" in request.headers:
        headers |= {
            "Access-Control-Allow-Methods": allowed,
            "Access-Control-Allow-Headers": "Authorization, Content-Type, If-Match",
            "Access-Control-Max-Age": "600",
        }
    if "POST" in allowed and ("/whip/" in request.path or "/whep/" in request.path):
        headers["Accept-Post"] = "application/sdp"
    return web.Response(status=204, headers=headers)


def _is_open(request: web.Request) -> bool:
    """True if the route needs no token."""
    return (request.match_info.route.name or "").startswith(OPEN_ROUTE)


def _host_name(host: str) -> str:
    """ "[::1]:8080" → "::1"."""
    return (urlsplit(f"//{host}").hostname or "").lower()


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


def origin_after_redirect(request: web.Request) -> str:
    """The `Ticket.origin` of a request that is redirected, once it is allowed.

    A page of ours sends its origin to the target, too; of others browsers hide it (Fetch, 4.4).
    """
    origin = request.headers.get("Origin")
    own = request.host.lower()
    return own if origin is None or _netloc(origin) == own else NULL_ORIGIN


def _netloc(origin: str) -> str:
    """ "https://example.org:8443" → "example.org:8443"; "null" stays."""
    return urlsplit(origin).netloc.lower() or origin


def _origin(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}".lower()


async def body_of(request: web.Request, kind: str, options: ServerOptions) -> str:
    """The body as text. kind: the required media type. Raises `Refused`."""
    if request.content_type != kind:
        raise Refused(415, f"the body must be {kind}, got {request.content_type[:60]}",
                      {"Accept-Post": kind})  # fmt: skip
    limits = options.limits
    if (request.content_length or 0) > limits.body_bytes:
        raise Refused(413, f"the body must have at most {limits.body_bytes} bytes")
    try:
        body = await asyncio.wait_for(_read(request, limits.body_bytes), limits.body_seconds)
        return body.decode()
    except (asyncio.TimeoutError, TimeoutError):
        raise Refused(408, f"the body did not arrive within {limits.body_seconds:g} s") from None
    except UnicodeDecodeError:
        raise Refused(400, "the body must be UTF-8 text") from None


async def _read(request: web.Request, most: int) -> bytes:
    body = bytearray()
    async for chunk in request.content.iter_any():
        body += chunk
        if len(body) > most:
            raise Refused(413, f"the body must have at most {most} bytes")
    return bytes(body)


async def json_of(request: web.Request, options: ServerOptions) -> dict[str, Any]:
    """The body as a JSON object. Raises `Refused`."""
    text = await body_of(request, "application/json", options)
    try:
        data = json.loads(text)
    except (ValueError, RecursionError):
        raise Refused(400, "the body must be JSON") from None
    if not isinstance(data, dict):
        raise Refused(400, "the body must be a JSON object")
    return data
