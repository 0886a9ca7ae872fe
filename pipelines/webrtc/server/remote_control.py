"""`RemoteControl`: the page of dials for a filter that runs in this program, as a webcam's does."""

from collections.abc import Callable

from aiohttp import web

from turbolens.pipelines.base import AdjustableFilter
from turbolens.pipelines.statistics import Stats
from turbolens.pipelines.webrtc.control.controls import Controls, Data, schema

from . import pages
from .answers import Refused, answer_errors, as_json
from .background import BackgroundServer
from .model_slot import described
from .options import ServerOptions
from .security import guard, json_of

SESSION = "local"
CONTROLS: web.AppKey[Controls] = web.AppKey("controls", Controls)
OPTIONS: web.AppKey[ServerOptions] = web.AppKey("options", ServerOptions)


def create_control_app(
    frame_filter: AdjustableFilter,
    options: ServerOptions | None = None,
    *,
    statistics: Callable[[], Stats] = Stats,
) -> web.Application:
    """The settings part of the HTTP API, and the page, for one filter: a session called "local".

    statistics: the figures that the page shows; called on the server's thread.
    """
    options = options or ServerOptions()
    app = web.Application(
        middlewares=[answer_errors, guard(options), answer_errors],
        client_max_size=options.limits.body_bytes,
    )
    model = getattr(frame_filter, "model", None)
    app[OPTIONS] = options
    app[CONTROLS] = Controls(
        frame_filter, options.limits, statistics=statistics,
        describe=lambda: {"session": _session(), "model": described(model)},
    )  # fmt: skip
    _add_routes(app.router)
    pages.add_routes(app)
    return app


def _add_routes(router: web.UrlDispatcher) -> None:
    router.add_get("/api/status", _status)
    router.add_get("/api/schema", _schema)
    router.add_get("/api/looks", _looks)
    router.add_get("/api/sessions", _sessions)
    router.add_post("/api/sessions", _refuse)
    router.add_get(f"/api/sessions/{SESSION}", _snapshot)
    router.add_post(f"/api/sessions/{SESSION}/reset", _reset)
    for path in ("/api/settings", f"/api/sessions/{SESSION}/settings"):
        router.add_get(path, _settings)
        router.add_patch(path, _change_settings)


def _session() -> Data:
    return {"id": SESSION, "kind": SESSION, "name": SESSION, "state": "connected"}


async def _status(request: web.Request) -> web.Response:
    model = request.app[CONTROLS].snapshot()["model"]
    ready = {"state": "ready", "message": "ready", "seconds": 0.0}
    return as_json({"mode": "control", "model": {**model, **ready}, "sessions": 1,
                    "max_sessions": 1, "ice_servers": [], "bit_rate": 0})  # fmt: skip


async def _schema(request: web.Request) -> web.Response:
    options = request.app[OPTIONS]
    return as_json(schema(options.limits, options.adapters))


async def _looks(request: web.Request) -> web.Response:
    model = request.app[CONTROLS].snapshot()["model"]
    return as_json({"model": model["name"], "looks": model["looks"]})


async def _sessions(request: web.Request) -> web.Response:
    return as_json({"sessions": [request.app[CONTROLS].snapshot()]})


async def _refuse(request: web.Request) -> web.Response:
    raise Refused(409, "this program filters its own camera; a browser's goes to turbolens serve")


async def _snapshot(request: web.Request) -> web.Response:
    return as_json(request.app[CONTROLS].snapshot())


async def _settings(request: web.Request) -> web.Response:
    return as_json({"settings": request.app[CONTROLS].settings})


async def _change_settings(request: web.Request) -> web.Response:
    changes = await json_of(request, request.app[OPTIONS])
    return as_json({"settings": request.app[CONTROLS].set(changes)})


async def _reset(request: web.Request) -> web.Response:
    return as_json({"settings": request.app[CONTROLS].reset()})


class RemoteControl(BackgroundServer):
    """Serves a control application on its own thread, inside a `with` block.

    `url` is the address of the page. Raises `MediaError` if it cannot listen there.
    """

    thread_name = "remote control"
