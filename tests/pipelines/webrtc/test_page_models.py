""" "Which model?" on the page: what this machine can run, and the command that brings it."""

from pathlib import Path

import pytest
from playwright.async_api import expect

from turbolens.filter.loading.catalogue import known_models

from .browsers import chromium, needs_chromium
from .conftest import ShadeModel, asynchronous, asynchronous_for, new_shade, serving
from .pages import TIMEOUT_MS, opened, photographed

ONE_STEP = [name for name, model in known_models().items() if model.steps[0] == 1]


class Embedded(ShadeModel):
    """Has the name of the embedded model."""

    name = "embedded"


@asynchronous
async def test_the_models_are_listed_with_needs_and_commands(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    async with serving() as (client, _):
        models = (await (await client.get("/api/models")).json())["models"]
        assert [model["name"] for model in models] == ONE_STEP
        turbo = next(model for model in models if model["name"] == "sd-turbo")
        assert turbo["pull"] == "turbolens models pull sd-turbo"
        assert (turbo["use"], turbo["is_here"]) == ("--model sd-turbo", False)
        assert turbo["memory_gib"] > 1 < turbo["download_gb"]
        assert turbo["speed"] in ("live", "slow", "no")


@pytest.mark.slow
@asynchronous_for(120)
async def test_the_page_answers_which_model(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    needs_chromium()
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    async with (
        serving(model=Embedded(), make_filter=new_shade) as (client, _),
        chromium(tmp_path) as page,
    ):
        problems = await opened(page, client)
        await page.get_by_text("Which model?").click()
        cards = page.locator(".model-card")
        await expect(cards).to_have_count(len(ONE_STEP), timeout=TIMEOUT_MS)
        await expect(cards.filter(has_text="in use")).to_contain_text("embedded")
        await expect(cards.filter(has_text="in use").locator("code")).to_have_count(0)
        turbo = cards.nth(ONE_STEP.index("sd-turbo"))
        await expect(turbo).to_contain_text("GiB of")
        if await turbo.get_attribute("data-speed") != "no":
            await expect(turbo.locator("code")).to_have_text(
                "turbolens models pull sd-turbo\nturbolens serve --model sd-turbo"
            )
        await turbo.scroll_into_view_if_needed()
        await photographed(page, "which-model")
        assert problems == []
