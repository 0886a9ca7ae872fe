"""The server over HTTP: the page, the API, and requests that it refuses."""

import asyncio
import io
import json
import re
import threading
import time

import av
import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer

from tests.pipelines.webrtc.conftest import (
    Peer,
    Shade,
    ShadeModel,
    asynchronous,
    detail,
    new_shade,
    serving,
    until,
)
from turbolens.filter import FilterSettings, ModelNotFoundError, SettingsError
from turbolens.pipelines.webrtc import ServerOptions, create_app
from turbolens.pipelines.webrtc.server.answers import as_json
from turbolens.pipelines.webrtc.server.negotiation import SERVER

TOKEN = "a-token-of-this-test"  # noqa: S105
BEARER = {"Authorization": f"Bearer {TOKEN}"}
SDP = {"Content-Type": "application/sdp"}
METRICS = {
    "sessions", "sessions_opened_total", "sessions_refused_total", "model_ready",
    "frames_delivered_total", "frames_dropped_total", "received_fps", "delivered_fps",
    "filtered_fps", "latency_milliseconds", "filter_milliseconds", "batches_total",
    "gpu_memory_bytes",
}  # fmt: skip
POST = b"POST /whip/a HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/sdp\r\n"


@asynchronous
async def test_the_page_is_served_with_a_strict_policy() -> None:
    async with serving() as (client, _), client.get("/") as response:
        assert response.status == 200
        assert response.content_type == "text/html"
        policy = response.headers["Content-Security-Policy"]
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
        assert response.headers["X-Content-Type-Options"] == "nosniff"


@pytest.mark.parametrize(
    "path", ["/../pyproject.toml", "/%2e%2e/%2e%2e/pyproject.toml", "/..%2fbase.py", "/__init__.py",
             "/nothing", "/whip/", "/whip/a/b/c", "/whip/a%2fb", "/whip/..", "/whip/" + "a" * 65]
)  # fmt: skip
@asynchronous
async def test_unknown_paths_are_404(path: str) -> None:
    async with serving() as (client, _):
        url = client.make_url("/").join(client.make_url("/")).with_path(path, encoded=True)
        async with client.session.get(url) as response:
            assert response.status == 404
            await detail(response)


@asynchronous
async def test_the_status_is_loading_until_the_model_is_ready() -> None:
    loading = threading.Event()

    def load() -> ShadeModel:
        assert loading.wait(30)
        return ShadeModel()

    app = create_app(load, make_filter=new_shade)
    async with TestClient(TestServer(app)) as client:
        status = await (await client.get("/api/status")).json()
        assert (status["model"]["state"], status["sessions"]) == ("loading", 0)
        peer = Peer()
        async with client.post("/api/sessions", json={"sdp": await peer.offer()}) as response:
            assert response.status == 503
            assert response.headers["Retry-After"]
            assert "loading" in await detail(response)
        await peer.close()
        loading.set()
        await until(lambda: app[SERVER].slot.state == "ready")
        status = await (await client.get("/api/status")).json()
        assert status["model"]["looks"] == ["dark", "bright"]


@asynchronous
async def test_the_status_has_the_reason_of_a_failed_load() -> None:
    def load() -> ShadeModel:
        raise ModelNotFoundError("there is no model of that name")

    async with serving(model=load) as (client, _):
        status = await (await client.get("/api/status")).json()
        assert status["model"]["state"] == "failed"
        assert "there is no model of that name" in status["model"]["message"]


@asynchronous
async def test_internal_errors_are_not_disclosed() -> None:
    def load() -> ShadeModel:
        raise OSError("/home/somebody/secret: permission denied")

    async with serving(model=load) as (client, _):
        assert "secret" not in await (await client.get("/api/status")).text()


@asynchronous
async def test_schema_looks_and_openapi_document_are_served() -> None:
    async with serving() as (client, _):
        schema = await (await client.get("/api/schema")).json()
        assert list(schema["properties"]) == list(FilterSettings.model_fields)
        looks = await (await client.get("/api/looks")).json()
        assert looks["looks"] == ["dark", "bright"]
        document = await (await client.get("/api/openapi.json")).json()
        assert document["openapi"].startswith("3.1")


@asynchronous
async def test_the_openapi_document_lists_exactly_the_routes() -> None:
    async with serving() as (client, _):
        document = await (await client.get("/api/openapi.json")).json()
        app = client.app
        assert app is not None
        found = {
            (resource.canonical.split(":")[0], route.method.lower())
            for resource in app.router.resources() for route in resource
            if route.method != "HEAD" and re.match(
                "/(api/|wh|he|view/|metrics)", resource.canonical
            )
        }  # fmt: skip
        documented = {(path, method) for path, methods in document["paths"].items()
                for method in methods if method != "parameters"}  # fmt: skip
        assert documented | {("/api/openapi.json", "get"), ("/metrics", "get")} >= found
        assert {(path.split(":")[0], method) for path, method in documented} <= found


@asynchronous
async def test_initial_settings_can_be_changed_within_their_ranges() -> None:
    async with serving() as (client, server):
        async with client.patch("/api/settings", json={"strength": 0.2}) as response:
            assert (await response.json())["settings"]["strength"] == 0.2
        async with client.patch("/api/settings", json={"strength": 7}) as response:
            assert response.status == 400
            assert "strength" in await detail(response)
        assert server.options.settings.strength == 0.2


