"""The page in a real Chromium when something fails: server, model, token, camera, network."""

import re
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from playwright.async_api import Route, expect

from turbolens.filter import FilterSettings, ModelNotFoundError
from turbolens.pipelines.webrtc import Limits, ServerOptions, create_app
from turbolens.pipelines.webrtc.server.negotiation import SERVER, Server
from turbolens.pipelines.webrtc.server.running import new_runner

from .browsers import chromium, needs_chromium, sees
from .conftest import ShadeModel, asynchronous_for, new_shade, serving, until
from .pages import TIMEOUT_MS, covered, live, opened, photographed, state, use_camera
from .test_chromium import dimmed

pytestmark = pytest.mark.slow
LIMIT = 120
TOKEN = "a-token-of-this-test"  # noqa: S105
FIRST = FilterSettings(strength=0.5)


@asynccontextmanager
async def listening(port: int = 0, **options: Any) -> AsyncIterator[tuple[str, Server]]:
    """A server at a port that an earlier server may have used."""
    app = create_app(ShadeModel(), ServerOptions(**options), make_filter=new_shade)
    runner = new_runner(app, Limits())
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", port, reuse_address=True).start()
        yield f"http://127.0.0.1:{runner.addresses[0][1]}", app[SERVER]
    finally:
        await runner.cleanup()


def strengths(server: Server) -> list[float]:
    """The strength in each session, oldest first."""
    return [session.controls.settings["strength"] for session in server.sessions
            if session.controls is not None]  # fmt: skip


@asynchronous_for(LIMIT)
async def test_each_tab_keeps_its_settings_over_a_reload_and_a_restart_of_the_server(
    tmp_path: Path,
) -> None:
    needs_chromium()
    async with chromium(tmp_path) as page:
        async with listening(settings=FIRST) as (url, server):
            await opened(page, f"{url}/#strength=0.1&unknown=1")
            await use_camera(page)
            await sees(page, dimmed(0.1))
            other = await page.context.new_page()
            await opened(other, url)
            await use_camera(other)
            await other.get_by_role("slider", name="Strength").fill("0.3")
            await until(lambda: strengths(server) == [0.1, 0.3], "two sessions")
            await other.reload()  # at once: the link has kept it
            await expect(other).to_have_url(f"{url}/#strength=0.3")
            await live(other)
            await until(lambda: strengths(server) == [0.1, 0.3], "the old one gone, a new one")
            await other.close()
            await until(lambda: strengths(server) == [0.1], "the end of the second")
        await state(page, "Reconnecting")
        await photographed(page, "reconnecting")
        port = int(url.rpartition(":")[2])
        async with listening(port, settings=FIRST) as (_, server):
            await until(lambda: strengths(server) == [0.1], "the session again")
            await live(page)
            await sees(page, dimmed(0.1))


@asynchronous_for(LIMIT)
async def test_a_full_server_and_a_loading_or_missing_model_have_messages(
    tmp_path: Path,
) -> None:
    needs_chromium()
    loaded = threading.Event()

    def load() -> ShadeModel:
        assert loaded.wait(LIMIT)
        return ShadeModel()

    def fail() -> ShadeModel:
        raise ModelNotFoundError("there is no model of that name")

    options = ServerOptions(settings=FIRST, limits=Limits(sessions=1))
    runner = new_runner(create_app(load, options, make_filter=new_shade), Limits())
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    async with chromium(tmp_path) as page:
        await opened(page, url)
        await covered(page, "The model is loading")
        await photographed(page, "loading")
        loaded.set()
        await use_camera(page)
        other = await page.context.new_page()
        await opened(other, url)
        await other.get_by_role("button", name="Use the camera").click()
        await covered(other, "The server is full")
        await photographed(other, "full")
        await page.get_by_role("button", name="Stop").click()
        await live(other)
        async with serving(model=fail) as (client, _):
            await opened(page, client)
            await covered(page, "Something went wrong")
            await expect(page.locator("#cover-text")).to_contain_text("no model of that name")
    await runner.cleanup()


@asynchronous_for(LIMIT)
async def test_a_missing_token_and_an_invalid_link_have_messages(
    tmp_path: Path,
) -> None:
    needs_chromium()
    async with (
        serving(settings=FIRST, token=TOKEN) as (client, server),
        chromium(tmp_path) as page,
    ):
        problems = await opened(page, client)
        await covered(page, "This server needs a token")
        await page.get_by_role("textbox", name="Token").fill("a-wrong-token")
        await page.get_by_role("button", name="Enter").click()
        await covered(page, "This token is wrong")
        await photographed(page, "wrong-token")
        await page.get_by_role("textbox", name="Token").fill(TOKEN)
        await page.get_by_role("button", name="Enter").click()
        await covered(page, "See the world in another look")
        other = await page.context.new_page()
        await opened(other, client, f"/#token={TOKEN}&strength=7")
        await covered(other, "See the world in another look")
        assert TOKEN not in other.url
        await other.get_by_role("button", name="Use the camera").click()
        await live(other)
        assert strengths(server) == [0.5]
        await expect(other.locator(".look img[data-state=loaded]")).to_have_count(
            2, timeout=TIMEOUT_MS
        )
        assert problems == []


@pytest.mark.parametrize(
    ("missing", "title"),
    [
        ("--use-fake-ui-for-media-stream", "The camera was refused"),
        ("--use-fake-device-for-media-stream", "No camera was found"),
    ],
)
@asynchronous_for(LIMIT)
async def test_a_camera_that_cannot_be_opened_has_a_message(
    missing: str, title: str, tmp_path: Path
) -> None:
    needs_chromium()
    async with serving() as (client, server), chromium(tmp_path, without=missing) as page:
        problems = await opened(page, client)
        await page.get_by_role("button", name="Use the camera").click()
        await covered(page, title)
        await expect(page.get_by_role("button", name="Open a video")).to_be_visible()
        await photographed(page, title.lower().replace(" ", "-"))
        assert server.sessions.opened == 0
        assert problems == []


async def without_candidates(route: Route) -> None:
    """Remove all ICE candidates, as if the two sides could not reach each other."""
    text = route.request.post_data or ""
    response = await route.fetch(post_data=re.sub(r"a=candidate:.*?(?=a=)", "", text))
    answer = re.sub(r"a=candidate:.*?(?=a=)", "", await response.text())
    await route.fulfill(response=response, body=answer)


@asynchronous_for(LIMIT)
async def test_a_failed_ice_connection_has_a_message(tmp_path: Path) -> None:
    needs_chromium()
    async with serving() as (client, server), chromium(tmp_path) as page:
        await opened(page, client)
        await page.route("**/api/sessions", without_candidates)
        await page.get_by_role("button", name="Use the camera").click()
        await covered(page, "The video cannot connect")
        await until(lambda: len(server.sessions) == 0, "the session to be given up")
        await page.unroute("**/api/sessions")
        await page.get_by_role("button", name="Try again").click()
        await live(page)
