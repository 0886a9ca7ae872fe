"""Functions that open, read and operate the page in a real Chromium."""

import os
import re
from pathlib import Path
from typing import Any

from playwright.async_api import ConsoleMessage, Page, expect

from .browsers import look, number_of
from .conftest import Client, until

TIMEOUT_MS = 60_000  # for a change of the page on a busy machine
SCREENSHOTS = Path(__file__).resolve().parents[3] / "build" / "screenshots"
POSITIVE = re.compile(r"^(?!0$)\d+(\.\d)?$")
COUNTS = re.compile(r"^\d+ of \d+ frames$")
WATCH = "() => { window.videos = ['before', 'after'].map((id) => document.getElementById(id)); }"
WATCH_DELAYED = WATCH.replace("'before'", "'before-delayed'")
HARMLESS = (
    "Failed to load resource",  # expected where the server refuses or is down
    "Canvas2D: Multiple readback",  # these tests read frames often
)


async def opened(page: Page, client: Client | str, path: str = "/") -> list[str]:
    """Open the page. The list that is returned collects warnings and errors of the browser."""
    problems: list[str] = []

    def collect(message: ConsoleMessage) -> None:
        if message.type in ("error", "warning") and not message.text.startswith(HARMLESS):
            problems.append(message.text)

    page.on("console", collect)
    page.on("pageerror", lambda error: problems.append(str(error)))
    page.set_default_timeout(TIMEOUT_MS)
    await page.goto(client if isinstance(client, str) else str(client.make_url(path)))
    return problems


async def state(page: Page, text: str) -> None:
    """Wait until the page shows this state of the connection."""
    await expect(page.locator("#state-text")).to_have_text(text, timeout=TIMEOUT_MS)


async def covered(page: Page, title: str) -> None:
    """Wait until the overlay has this title."""
    await expect(page.locator("#cover-title")).to_have_text(title, timeout=TIMEOUT_MS)
    await expect(page.locator("#cover")).to_be_visible(timeout=TIMEOUT_MS)


async def use_camera(page: Page) -> None:
    """Choose the camera, and wait until the session runs."""
    await page.get_by_role("button", name="Use the camera").click()
    await live(page)


async def live(page: Page) -> None:
    """Wait for filtered frames, and make them readable for `look`."""
    await expect(page.locator("#stage[data-live=true]")).to_be_visible(timeout=TIMEOUT_MS)
    await state(page, "Live")
    await page.evaluate(WATCH)


async def figures_alive(page: Page) -> None:
    """Wait until the page shows frames per second, a delay and dropped frames, and they change."""
    fps, delay, drops = (page.locator(f"#figure-{name}") for name in ("fps", "delay", "drops"))
    await expect(fps).to_have_text(POSITIVE, timeout=TIMEOUT_MS)
    await expect(delay).to_have_text(POSITIVE, timeout=TIMEOUT_MS)
    await expect(drops).to_have_attribute("title", COUNTS, timeout=TIMEOUT_MS)
    counts = await drops.get_attribute("title")
    await expect(drops).not_to_have_attribute("title", counts or "", timeout=TIMEOUT_MS)


async def counted(page: Page, most: int = 200) -> list[tuple[int, int]]:
    """Ten pairs of the counters in the sent and the received frame, all received ones different."""
    pairs: dict[int, tuple[int, int]] = {}
    for _ in range(most):
        before, after = await look(page)
        if before and after:
            sent, got = number_of(before["blocks"]), number_of(after["blocks"])
            if sent is not None and got is not None:
                pairs[got] = sent, got
        if len(pairs) == 10:
            return list(pairs.values())
    raise AssertionError(f"only {len(pairs)} different counters were received")


async def move(page: Page, name: str) -> None:
    """Change a setting by keyboard, whatever type of dial it has."""
    automatic = page.locator(f"#dial-{name}-auto")
    if await automatic.count():
        await automatic.press("Space")
        return
    radios = page.locator(f"[name=dial-{name}]")
    if await radios.count():
        await radios.locator("visible=true").or_(radios).nth(0).press("ArrowRight")
        return
    dial = page.locator(f"#dial-{name}")
    kind = await dial.get_attribute("type")
    if kind == "number":
        await dial.fill("7")
        await dial.press("Enter")
    elif kind == "checkbox":
        await dial.press("Space")
    else:
        low = float(await dial.input_value()) <= float(await dial.get_attribute("min") or 0)
        await dial.press("ArrowRight" if low else "ArrowLeft")


async def until_set(settings: Any, name: str, value: Any) -> None:
    """Wait until the server has this value. settings: a function that returns all settings."""
    await until(lambda: settings()[name] == value, f"{name} to be {value}")


async def photographed(page: Page, name: str) -> None:
    """Save a screenshot in CI."""
    if "CI" in os.environ:
        SCREENSHOTS.mkdir(parents=True, exist_ok=True)
        await page.screenshot(path=SCREENSHOTS / f"{name}.png")
