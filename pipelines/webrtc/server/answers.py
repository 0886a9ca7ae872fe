"""Errors as HTTP responses: a status, and one sentence about what to do."""

import json
import logging
from collections.abc import Awaitable, Callable
from typing import Any

from aiohttp import web

from turbolens.filter import (
    MediaError,
    NameTakenError,
    NoSuchSessionError,
    PeerError,
    SettingsError,
    TurbolensError,
    UnavailableError,
    UnsupportedOfferError,
)

logger = logging.getLogger(__name__)

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
RETRY_SECONDS = "2"
STATUS: tuple[tuple[type[TurbolensError], int], ...] = (
    (UnavailableError, 503),
    (MediaError, 503),  # no free port for media
    (NameTakenError, 409),
    (UnsupportedOfferError, 406),
    (NoSuchSessionError, 404),
    (PeerError, 400),
    (SettingsError, 400),
)
DETAILS = {
    404: "not found; the page is at the root, the API is described at api/openapi.json",
    405: "method not allowed; allowed: {allowed}",
    413: "the request is too large; the limit is {limit} bytes",
}


def problem(status: int, detail: str, headers: dict[str, str] | None = None) -> web.Response:
    """A response with a problem document (RFC 9457)."""
    body = json.dumps({"status": status, "detail": detail})
    return web.Response(
        status=status, text=body, headers=headers, content_type="application/problem+json"
    )


class Refused(Exception):  # noqa: N818 - a response, not a fault
    """Ends a request with a status and a sentence."""

    def __init__(self, status: int, detail: str, headers: dict[str, str] | None = None) -> None:
        super().__init__(detail)
        self.status, self.headers = status, headers


@web.middleware
async def answer_errors(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Turn every exception of a handler into a problem document."""
    try:
        return await handler(request)
    except Refused as error:
        return problem(error.status, str(error), error.headers)
    except web.HTTPException as error:
        return _problem_of_http(request, error)
    except TurbolensError as error:
        return _problem_of(error)
    except Exception:  # the edge of a request; details stay in the log
        logger.exception("a request failed: %s", request.method)
        return problem(500, "internal error; see the log of the server")


def _problem_of_http(request: web.Request, error: web.HTTPException) -> web.StreamResponse:
    if error.status < 400:
        raise error
    allowed = error.headers.get("Allow", "")
    detail = DETAILS.get(error.status, error.reason)
    detail = detail.format(allowed=allowed or "none", limit=request._client_max_size)
    return problem(error.status, detail, {"Allow": allowed} if allowed else None)


def _problem_of(error: TurbolensError) -> web.Response:
    status = next((status for kind, status in STATUS if isinstance(error, kind)), 500)
    if status == 500:
        logger.warning("a request failed", exc_info=error)
    return problem(status, str(error), {"Retry-After": RETRY_SECONDS} if status == 503 else None)


def as_json(data: Any, status: int = 200, headers: dict[str, str] | None = None) -> web.Response:
    """A JSON response that is not cached."""
    response = web.json_response(data, status=status, headers=headers)
    response.headers["Cache-Control"] = "no-store"
    return response
