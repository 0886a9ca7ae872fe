"""The page view/NAME in a real Chromium: video and nothing else, for OBS, walls and kiosks."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from playwright.async_api import Page, expect

from .browsers import chromium, needs_chromium
from .conftest import Client, Peer, asynchronous_for, serving, until, until_async
from .pages import TIMEOUT_MS, opened, photographed
from .server.test_streams import SDP

LIMIT = 150
TOKEN = "a-long-enough-token"  # noqa: S105
BEARER = {"Authorization": f"Bearer {TOKEN}"}


async def screenshot(page: Page) -> NDArray[np.uint8]:
    """The page, (H, W, 4): red, green, blue and opacity."""
    session = await page.context.new_cdp_session(page)
    clear = {"color": {"r": 0, "g": 0, "b": 0, "a": 0}}
    await session.send("Emulation.setDefaultBackgroundColorOverride", clear)
    png = await page.screenshot(type="png")
    return np.asarray(Image.open(BytesIO(png)).convert("RGBA"))


async def shows(page: Page, luma: float) -> None:
    """Wait until the middle of the page has this brightness."""
    last = np.zeros(4, np.uint8)

    async def seen() -> bool:
        nonlocal last
        height, width = (await screenshot(page)).shape[:2]
        last = (await screenshot(page))[height // 2, width // 2]
        return int(last[3]) == 255 and abs(float(last[0]) - luma) < 15

    await until_async(seen, lambda: f"a picture of {luma}; the last pixel was {last}")


@asynccontextmanager
async def publishing(client: Client, luma: int, *, audio: bool = False) -> AsyncIterator[Peer]:
    """A WHIP publisher of grey frames, which ends its session."""
    peer = Peer(direction="sendonly", audio=audio)
    peer.camera.luma = luma
    headers = {**SDP, **BEARER}
    response = await client.post("/whip/desk", data=await peer.offer(), headers=headers)
    assert response.status == 201, await response.text()
    await peer.accept(await response.text())
    try:
        yield peer
    finally:
        await client.delete(response.headers["Location"], headers=BEARER)
        await peer.close()


@pytest.mark.slow
@asynchronous_for(LIMIT)
async def test_the_view_waits_plays_and_follows_a_publisher_that_restarts(tmp_path: Path) -> None:
    needs_chromium()
    async with serving(token=TOKEN) as (client, server), chromium(tmp_path) as page:
        await client.patch("/api/settings", json={"strength": 0.1}, headers=BEARER)
        problems = await opened(page, client, f"/view/desk#token={TOKEN}")
        assert TOKEN not in page.url
        assert not (await screenshot(page))[..., 3].any()  # transparent until the first frame
        for luma in (200, 120):
            async with publishing(client, luma):
                await shows(page, 0.9 * luma)
                await photographed(page, f"view-{luma}")
                assert [each.kind for each in server.sessions] == ["whip", "whep"]
                assert await page.evaluate("document.body.innerText.trim()") == ""
                assert await page.locator("button, input, [controls]").count() == 0
            await until(lambda: len(server.sessions) == 0, "the end of the player")
        await expect(page.locator("#view")).to_be_hidden(timeout=TIMEOUT_MS)
        assert not (await screenshot(page))[..., 3].any()
        assert problems == []


@pytest.mark.slow
@asynchronous_for(LIMIT)
async def test_the_view_plays_audio_if_asked(tmp_path: Path) -> None:
    needs_chromium()
    async with serving(token=TOKEN) as (client, _), chromium(tmp_path) as page:
        async with publishing(client, 200, audio=True):
            problems = await opened(page, client, f"/view/desk?audio=1#token={TOKEN}")
            await expect(page.locator("#view")).to_be_visible(timeout=TIMEOUT_MS)
            tracks = "document.getElementById('view').srcObject.getAudioTracks().length"
            assert await page.evaluate(tracks) == 1
            assert not await page.evaluate("document.getElementById('view').muted")
        assert problems == []


@asynchronous_for(LIMIT)
async def test_the_view_follows_the_rules_of_tokens_hosts_and_origins() -> None:
    async with serving(token=TOKEN) as (client, _):
        page = await client.get("/view/desk")
        assert (page.status, page.content_type) == (200, "text/html")
        assert "script-src 'self'" in page.headers["Content-Security-Policy"]
        assert (await client.get("/view/no.such", headers=BEARER)).status == 404
        assert (await client.get("/view/desk", headers={"Host": "evil.example"})).status == 403
        elsewhere = {"Origin": "https://evil.example"}
        assert (await client.get("/view/desk", headers=elsewhere)).status == 403
        assert (await client.post("/whep/desk", data="v=0", headers=SDP)).status == 401


@pytest.mark.slow
@asynchronous_for(LIMIT)
async def test_without_the_token_the_view_stays_transparent_and_says_why(tmp_path: Path) -> None:
    needs_chromium()
    async with serving(token=TOKEN) as (client, _), chromium(tmp_path) as page:
        async with page.expect_console_message(lambda each: "token is required" in each.text):
            await page.goto(str(client.make_url("/view/desk")))
        assert not (await screenshot(page))[..., 3].any()
