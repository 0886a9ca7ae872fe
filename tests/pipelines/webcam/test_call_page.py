"""The control page of a running call in a real Chromium."""

from pathlib import Path

import pytest
from playwright.async_api import Page, expect

from tests.pipelines.camera.virtual_backend import KeepingBackend
from tests.pipelines.cli.test_cli import make_clip
from tests.pipelines.webrtc.browsers import chromium, needs_chromium
from tests.pipelines.webrtc.conftest import asynchronous_for, until
from tests.pipelines.webrtc.pages import TIMEOUT_MS, opened, photographed, state
from turbolens.filter import FilterSettings
from turbolens.pipelines.webcam.options import CallOptions, WebcamOptions

from .running_call import running_call

pytestmark = pytest.mark.slow
LIMIT = 120
PICTURE = "document.getElementById('call-picture')"


async def shows(page: Page, size: tuple[int, int]) -> None:
    """Wait until the live picture has this size."""
    await page.wait_for_function(f"() => {PICTURE}.width === {size[0]}")
    assert await page.evaluate(f"() => {PICTURE}.height") == size[1]


@asynchronous_for(LIMIT)
async def test_the_page_shows_the_call_and_changes_its_devices(
    tmp_path: Path, backend: type[KeepingBackend]
) -> None:
    needs_chromium()
    clip = make_clip(tmp_path / "clip.mp4")
    options = WebcamOptions(camera=str(clip), size=(160, 90), call=CallOptions(control_port=0))
    with running_call(options, FilterSettings(enabled=False)) as call:
        assert call.webcam is not None
        async with chromium(tmp_path) as page:
            problems = await opened(page, call.url)
            await state(page, "Live")
            await expect(page.locator("#call-picture[data-live=true]")).to_be_visible()
            await shows(page, (64, 48))
            await page.get_by_label("Camera", exact=True).select_option("Test scene")
            await shows(page, (160, 90))
            await page.get_by_role("button", name="Pause").click()
            await until(lambda: call.webcam and call.webcam.filter.frozen, "the pause")
            await expect(page.locator("#call-paused")).to_be_visible()
            await photographed(page, "call")
            call.webcam.press("f")  # on the keyboard of the terminal
            await expect(page.get_by_role("button", name="Pause")).to_be_visible(timeout=TIMEOUT_MS)
            await page.get_by_label("Virtual camera").select_option("None")
            await until(lambda: backend.opened[0].closed, "the virtual camera to be closed")
            assert problems == []


@asynchronous_for(LIMIT)
async def test_the_gallery_is_drawn_from_the_camera(tmp_path: Path) -> None:
    needs_chromium()
    options = WebcamOptions(
        camera="test-scene", size=(256, 144), virtual_camera="none",
        call=CallOptions(control_port=0),
    )  # fmt: skip
    with running_call(options, FilterSettings(prompt="watercolour", size=256)) as call:
        async with chromium(tmp_path) as page:
            problems = await opened(page, call.url)
            tiles = page.locator(".look img[data-state=loaded]")
            await expect(tiles.nth(2)).to_be_visible(timeout=TIMEOUT_MS)
            await photographed(page, "call-gallery")
            await page.get_by_role("button", name="Draw them from my camera again").click()
            await expect(tiles).to_have_count(0)
            await expect(tiles.nth(0)).to_be_visible(timeout=TIMEOUT_MS)
            assert problems == []
