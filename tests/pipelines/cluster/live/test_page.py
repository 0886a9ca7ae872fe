"""The page and the page view/NAME in a real Chromium, through the front door."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
import pytest
from aiohttp import web
from playwright.async_api import Page

from tests.pipelines.webrtc.browsers import chromium, needs_chromium, sees
from tests.pipelines.webrtc.conftest import asynchronous_for, until
from tests.pipelines.webrtc.pages import WATCH, live, opened, use_camera
from tests.pipelines.webrtc.test_chromium import dimmed
from tests.pipelines.webrtc.test_view import shows

from .conftest import REPLICAS, TOKEN, Door
from .test_front_door import client_of, exchange

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore::ResourceWarning")]
LIMIT = 200


@asynchronous_for(LIMIT)
async def used(door: Door, folder: Path) -> None:
    async with chromium(folder) as page:
        problems = await opened(page, f"http://localhost:{door.port}/#token={TOKEN}")
        await use_camera(page)
        await sees(page, dimmed(0.5))
        await page.get_by_role("slider", name="Strength").fill("0.1")
        await sees(page, dimmed(0.1))
        await until(lambda: len(door.busy()) == 1, "the session")
        (replica,) = door.busy()
        door.kill(replica)
        await until(lambda: replica not in door.busy(), "the loss")
        await until(lambda: len(door.busy()) == 1, "another session")
        await live(page)
        await page.evaluate(WATCH)
        await sees(page, dimmed(0.1))
        # The replica that was started again has another port, which the page may not know yet: then
        # it loads itself again.
        assert [each for each in problems if "Content Security Policy" not in each] == []
        await page.get_by_role("button", name="Stop").click()
        await until(lambda: not door.busy(), "the end of the session")


def test_the_page_is_served_through_redirects_and_outlives_a_replica(
    door: Door, tmp_path: Path
) -> None:
    needs_chromium()
    used(door, tmp_path)


@asynchronous_for(LIMIT)
async def viewed(door: Door, folder: Path) -> None:
    async with client_of(door) as client, chromium(folder) as page:
        url = f"http://127.0.0.1:{door.port}/view/desk#token={TOKEN}"
        async with exchange(client, "/whip/desk", "sendonly"):
            problems = await opened(page, url)
            await shows(page, (100 - 16) * 255 / 219)
            await until(lambda: [len(each.sessions) for each in door.busy()] == [2], "both")
            await page.goto("about:blank")
            await until(lambda: [len(each.sessions) for each in door.busy()] == [1], "its end")
        assert problems == []


def test_the_view_of_a_name_plays_from_its_replica(door: Door, tmp_path: Path) -> None:
    needs_chromium()
    viewed(door, tmp_path)


@asynchronous_for(LIMIT)
async def loaded_again(door: Door, folder: Path) -> None:
    async with chromium(folder) as page:
        await opened(page, f"http://localhost:{door.port}/#token={TOKEN}")
        await use_camera(page)
        await page.evaluate("() => { window.isOlder = true; }")
        restarts = sum(each.restarts for each in door.pool.replicas)
        for replica in door.pool.replicas:  # all start again, on other ports
            door.kill(replica)
        await until(
            lambda: sum(each.restarts for each in door.pool.replicas) == restarts + REPLICAS,
            "the loss of all",
        )
        await asyncio.to_thread(
            door.wait_for, lambda: len(door.busy()) == 1, "a session at a port new to the page"
        )
        await live(page)
        assert await page.evaluate("() => window.isOlder") is None


def test_a_page_that_is_older_than_all_replicas_is_loaded_again(door: Door, tmp_path: Path) -> None:
    needs_chromium()
    loaded_again(door, tmp_path)


FETCH = """([url, headers]) => fetch(url, {method: "POST", headers, body: "{}"})
  .then(r => `${r.status} ${r.redirected}`, e => "no")"""


@asynccontextmanager
async def empty_page(page: Page, port: int) -> AsyncIterator[Page]:
    """A page of another server."""

    async def empty(_: web.Request) -> web.Response:
        return web.Response(text="<!doctype html><body>", content_type="text/html")

    other = web.Application()
    other.router.add_get("/", empty)
    runner = web.AppRunner(other)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    await page.goto(f"http://localhost:{runner.addresses[0][1]}/")
    yield page
    await runner.cleanup()


@asynchronous_for(LIMIT)
async def foreign(door: Door, folder: Path) -> None:
    bearer = {"Authorization": f"Bearer {TOKEN}", "Content-Type": "application/sdp"}
    friend = int(door.friend.rpartition(":")[2])
    async with chromium(folder) as page, aiohttp.ClientSession(door.base) as client:
        async with client.post("/whip/a", headers=bearer, allow_redirects=False) as response:
            ticketed = response.headers["Location"]
        target = f"{door.base}/whip/a"
        async with empty_page(page, 0):
            assert await page.evaluate(FETCH, [target, bearer]) == "no"
            assert await page.evaluate(FETCH, [ticketed, bearer]) == "no"
        async with empty_page(page, friend):
            assert await page.evaluate(FETCH, [target, bearer]) == "400 true"  # no offer
            wrong = {**bearer, "Authorization": "Bearer wrong-token"}
            assert await page.evaluate(FETCH, [target, wrong]) == "401 false"


def test_a_page_of_another_server_needs_an_allowed_origin_and_the_token(
    door: Door, tmp_path: Path
) -> None:
    needs_chromium()
    foreign(door, tmp_path)