def test_initial_settings_beyond_the_limits_are_refused_at_start() -> None:
    options = ServerOptions(settings=FilterSettings(size=2048))
    with pytest.raises(SettingsError, match="at most 1024"):
        create_app(ShadeModel(), options)


def test_the_name_of_a_model_is_refused() -> None:
    with pytest.raises(SettingsError, match=r"got 'embedded'; .*TurboModel\.load\('embedded'\)"):
        create_app("embedded")


@asynchronous
async def test_metrics_are_prometheus_text() -> None:
    async with serving() as (client, _), client.get("/metrics") as response:
        text = await response.text()
        assert response.headers["Content-Type"].startswith("text/plain; version=0.0.4")
        assert 'turbolens_sessions{kind="browser"} 0' in text
        for line in text.splitlines():
            assert line.startswith("# ") or len(line.split(" ")) == 2
        names = {line.split(" ")[2] for line in text.splitlines() if line.startswith("# TYPE")}
        assert names == {f"turbolens_{name}" for name in METRICS}


@asynchronous
async def test_it_can_be_mounted_into_another_application() -> None:
    outer = web.Application()
    outer.add_subapp("/filter/", create_app(ShadeModel(), make_filter=new_shade))
    async with TestClient(TestServer(outer)) as client:
        assert (await client.get("/filter/")).status == 200
        assert (await client.get("/filter/api/status")).status == 200
        assert (await client.get("/api/status")).status == 404


@pytest.mark.slow
@asynchronous
async def test_every_look_has_a_thumbnail_and_no_other_number_does() -> None:
    async with serving() as (client, server):
        looks = await (await client.get("/api/looks")).json()
        assert len(looks["thumbnails"]) == len(looks["looks"]) == 2
        for place in looks["thumbnails"] * 2:
            async with client.get(f"/{place}") as response:
                assert response.content_type == "image/jpeg"
                with av.open(io.BytesIO(await response.read()), "r") as picture:
                    frame = next(picture.decode(video=0))
                assert (frame.width, frame.height) == (256, 192)
        assert server.batcher.sizes == {1: 2}  # made once
        for number in ("2", "9999", "99999", "-1", "x"):
            assert (await client.get(f"/api/looks/{number}.jpg")).status == 404


def test_json_responses_are_not_cached() -> None:
    assert as_json({}).headers["Cache-Control"] == "no-store"
    assert json.loads(as_json({"a": 1}).text or "") == {"a": 1}


class Slow(Shade):
    """A filter that is fast enough only at the smallest size."""

    def __call__(self, frame: av.VideoFrame) -> av.VideoFrame:
        if self.settings.size != 256:
            time.sleep(0.2)
        return super().__call__(frame)


class LargeModel(ShadeModel):
    native_size = 512


@pytest.mark.slow
@pytest.mark.parametrize(("asked", "size"), [(None, 256), (512, None)])
@asynchronous
async def test_a_slow_machine_gets_a_smaller_working_size(
    asked: int | None, size: int | None
) -> None:
    settings = FilterSettings(size=asked)
    async with serving(
        model=LargeModel(), make_filter=lambda model, settings: Slow(settings), settings=settings
    ) as (_, server):
        assert server.slot.live_size == size


@asynchronous
async def test_a_server_is_ready_before_its_working_size_is_measured() -> None:
    """The first session ends the measurement, which never ends here, and keeps the estimate."""

    class Settling(Shade):
        settling = True  # faster networks are being prepared

    async with serving(
        model=LargeModel(), make_filter=lambda model, settings: Settling(settings)
    ) as (_, server):
        measuring = [each for each in threading.enumerate() if each.name == "load model"][-1]
        estimate = server.slot.live_size
        server.slot.new_filter(FilterSettings())
        await asyncio.to_thread(measuring.join)
        assert (server.slot.state, server.slot.live_size) == ("ready", estimate)


@asynchronous
async def test_the_measurement_of_the_working_size_ends_with_the_server() -> None:
    class Settling(Shade):
        settling = True

    async with serving(
        model=LargeModel(), make_filter=lambda model, settings: Settling(settings)
    ) as (_, _):
        measuring = [each for each in threading.enumerate() if each.name == "load model"][-1]
    await asyncio.to_thread(measuring.join)


@asynchronous
async def test_sessions_start_with_the_fewest_steps_of_the_model() -> None:
    model = ShadeModel()
    model.steps = (2, 4)
    async with serving(model=model) as (client, _):
        await client.patch("/api/settings", json={"strength": 0.2})
        assert (await (await client.get("/api/settings")).json())["settings"]["steps"] == 2
        await client.patch("/api/settings", json={"steps": 1})
        assert (await (await client.get("/api/settings")).json())["settings"]["steps"] == 1


@asynchronous
async def test_the_live_size_applies_unless_a_size_is_asked_for() -> None:
    async with serving() as (client, server):
        server.slot.live_size = 320
        assert (await (await client.get("/api/settings")).json())["settings"]["size"] == 320
        assert server.new_settings({}).size == 320
        assert server.new_settings({"size": 512}).size == 512
        await client.patch("/api/settings", json={"size": 448})
        assert server.new_settings({}).size == 448
