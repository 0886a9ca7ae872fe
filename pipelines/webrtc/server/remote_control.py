"""`RemoteControl`: the page of dials for a filter that runs in this program, as a webcam's does."""

import asyncio
import logging
from collections.abc import Callable
from concurrent.futures import Future
from threading import Thread
from types import TracebackType

from aiohttp import web

from turbolens.filter import MediaError
from turbolens.pipelines.base import AdjustableFilter
from turbolens.pipelines.webrtc.control.controls import Controls, Data, schema

from . import pages
from .answers import Refused, answer_errors, as_json
from .model_slot import described
from .options import ServerOptions
from .security import guard, json_of

logger = logging.getLogger(__name__)

SESSION = "local"
CONTROLS: web.AppKey[Controls] = web.AppKey("controls", Controls)
OPTIONS: web.AppKey[ServerOptions] = web.AppKey("options", ServerOptions)
STOP_SECONDS = 5.0


def create_control_app(
    frame_filter: AdjustableFilter,
    options: ServerOptions | None = None,
    *,
    statistics: Callable[[], Data] = dict,
) -> web.Application:
    """The settings part of the HTTP API, and the page, for one filter: a session called "local".

    statistics: what the page is to show, as plain data; called on the server's thread.
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


class RemoteControl:
    """Serves a control application on a thread of its own, from `with` to its end.

    `url` is where. Raises `MediaError` where it cannot listen.
    """

    def __init__(self, app: web.Application, *, host: str = "127.0.0.1", port: int = 0) -> None:
        self._app, self._host, self._port = app, host, port
        self._thread = Thread(target=self._run, name="remote control", daemon=True)
        self._started: Future[int] = Future()
        self._stop: Callable[[], object] = lambda: None

    @property
    def url(self) -> str:
        """Where the page is."""
        host = f"[{self._host}]" if ":" in self._host else self._host
        return f"http://{host}:{self._port}/"

    def __enter__(self) -> "RemoteControl":
        self._thread.start()
        self._port = self._started.result()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._stop()
        self._thread.join(STOP_SECONDS)

    def _run(self) -> None:
        try:
            asyncio.run(self._serve())
        except Exception as error:  # the edge of the thread: raised by `with`
            if self._started.done():
                logger.exception("the page of dials has ended")
            else:
                self._started.set_exception(error)

    async def _serve(self) -> None:
        loop, stop = asyncio.get_running_loop(), asyncio.Event()
        self._stop = lambda: loop.call_soon_threadsafe(stop.set)
        runner = web.AppRunner(self._app, access_log=None, shutdown_timeout=1.0)
        await runner.setup()
        try:
            await web.TCPSite(runner, self._host, self._port).start()
            self._started.set_result(int(runner.addresses[0][1]))
            await stop.wait()
        except OSError as error:
            raise MediaError(
                f"cannot listen at {self._host} port {self._port}: {error.strerror}"
            ) from error
        finally:
            await runner.cleanup()
