"""The server with a real Chromium: its camera goes out, restyled frames come back."""

import json
from pathlib import Path

import pytest
from aiohttp import web

from turbolens.filter import FilterSettings, TurboModel
from turbolens.pipelines.webrtc.server.model_slot import frame_filter

from .browsers import (
    CONNECT,
    FRAMES,
    HEIGHT,
    WIDTH,
    chromium,
    look,
    needs_chromium,
    sees,
)
from .conftest import asynchronous_for, serving, until, until_async
from .pages import counted

CAMERA = 160  # the luma below the bar, in full range


@pytest.mark.slow
@asynchronous_for(200)
async def test_the_camera_comes_back_restyled_and_a_dial_changes_it(tmp_path: Path) -> None:
    needs_chromium()
    async with serving() as (client, server), chromium(tmp_path) as page:
        await page.goto(str(client.make_url("/")))
        await page.evaluate(CONNECT, {"settings": {"strength": 0.5}})
        await sees(page, dimmed(0.5))
        delays = [(sent - received) % FRAMES for sent, received in await counted(page)]
        assert sorted(delays)[len(delays) // 2] < FRAMES // 2
        change = {"v": 1, "id": 1, "op": "set", "params": {"strength": 0.1}}
        await page.evaluate("message => channel.send(message)", json.dumps(change))
        await sees(page, dimmed(0.1))
        (session,) = server.sessions
        assert session.track is not None
        assert session.track.size == (WIDTH, HEIGHT)  # bit-rates keep it from shrinking
        events = await page.evaluate("() => messages.map(each => each.event ?? each.ok)")
        assert events[:2] == ["state", True]
        await page.evaluate("() => peer.close()")
        await until(lambda: len(server.sessions) == 0, "the end of the session")


def dimmed(strength: float) -> float:
    """The grey of the camera after the filter, as a page sees it: limited range in between."""
    luma = (16 + CAMERA * 219 / 255) * (1 - strength)
    return max(0.0, (luma - 16) * 255 / 219)


@pytest.mark.slow
@asynchronous_for(200)
async def test_the_embedded_model_restyles_what_a_browser_sends(tmp_path: Path) -> None:
    needs_chromium()
    settings = FilterSettings(prompt="blueprint", strength=1.0, size=64)
    model = TurboModel.load("embedded")
    async with (
        serving(model=lambda: model, make_filter=frame_filter, settings=settings) as (client, _),
        chromium(tmp_path) as page,
    ):
        await page.goto(str(client.make_url("/")))
        await page.evaluate(CONNECT, {"settings": {}})

        async def blue() -> bool:
            before, after = (each and each["body"] for each in await look(page))
            return bool(before and after and after[2] > after[0] + 20)

        await until_async(blue, "a blueprint")
        before, _ = await look(page)
        assert before is not None
        assert abs(before["body"][2] - before["body"][0]) < 10  # the camera is grey


@pytest.mark.slow
@asynchronous_for(200)
async def test_a_foreign_page_cannot_reach_the_server(tmp_path: Path) -> None:
    needs_chromium()

    async def foreign(request: web.Request) -> web.Response:
        return web.Response(text="<!doctype html><body>", content_type="text/html")

    async with serving() as (client, server), chromium(tmp_path) as page:
        other = web.Application()
        other.router.add_get("/", foreign)
        runner = web.AppRunner(other)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        await page.goto(f"http://localhost:{runner.addresses[0][1]}/")
        target = str(client.make_url("/api/sessions"))
        for options in ({}, {"method": "POST", "body": "{}"}, {"mode": "no-cors"}):
            result = await page.evaluate(
                "([url, options]) => fetch(url, options).then(r => r.type + r.status, e => 'no')",
                [target, options],
            )
            assert result in ("no", "opaque0")
        assert server.sessions.opened == 0
        await runner.cleanup()
