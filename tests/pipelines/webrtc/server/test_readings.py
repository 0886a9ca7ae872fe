"""How the model reads a prompt, over HTTP and the data channel."""

from typing import Any

import aiohttp

from tests.pipelines.webrtc.conftest import (
    Shade,
    ShadeModel,
    asynchronous,
    browser,
    detail,
    serving,
)
from turbolens.filter import FilterSettings
from turbolens.filter.diffusion.vocabulary import Vocabulary
from turbolens.pipelines.webcam.control_page import CurrentFilter
from turbolens.pipelines.webrtc import RemoteControl, create_control_app

VOCABULARY = Vocabulary({"dark": ["dark", "night scene"], "bright": ["bright", "shiny glass"]})


class LooksModel(ShadeModel):
    """A model with a fixed list of looks."""

    vocabulary = VOCABULARY


class LooksShade(Shade):
    """A filter of such a model."""

    model = LooksModel()


def new_filter(_: Any, settings: FilterSettings) -> LooksShade:
    return LooksShade(settings)


@asynchronous
async def test_an_answer_tells_how_the_prompts_are_read() -> None:
    serve = serving(model=LooksModel(), make_filter=new_filter)
    async with serve as (client, _), browser(client) as peer:
        answer = await peer.ask("set", prompt=[["dark dragon", 1.0], ["zombie", 0.5]])
        dark, zombie = answer["result"]["readings"]
        assert (dark["looks"], dark["unknown"]) == (["dark"], ["dragon"])
        assert dark["message"] == "prompt 'dark dragon' is read as dark; unknown words: dragon"
        assert (zombie["looks"], zombie["replacement"]) == ([], "dark")
        assert answer["result"]["settings"]["prompt"] == [["dark dragon", 1.0], ["zombie", 0.5]]
        for op in ("get", "reset", "snapshot"):
            assert (await peer.ask(op))["result"]["readings"] == [dark, zombie]
        ((session,),) = (await (await client.get("/api/sessions")).json()).values()
        path = f"/api/sessions/{session['session']['id']}/settings"
        async with client.patch(path, json={"prompt": "shiny glass"}) as response:
            (reading,) = (await response.json())["readings"]
            assert (reading["looks"], reading["message"]) == (["bright"], "")


@asynchronous
async def test_a_prompt_can_be_read_before_it_is_set() -> None:
    async with serving(model=LooksModel(), make_filter=new_filter) as (client, _):
        async with client.get("/api/reading", params={"prompt": "zombie"}) as response:
            reading = (await response.json())["reading"]
        assert (reading["replacement"], reading["unknown"]) == ("dark", ["zombie"])
        async with client.get("/api/reading") as response:
            assert "api/reading?prompt=TEXT" in await detail(response)
        async with client.get("/api/reading", params={"prompt": "x" * 2001}) as response:
            assert response.status == 400
        async with client.patch("/api/settings", json={"prompt": "zombie"}) as response:
            assert (await response.json())["readings"] == [reading]


@asynchronous
async def test_a_model_for_any_prompt_has_no_readings() -> None:
    async with serving() as (client, _), browser(client) as peer:
        assert "readings" not in (await peer.ask("set", prompt="zombie"))["result"]
        async with client.get("/api/reading", params={"prompt": "zombie"}) as response:
            assert await response.json() == {"reading": None}


@asynchronous
async def test_the_control_page_of_a_call_reads_prompts() -> None:
    shade = Shade()
    app = create_control_app(CurrentFilter(lambda: shade, VOCABULARY.looks, VOCABULARY))
    with RemoteControl(app) as control:
        async with aiohttp.ClientSession(control.url) as client:
            async with client.patch("/api/settings", json={"prompt": "zombie"}) as response:
                assert (await response.json())["readings"][0]["replacement"] == "dark"
            async with client.get("/api/reading", params={"prompt": "brihgt"}) as response:
                assert (await response.json())["reading"]["looks"] == ["bright"]
