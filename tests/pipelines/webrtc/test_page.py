"""The page in a real Chromium: video, dials, looks, prompts and sources."""

import time
from pathlib import Path
from statistics import median

import av
import pytest
from playwright.async_api import Page, expect

from tests.filter.adapters.adapter_fixtures import lora_tensors, save_lora
from tests.pipelines.conftest import write_clip
from turbolens.filter import FilterSettings, TurboModel
from turbolens.pipelines import Stats
from turbolens.pipelines.webrtc.server.model_slot import frame_filter
from turbolens.pipelines.webrtc.server.negotiation import Server
from turbolens.pipelines.webrtc.server.remote_control import RemoteControl, create_control_app

from .browsers import FRAMES, chromium, look, needs_chromium, sees
from .conftest import Shade, asynchronous_for, serving, until
from .pages import (
    TIMEOUT_MS,
    WATCH_DELAYED,
    counted,
    covered,
    figures_alive,
    move,
    opened,
    photographed,
    state,
    until_set,
    use_camera,
)
from .test_chromium import dimmed

pytestmark = pytest.mark.slow
LIMIT = 120
FIRST = FilterSettings(strength=0.5)


def only(server: Server) -> dict[str, object]:
    """The settings of the only session."""
    (session,) = server.sessions
    assert session.controls is not None
    return session.controls.settings


@asynchronous_for(LIMIT)
async def test_the_camera_is_filtered_and_every_dial_works(
    tmp_path: Path,
) -> None:
    needs_chromium()
    async with serving(settings=FIRST) as (client, server), chromium(tmp_path) as page:
        problems = await opened(page, client)
        await use_camera(page)
        await sees(page, dimmed(0.5))
        before, after = await look(page)
        assert before is not None
        assert after is not None
        assert before["body"][0] - after["body"][0] > 40  # another image, with the same counter
        assert len(await counted(page)) == 10
        await figures_alive(page)
        await drag_divider(page)
        await page.get_by_role("slider", name="Strength").fill("0.1")
        await sees(page, dimmed(0.1))
        await page.get_by_text("Expert settings").click()
        schema = FilterSettings.model_json_schema()["properties"]
        adapters = {name for name, field in schema.items() if "needs" in field}
        shown = FIRST.model_dump(mode="json", exclude={"prompt", "strength", *adapters})
        for name, was in shown.items():
            await move(page, name)
            await until_changed(server, name, was)
        await page.get_by_role("button", name="Defaults").click()
        await until(lambda: only(server) == FIRST.model_dump(mode="json"), "the defaults")
        await sees(page, dimmed(0.5))
        assert problems == []


@asynchronous_for(LIMIT)
async def test_a_lora_has_a_dial_that_starts_at_its_loaded_weight(tmp_path: Path) -> None:
    needs_chromium()
    unet = TurboModel.load("embedded", device="cpu").unet
    path = save_lora(tmp_path / "ink.safetensors", lora_tensors({"unet": unet}, 1))
    model = TurboModel.load("embedded", device="cpu", loras=[f"{path}:0.25"])
    small = FilterSettings(size=64)
    async with (
        serving(model=model, make_filter=frame_filter, settings=small, adapters=("lora",)) as (
            client,
            server,
        ),
        chromium(tmp_path) as page,
    ):
        problems = await opened(page, client)
        await use_camera(page)
        await page.get_by_text("Expert settings").click()
        dial = page.get_by_role("slider", name="ink")
        await expect(dial).to_have_value("0.25")
        assert only(server)["lora_weights"] == {}
        await dial.fill("0.5")
        await until_set(lambda: only(server), "lora_weights", {"ink": 0.5})
        await page.get_by_role("button", name="Defaults").click()
        await until_set(lambda: only(server), "lora_weights", {})
        await expect(dial).to_have_value("0.25")
        await photographed(page, "lora")
        assert problems == []


class SlowShade(Shade):
    """Takes a third of a second for a frame."""

    def __call__(self, frame: av.VideoFrame) -> av.VideoFrame:
        time.sleep(0.33)
        return super().__call__(frame)


@asynchronous_for(LIMIT)
async def test_before_is_delayed_as_much_as_after(tmp_path: Path) -> None:
    needs_chromium()
    async with (
        serving(settings=FIRST, make_filter=lambda _, first: SlowShade(first)) as (client, _),
        chromium(tmp_path) as page,
    ):
        problems = await opened(page, client)
        await use_camera(page)
        ahead = await lead(page)
        await expect(page.locator("#before-delayed")).to_be_visible(timeout=TIMEOUT_MS)
        await page.evaluate(WATCH_DELAYED)
        for _ in range(10):  # the delay follows the figures of the filter, which settle slowly
            if await lead(page) < ahead - 5:
                break
        else:
            pytest.fail(f"Before stays ahead of After by as much as at first, {ahead:.0f} frames")
        await photographed(page, "delayed")
        assert problems == []


async def lead(page: Page) -> float:
    """By how many frames Before is ahead of After, the median of ten pairs."""
    pairs = await counted(page, most=1000)
    half = FRAMES // 2
    return median((before - after + half) % FRAMES - half for before, after in pairs)


async def until_changed(server: Server, name: str, was: object) -> None:
    """Wait until this setting has another value."""
    await until(lambda: only(server)[name] != was, f"a change of {name}")


