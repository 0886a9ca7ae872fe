"""What a client does with a redirect: where it goes, and what it takes along."""

import asyncio
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from aiohttp import web

from turbolens.pipelines.webrtc.client.api import ServerApi
from turbolens.pipelines.webrtc.client.errors import ServerError
from turbolens.pipelines.webrtc.client.known_servers import KnownServers
from turbolens.pipelines.webrtc.client.options import ClientOptions, ServerAddress
from turbolens.pipelines.webrtc.client.tls import PinnedKey
from turbolens.pipelines.webrtc.peer.certificate import (
    CertificateFiles,
    self_signed,
    tls_context,
)
from turbolens.pipelines.webrtc.server.background import BackgroundServer

TOKEN = "a-token-of-this-test"  # noqa: S105


@contextmanager
def answering(
    tls: ssl.SSLContext | None = None, *, to: str | None = None
) -> Iterator[tuple[str, list[web.Request]]]:
    """A server that redirects to another one, or answers `{}`. Its URL, and what it was asked."""
    asked: list[web.Request] = []

    async def answer(request: web.Request) -> web.Response:
        asked.append(request)
        await request.read()
        if to is None:
            return web.json_response({"body": await request.text()})
        headers = {"Location": f"{to}{request.path}?ticket=a%2Eb"}
        return web.Response(status=307, headers=headers)

    app = web.Application()
    app.router.add_route("*", "/{path:.*}", answer)
    with BackgroundServer(app, tls=tls) as server:
        yield server.url.rstrip("/"), asked


def posted(url: str, fingerprint: str | None = None) -> Any:
    """The answer to a POST with the token."""
    return asyncio.run(_posted(url, fingerprint))


async def _posted(url: str, fingerprint: str | None) -> Any:
    port = int(url.rpartition(":")[2])
    secure = url.startswith("https")
    options = ClientOptions(ServerAddress("127.0.0.1", port, secure), TOKEN, fingerprint)
    tls = ssl.create_default_context() if fingerprint is None else PinnedKey(fingerprint)
    async with ServerApi(options, KnownServers(), tls) as api:
        return await api.request("POST", "api/sessions", {"sdp": "v=0"})


def test_the_body_goes_along_and_the_token_does_not() -> None:
    with answering() as (target, there), answering(to=target) as (url, here):
        assert posted(url) == {"body": '{"sdp": "v=0"}'}
    assert here[0].headers["Authorization"] == f"Bearer {TOKEN}"
    assert "Authorization" not in there[0].headers
    assert there[0].path_qs == "/api/sessions?ticket=a%2Eb"
    assert there[0].method == "POST"


def test_only_one_redirect_is_followed() -> None:
    with answering() as (end, asked), answering(to=end) as (middle, _):
        with answering(to=middle) as (url, _), pytest.raises(ServerError, match="status 307"):
            posted(url)
        assert asked == []


def test_a_target_with_the_same_key_is_accepted_and_another_one_is_not() -> None:
    pem, fingerprint = self_signed("127.0.0.1")
    files = CertificateFiles(["127.0.0.1"])
    other = tls_context(files.certificate, files.key)
    files.close()
    with (
        answering(pem.context()) as (same, there),
        answering(other) as (different, elsewhere),
        answering(pem.context(), to=same) as (good, _),
        answering(pem.context(), to=different) as (bad, _),
    ):
        assert posted(good, fingerprint)["body"]
        assert len(there) == 1
        with pytest.raises(ServerError, match="which has another key") as caught:
            posted(bad, fingerprint)
    assert getattr(caught.value, "permanent", False)
    assert elsewhere == []


@pytest.mark.parametrize("target", ["http://192.0.2.7:8081", "ftp://127.0.0.1", "http://:x"])
def test_a_target_that_is_not_encrypted_is_refused(target: str) -> None:
    with answering(to=target) as (url, _), pytest.raises(ServerError, match="redirects to"):
        posted(url)


def test_a_redirect_from_https_never_goes_to_http() -> None:
    pem, fingerprint = self_signed("127.0.0.1")
    with answering() as (target, asked), answering(pem.context(), to=target) as (url, _):
        with pytest.raises(ServerError, match="is not encrypted"):
            posted(url, fingerprint)
        assert asked == []
