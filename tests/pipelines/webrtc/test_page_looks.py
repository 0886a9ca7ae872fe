"""The appearance of the page with the embedded model: thumbnails, three widths, light and dark."""

from pathlib import Path

import av
import numpy as np
import pytest
from playwright.async_api import Page, expect

from turbolens.filter import FilterSettings, TurboModel
from turbolens.pipelines.webrtc.server.model_slot import frame_filter

from .browsers import chromium, draw_person, needs_chromium
from .conftest import Client, asynchronous, asynchronous_for, serving
from .pages import TIMEOUT_MS, opened, photographed, use_camera

SIZES = ((1440, 900), (820, 1180), (390, 844))
NAMELESS = """
() => [...document.querySelectorAll("button, input, select, [role=slider]")].filter((element) =>
  !element.labels?.length && !element.getAttribute("aria-label") && !element.innerText.trim()
).map((element) => element.outerHTML)
"""


async def pixels(client: Client, number: int) -> np.ndarray:
    """A thumbnail, (H, W, 3)."""
    async with client.get(f"/api/looks/{number}.jpg") as response:
        assert response.status == 200
        decoder = av.CodecContext.create("mjpeg", "r")
        (frame,) = decoder.decode(av.Packet(await response.read()))
        return frame.to_ndarray(format="rgb24")


@pytest.mark.slow
@asynchronous
async def test_thumbnails_show_their_looks() -> None:
    model = TurboModel.load("embedded")
    settings = FilterSettings(size=128, strength=0.1)
    async with serving(model=lambda: model, make_filter=frame_filter, settings=settings) as (
        client,
        _,
    ):
        blue = await pixels(client, model.looks.index("blueprint"))
        grey = await pixels(client, model.looks.index("noir"))
        assert blue[..., 2].mean() > blue[..., 0].mean() + 20
        assert abs(grey[..., 2].mean() - grey[..., 0].mean()) < 10


@pytest.mark.slow
@asynchronous_for(220)
async def test_the_page_fits_phones_tablets_and_desktops(tmp_path: Path) -> None:
    needs_chromium()
    model = TurboModel.load("embedded")
    settings = FilterSettings(prompt="watercolour", size=256)
    async with (
        serving(model=lambda: model, make_filter=frame_filter, settings=settings) as (client, _),
        chromium(tmp_path, draw=draw_person) as page,
    ):
        await page.emulate_media(reduced_motion="reduce")
        problems = await opened(page, client)
        thumbnails = page.locator(".look img[data-state=loaded]")
        await expect(thumbnails).to_have_count(len(model.looks), timeout=2 * TIMEOUT_MS)
        await use_camera(page)
        await page.get_by_text("Expert settings").click()
        assert await page.evaluate(NAMELESS) == []
        await page.evaluate("scrollTo(0, 0)")
        for width, height in SIZES:
            await page.set_viewport_size({"width": width, "height": height})
            for scheme in ("light", "dark"):
                await fits(page, width, scheme)
        assert problems == []


async def fits(page: Page, width: int, scheme: str) -> None:
    """Check that nothing is cut off at the side, and that the video stays visible on scrolling."""
    await page.emulate_media(color_scheme="light" if scheme == "light" else "dark")
    assert await page.evaluate("document.documentElement.scrollWidth") <= width
    await photographed(page, f"page-{width}-{scheme}")
    await page.evaluate("document.getElementById('prompt').scrollIntoView({block: 'end'})")
    box = await page.locator("#stage").bounding_box()
    assert box is not None
    assert box["y"] + box["height"] > 100
    if scheme == "dark":
        await photographed(page, f"page-{width}-scrolled")
    await page.evaluate("scrollTo(0, 0)")
