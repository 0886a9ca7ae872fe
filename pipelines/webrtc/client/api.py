"""`ServerApi`: the HTTP requests of a client. Every failure is a `ServerError` in one line."""

import asyncio
import json
import ssl
from collections.abc import Mapping
from typing import Any

import aiohttp
from yarl import URL

from .errors import ServerError
from .known_servers import KnownServers
from .options import ClientOptions, ServerAddress, is_this_machine
from .tls import KeyMismatchError, changed_key, unreachable

TIMEOUT = aiohttp.ClientTimeout(total=30.0, connect=10.0)
MAX_BYTES = 4 << 20  # of an answer
REDIRECTS = (307, 308)
RETRIED = (408, 429, 500, 502, 503, 504)  # statuses that may be others at the next attempt


class ServerApi:
    """Requests to one server, inside an `async with` block.

    tls: what `trusted_tls` returned.
    """

    def __init__(
        self, options: ClientOptions, known: KnownServers, tls: aiohttp.Fingerprint | ssl.SSLContext
    ) -> None:
        self._options, self._known, self._tls = options, known, tls
        token = options.token
        self._headers = {} if token is None else {"Authorization": f"Bearer {token}"}
        self._http = aiohttp.ClientSession(timeout=TIMEOUT)

    async def __aenter__(self) -> "ServerApi":
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._http.close()

    async def request(self, method: str, path: str, body: Any = None) -> Any:
        """The JSON answer. path: below the server's URL, as "api/status".

        One redirect is followed, to a server whose certificate must pass the same check. It gets no
        token: the front door of a cluster has put a ticket into the URL. Raises `ServerError`.
        """
        server = self._options.server
        try:
            response, text = await self._send(method, f"{server.url}/{path}", body, self._headers)
            if response.status in REDIRECTS:
                target = _target(response, server)
                server = ServerAddress(
                    target.host or "", target.port or 0, target.scheme == "https"
                )
                response, text = await self._send(method, target, body, {})
            return self._answer(response, text)
        except KeyMismatchError as error:
            error.transport.abort()
            raise changed_key(self._options, self._known, error.presented, at=server) from None
        except aiohttp.ClientConnectorCertificateError as error:
            raise ServerError(
                f"the certificate of {server.name} is no longer from a known authority: "
                f"{error.certificate_error}", permanent=True,
            ) from error  # fmt: skip
        except aiohttp.ClientOSError as error:
            raise unreachable(server, _cause(error)) from error
        except (aiohttp.ClientError, asyncio.TimeoutError) as error:
            raise unreachable(server, error) from error

    async def _send(
        self, method: str, url: str | URL, body: Any, headers: Mapping[str, str]
    ) -> tuple[aiohttp.ClientResponse, str]:
        async with self._http.request(
            method, url, json=body, headers=headers, ssl=self._tls, allow_redirects=False
        ) as response:
            return response, await _text_of(response)

    def _answer(self, response: aiohttp.ClientResponse, text: str) -> Any:
        try:
            data = json.loads(text) if text else {}
        except ValueError:
            data = None
        if response.status < 300 and data is not None:
            return data
        raise self._refusal(response, data)

    def _refusal(self, response: aiohttp.ClientResponse, data: Any) -> ServerError:
        """The error for an answer that is not the wanted one."""
        name, status = self._options.server.name, response.status
        if status == 401:
            given = "another token than" if self._options.token else "no token; it needs"
            return ServerError(
                f"{name} was given {given} the one that turbolens serve printed: use --token TOKEN "
                "or TURBOLENS_TOKEN",
                permanent=True,
            )
        if not isinstance(data, dict) or "detail" not in data:
            return ServerError(
                f"{self._options.server.url} is no Turbolens server: it answers with status "
                f"{status}; give --server the address that turbolens serve printed",
                permanent=status not in RETRIED,
            )
        return ServerError(
            f"{name}: {data['detail']}", permanent=status not in RETRIED,
            retry_seconds=_seconds(response.headers.get("Retry-After")),
        )  # fmt: skip


def _target(response: aiohttp.ClientResponse, server: ServerAddress) -> URL:
    """Where a redirect goes. Raises `ServerError` if the connection would not be encrypted."""
    try:
        target = response.url.join(URL(response.headers["Location"], encoded=True))
        secure, is_here = target.scheme == "https", is_this_machine(target.host or "")
    except (KeyError, ValueError) as error:
        raise ServerError(f"{server.name} redirects to no address") from error
    if target.scheme not in ("http", "https") or (not secure and (server.secure or not is_here)):
        raise ServerError(
            f"{server.name} redirects to {target.origin()}, which is not encrypted: start "
            "turbolens serve there with --tls-self-signed or --tls-cert", permanent=True,
        )  # fmt: skip
    return target


async def _text_of(response: aiohttp.ClientResponse) -> str:
    """The body, of which the part beyond `MAX_BYTES` is left out."""
    body = bytearray()
    async for part in response.content.iter_any():
        body += part
        if len(body) >= MAX_BYTES:
            break
    return body[:MAX_BYTES].decode("utf-8", "replace")


def _cause(error: aiohttp.ClientOSError) -> BaseException:
    """The error of the system behind aiohttp's."""
    found = getattr(error, "os_error", error)
    return found if isinstance(found, BaseException) else error


def _seconds(retry_after: str | None) -> float | None:
    return float(retry_after) if retry_after is not None and retry_after.isdecimal() else None
