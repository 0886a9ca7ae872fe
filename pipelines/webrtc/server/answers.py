"""Errors as HTTP answers: a status, and one sentence that says what to do."""

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
    (MediaError, 503),  # no port is left for media
    (NameTakenError, 409),
    (UnsupportedOfferError, 406),
    (NoSuchSessionError, 404),
    (PeerError, 400),
    (SettingsError, 400),
)
SENTENCES = {
    404: "there is nothing here; the page is at the root, what can be asked at api/openapi.json",
    405: "this cannot be done here; allowed is {allowed}",
    413: "the request is too large; at most {limit} bytes are taken",
}


def refusal(status: int, sentence: str, headers: dict[str, str] | None = None) -> web.Response:
    """A problem document (RFC 9457)."""
    body = json.dumps({"status": status, "detail": sentence})
    return web.Response(
        status=status, text=body, headers=headers, content_type="application/problem+json"
    )


class Refused(Exception):  # noqa: N818 - an answer
    """Ends a request with a status and a sentence."""

    def __init__(self, status: int, sentence: str, headers: dict[str, str] | None = None) -> None:
        super().__init__(sentence)
        self.status, self.headers = status, headers


@web.middleware
async def answer_errors(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Whatever goes wrong below becomes an answer. The edge of a request."""
    try:
        return await handler(request)
    except Refused as error:
        return refusal(error.status, str(error), error.headers)
    except web.HTTPException as error:
        return _http_refusal(request, error)
    except TurbolensError as error:
        return _refusal_of(error)
    except Exception:  # logged with its traceback; the peer learns nothing of the inside
        logger.exception("a request failed: %s", request.method)
        return refusal(500, "the server failed at this; its log says why")


def _http_refusal(request: web.Request, error: web.HTTPException) -> web.StreamResponse:
    if error.status < 400:
        raise error
    allowed = error.headers.get("Allow", "")
    sentence = SENTENCES.get(error.status, error.reason)
    sentence = sentence.format(allowed=allowed or "nothing", limit=request._client_max_size)
    return refusal(error.status, sentence, {"Allow": allowed} if allowed else None)


def _refusal_of(error: TurbolensError) -> web.Response:
    status = next((status for kind, status in STATUS if isinstance(error, kind)), 500)
    if status == 500:
        logger.warning("a request failed", exc_info=error)
    return refusal(status, str(error), {"Retry-After": RETRY_SECONDS} if status == 503 else None)


def as_json(data: Any, status: int = 200, headers: dict[str, str] | None = None) -> web.Response:
    """Plain data as an answer that nobody keeps."""
    made = web.json_response(data, status=status, headers=headers)
    made.headers["Cache-Control"] = "no-store"
    return made
