"""`RemoteControl`: settings of a filter in this program over HTTP, from another thread."""

import socket
import threading

import aiohttp
import pytest

from tests.pipelines.webrtc.conftest import Shade, asynchronous
from turbolens.filter import MediaError
from turbolens.pipelines import Stats
from turbolens.pipelines.webrtc import RemoteControl, ServerOptions, create_control_app


@asynchronous
async def test_settings_are_read_and_changed_over_http() -> None:
    shade = Shade()
    app = create_control_app(shade, statistics=lambda: Stats(fps_out=25.0))
    with RemoteControl(app) as control:
        async with aiohttp.ClientSession(control.url) as client:
            status = await (await client.get("/api/status")).json()
            assert (status["mode"], status["model"]["state"]) == ("control", "ready")
            for path in ("/api/settings", "/api/sessions/local/settings"):
                async with client.patch(path, json={"strength": 0.3}) as response:
                    assert (await response.json())["settings"]["strength"] == 0.3
            assert shade.settings.strength == 0.3
            assert (await client.patch("/api/settings", json={"strength": 3})).status == 400
            assert (await client.post("/api/sessions/local/reset")).status == 200
            assert shade.resets == 1
            listed = await (await client.get("/api/sessions")).json()
            assert listed["sessions"][0]["statistics"] == Stats(fps_out=25.0).as_dict()
            assert (await client.get("/")).status == 200
            assert (await client.get("/api/schema")).status == 200
            assert (await client.get("/api/looks")).status == 200
            assert (await client.post("/api/sessions", json={})).status == 409
    assert not [thread for thread in threading.enumerate() if thread.name == "remote control"]


@asynchronous
async def test_token_host_and_origin_are_checked() -> None:
    app = create_control_app(Shade(), ServerOptions(token="a-long-token"))  # noqa: S106
    with RemoteControl(app) as control:
        async with aiohttp.ClientSession(control.url) as client:
            assert (await client.get("/api/settings")).status == 401
            evil = {"Host": "evil.example", "Authorization": "Bearer a-long-token"}
            assert (await client.get("/api/settings", headers=evil)).status == 403
            page = {"Origin": "https://evil.example", "Authorization": "Bearer a-long-token"}
            assert (await client.get("/api/settings", headers=page)).status == 403


def test_a_port_in_use_is_a_media_error() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        control = RemoteControl(create_control_app(Shade()), port=port)
        with pytest.raises(MediaError, match=f"cannot listen at 127.0.0.1 port {port}"), control:
            pass
