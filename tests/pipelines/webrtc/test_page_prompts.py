"""How the model reads a prompt, beside the prompt field, in a real Chromium."""

from pathlib import Path

import pytest
from playwright.async_api import Page, expect

from turbolens.filter.settings import DEFAULT_PROMPT

from .browsers import chromium, needs_chromium
from .conftest import asynchronous_for, serving
from .pages import TIMEOUT_MS, opened, photographed, until_set, use_camera
from .server.test_readings import LooksModel, new_filter
from .test_page import only
from .test_page_webcam import webcam_page

pytestmark = pytest.mark.slow
LIMIT = 120


async def reads(page: Page, text: str, *, element: str = "#reading") -> None:
    """Wait until the page says that the prompt is read like this."""
    await expect(page.locator(element)).to_contain_text(text, timeout=TIMEOUT_MS)


@asynchronous_for(LIMIT)
async def test_the_page_says_how_a_prompt_is_read(tmp_path: Path) -> None:
    needs_chromium()
    async with (
        serving(model=LooksModel(), make_filter=new_filter) as (client, server),
        chromium(tmp_path) as page,
    ):
        problems = await opened(page, client)
        field = page.get_by_label("Prompt", exact=True)
        await field.fill("zombie brihgt")  # before there is a session
        await reads(page, "Read as bright. The model does not know: zombie.")
        await use_camera(page)
        await field.fill("zombie")
        await reads(page, "This names no look of the model: dark is shown instead.")
        await field.fill("brightest")
        await page.locator("#reading").get_by_role("button", name="bright").click()
        await until_set(lambda: only(server), "prompt", [["bright", 1.0]])
        await reads(page, "Read as bright.")
        await page.get_by_role("button", name="Mix in a second prompt").click()
        await page.get_by_label("Second prompt").fill("a photo")
        await reads(page, "Read as a photograph", element="#second-reading")
        assert problems == []


@asynchronous_for(LIMIT)
async def test_a_model_for_any_prompt_says_nothing(tmp_path: Path) -> None:
    needs_chromium()
    async with serving() as (client, server), chromium(tmp_path) as page:
        problems = await opened(page, client)
        await use_camera(page)
        await page.get_by_label("Prompt", exact=True).fill("zombie")
        await until_set(lambda: only(server), "prompt", [["zombie", 1.0]])
        await expect(page.locator("#reading")).to_be_hidden()
        assert problems == []


@asynchronous_for(LIMIT)
async def test_the_control_page_of_a_call_says_it_too(tmp_path: Path) -> None:
    needs_chromium()
    with webcam_page() as url:
        async with chromium(tmp_path) as page:
            problems = await opened(page, url)
            await page.get_by_label("Prompt", exact=True).fill("an anime zombie")
            await reads(page, f"{DEFAULT_PROMPT} is shown instead")
            await reads(page, "The model does not know: anime, zombie.")
            await page.locator("#prompt").scroll_into_view_if_needed()
            await photographed(page, "prompt-reading")
            assert problems == []