@asynchronous_for(LIMIT)
async def test_looks_are_chosen_and_prompts_typed_and_blended(tmp_path: Path) -> None:
    needs_chromium()
    async with serving(settings=FIRST) as (client, server), chromium(tmp_path) as page:
        problems = await opened(page, client)
        await use_camera(page)
        await expect(page.locator(".look img[data-state=loaded]")).to_have_count(
            2, timeout=TIMEOUT_MS
        )
        await page.get_by_role("radio", name="dark").check()
        await until_set(lambda: only(server), "prompt", [["dark", 1.0]])
        await page.get_by_role("radio", name="dark").press("ArrowDown")
        await until_set(lambda: only(server), "prompt", [["bright", 1.0]])
        await page.get_by_label("Prompt", exact=True).fill("a rainy evening")
        await until_set(lambda: only(server), "prompt", [["a rainy evening", 1.0]])
        assert await page.locator(".look :checked").count() == 0
        await page.get_by_role("button", name="Mix in a second prompt").click()
        await page.get_by_label("Second prompt").fill("dark")
        await page.get_by_label("Share of the second").fill("0.4")
        mixed = [["a rainy evening", 0.6], ["dark", 0.4]]
        await until_set(lambda: only(server), "prompt", mixed)
        await page.get_by_role("button", name="Without a second prompt").click()
        await until_set(lambda: only(server), "prompt", [["a rainy evening", 1.0]])
        assert problems == []


@asynchronous_for(LIMIT)
async def test_sources_are_switched_and_the_result_is_saved(tmp_path: Path) -> None:
    needs_chromium()
    film = write_clip(tmp_path / "film.webm", codec="libvpx", pts=range(50), size=(160, 96))
    async with serving(settings=FIRST) as (client, server), chromium(tmp_path) as page:
        problems = await opened(page, client)
        await use_camera(page)
        await page.locator("#file").set_input_files(film)
        (session,) = server.sessions
        await until(lambda: session.track and session.track.size[0] == 160, "the film")
        await expect(page.locator("#source-choice option:checked")).to_have_text("Video file")
        async with page.expect_download() as snapshot:
            await page.get_by_role("button", name="Take a snapshot").click()
        with av.open(await (await snapshot.value).path()) as picture:
            assert next(picture.decode(video=0)).width == 160
        record = page.get_by_role("button", name="Record the result")
        await record.click()
        await expect(page.locator("#recording-clock")).to_have_text("0:02", timeout=TIMEOUT_MS)
        async with page.expect_download() as recording:
            await record.click()
        with av.open(await (await recording.value).path()) as video:
            assert sum(1 for _ in video.decode(video=0)) > 1
        await page.locator("#source-choice").select_option("screen")
        await until(lambda: session.track and session.track.size[0] > 320, "the screen")
        await camera_again(page)
        await until(lambda: session.track and session.track.size[0] == 320, "the camera")
        assert len(list(server.sessions)) == 1
        await page.get_by_role("button", name="Stop").click()
        await until(lambda: len(server.sessions) == 0, "the end of the session")
        await covered(page, "See the world in another look")
        assert problems == []


async def camera_again(page: Page) -> None:
    """Choose the first camera of the list."""
    value = await page.locator("#source-choice option").first.get_attribute("value")
    assert value is not None
    assert value.startswith("camera")
    await page.locator("#source-choice").select_option(value)


async def drag_divider(page: Page) -> None:
    """Move the divider by keys and by pointer; it is hidden side by side."""
    divider = page.get_by_role("slider", name="Divider")
    await divider.press("Home")
    await expect(divider).to_have_attribute("aria-valuenow", "0")
    await divider.press("PageUp")
    await expect(divider).to_have_attribute("aria-valuenow", "10")
    box = await page.locator("#stage").bounding_box()
    knob = await page.locator(".knob").bounding_box()
    assert box is not None
    assert knob is not None
    await page.mouse.move(knob["x"] + knob["width"] / 2, knob["y"] + knob["height"] / 2)
    await page.mouse.down()
    await page.mouse.move(box["x"] + box["width"] * 0.75, box["y"] + 50)
    await page.mouse.up()
    await expect(divider).to_have_attribute("aria-valuenow", "75")
    await page.get_by_role("radio", name="Side by side").check()
    await expect(divider).to_be_hidden()
    await photographed(page, "side-by-side")


@asynchronous_for(LIMIT)
async def test_a_program_with_its_own_camera_has_only_dials_and_figures(
    tmp_path: Path,
) -> None:
    needs_chromium()
    shade = Shade(FIRST)
    stats = Stats(captured=100, dropped=25, fps_out=24.6, latency_p50_ms=51.2)
    app = create_control_app(shade, statistics=lambda: stats)
    with RemoteControl(app) as remote:
        async with chromium(tmp_path) as page:
            problems = await opened(page, remote.url)
            await state(page, "Live")
            await expect(page.locator("#stage")).to_be_hidden()
            for figure, text in (("fps", "25"), ("delay", "51"), ("drops", "25")):
                await expect(page.locator(f"#figure-{figure}")).to_have_text(
                    text, timeout=TIMEOUT_MS
                )
            await page.get_by_role("slider", name="Strength").fill("0.25")
            await until(lambda: shade.settings.strength == 0.25, "the dial to move the filter")
            await page.get_by_role("button", name="Forget the past").click()
            await until(lambda: shade.resets == 1, "the past to be forgotten")
            await page.get_by_text("Expert settings").click()
            await dials_are_described(page)
            await photographed(page, "remote-control")
            assert problems == []


async def dials_are_described(page: Page) -> None:
    """Check that each dial shows the description of its setting."""
    schema = FilterSettings.model_json_schema()["properties"]
    own_fields = {"prompt", "lora_weights", "control_scale", "image_prompt_scale"}
    for name in schema.keys() - own_fields:
        text = schema[name]["description"].replace("`", "")
        await expect(page.locator(f"#dial-{name}-hint")).to_have_text(text)
