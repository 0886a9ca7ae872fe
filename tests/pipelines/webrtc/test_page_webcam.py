"""The page of a running `turbolens webcam --control`, in a real Chromium: its figures are alive."""

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import expect

from tests.pipelines.conftest import started

from .browsers import chromium, needs_chromium
from .conftest import asynchronous_for
from .pages import TIMEOUT_MS, figures_alive, opened, photographed, state

pytestmark = pytest.mark.slow
LIMIT = 150
WEBCAM = [
    sys.executable, "-m", "turbolens", "webcam", "--camera", "test-scene",
    "--camera-size", "320x180", "--virtual-camera", "none", "--size", "64",
    "--json", "--control", "0",
]  # fmt: skip
PREFIX = "control page: "


@contextmanager
def webcam_page() -> Iterator[str]:
    """The address of the control page of a running `turbolens webcam`."""
    with started(WEBCAM, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        for line in process.stdout:
            event: dict[str, Any] = json.loads(line)
            text = str(event.get("text", ""))
            if text.startswith(PREFIX):
                yield text.removeprefix(PREFIX)
                return
        raise AssertionError(process.communicate(timeout=60)[1])


@asynchronous_for(LIMIT)
async def test_the_figures_of_a_running_webcam_are_alive(tmp_path: Path) -> None:
    needs_chromium()
    with webcam_page() as url:
        async with chromium(tmp_path) as page:
            failed: list[str] = []
            page.on("requestfailed", lambda request: failed.append(request.url))
            page.on("response", lambda got: None if got.ok else failed.append(got.url))
            problems = await opened(page, url)
            await state(page, "Live")
            await figures_alive(page)
            delay = page.locator("#figure-delay")
            quick = await delay.inner_text()
            await page.request.patch(f"{url}api/settings", data={"size": 512})  # a slower filter
            await expect(delay).not_to_have_text(quick, timeout=TIMEOUT_MS)
            await figures_alive(page)
            assert await page.locator(".look").count() > 10
            assert await page.locator(".look img").count() == await page.locator(".look").count()
            assert failed == []
            await photographed(page, "webcam-control")
            assert problems == []


@asynchronous_for(LIMIT)
async def test_the_page_fits_a_phone(tmp_path: Path) -> None:
    """Nothing is wider than the screen, and the two lists of devices share its width."""
    needs_chromium()
    with webcam_page() as url:
        async with chromium(tmp_path) as page:
            await page.set_viewport_size({"width": 390, "height": 844})
            await opened(page, url)
            lists = [page.locator(f"#call-{name}") for name in ("camera", "virtual-camera")]
            for each in lists:
                await expect(each).to_be_enabled(timeout=TIMEOUT_MS)
            boxes = [await each.bounding_box() for each in lists]
            assert [box and round(box["width"]) for box in boxes] == [173, 173]
            assert await page.evaluate("document.documentElement.scrollWidth") == 390
            await photographed(page, "webcam-control-phone")
