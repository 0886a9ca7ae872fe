#!/usr/bin/env python3
"""The picture of the page in the documentation: python -m tests.real.page_picture docs/page.jpg

A real server with the embedded model, and Chromium whose camera shows the person of the test scene.
It is taken on request, after the page or the model has changed. A PNG is the whole window, whose
size may follow: page.png 390x844.
"""

import asyncio
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

import aiohttp
from playwright.async_api import FloatRect, Page

from tests.pipelines.webrtc.browsers import chromium, draw_person
from tests.pipelines.webrtc.pages import opened, use_camera
from tests.pipelines.webrtc.server.test_serve_command import ready, server

SIZE = "1280x760"
SETTLING = 20.0  # seconds, for the bit rates and the tiles of the gallery
LOOK = ("--prompt", "watercolour")


async def taken(page: Page, base: str, path: Path, size: str) -> None:
    """Open the page with the camera, and write the picture when all of it is there."""
    width, height = map(int, size.split("x"))
    await page.set_viewport_size({"width": width, "height": height})
    await opened(page, base)
    await use_camera(page)
    await asyncio.sleep(SETTLING)
    figures = await page.locator("#figure-fps").bounding_box()
    assert figures is not None
    below = figures["y"] + figures["height"] + 24  # the source under it has the name of a clip
    if path.suffix == ".jpg":
        area: FloatRect = {"x": 0, "y": 0, "width": width, "height": below}
        await page.screenshot(path=path, quality=85, clip=area)
    else:
        await page.screenshot(path=path)


async def main(name: str, size: str = SIZE) -> None:
    """Take the picture."""
    with TemporaryDirectory() as folder, server(*LOOK, size="384") as (_, link):
        base = f"http://localhost:{link[3]}"
        async with (
            aiohttp.ClientSession(base) as session,
            chromium(Path(folder), draw=draw_person) as page,
        ):
            await ready(session)
            await taken(page, base, Path(name), size)


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
