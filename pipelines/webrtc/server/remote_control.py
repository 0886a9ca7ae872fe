"""The control page of a filter that runs in this program, such as a webcam's."""

from collections.abc import Callable
from typing import Any

from aiohttp import web

from turbolens.filter import FilterSettings, NoSuchSessionError
from turbolens.filter.diffusion.vocabulary import Vocabulary
from turbolens.pipelines.base import Adjustable
from turbolens.pipelines.statistics import Stats
from turbolens.pipelines.webrtc.control.controls import Controls, Data

from . import pages
from .answers import Refused, answer_errors
from .background import BackgroundServer
from .call_api import CallApi, CallHost
from .model_slot import described
from .options import ServerOptions
from .security import guard
from .settings_api import add_settings_routes

SESSION = "local"


def create_control_app(
    frame_filter: Adjustable,
    options: ServerOptions | None = None,
    *,
    statistics: Callable[[], Stats] = Stats,
    call: CallHost | None = None,
) -> web.Application:
    """The page and the settings API for one filter. It is the session "local".

    statistics: returns the figures for the page; called on the server's thread. call: what the page
    shows and changes besides the settings; `None` if there is nothing else.
    """
    options = options or ServerOptions()
    app = web.Application(
        middlewares=[answer_errors, guard(options), answer_errors],
        client_max_size=options.limits.body_bytes,
    )
    api = None if call is None else CallApi(call)
    add_settings_routes(app, FilterHost(frame_filter, options, statistics, call=api))
    if api is not None:
        api.add_routes(app)
    app.router.add_post("/api/sessions", _refuse)
    pages.add_routes(app)
    return app


class FilterHost:
    """One running filter as the host of the settings API."""

    def __init__(
        self,
        frame_filter: Adjustable,
        options: ServerOptions,
        statistics: Callable[[], Stats],
        *,
        call: CallApi | None = None,
    ) -> None:
        self.options, self._filter, self._call = options, frame_filter, call
        self._model: Any = getattr(frame_filter, "model", None)
        self._controls = Controls(
            frame_filter, options.limits, statistics=statistics, describe=self._describe
        )

    def _describe(self) -> Data:
        session = {"id": SESSION, "kind": SESSION, "name": SESSION, "state": "connected"}
        return {"session": session, "model": described(self._model)}

    def status(self) -> Data:
        """A model that is ready, and no way to connect a browser's camera."""
        ready = {"state": "ready", "message": "ready", "seconds": 0.0}
        return {
            "mode": "control", "model": {**described(self._model), **ready}, "sessions": 1,
            "max_sessions": 1, "ice_servers": [], "bit_rate": 0, "call": self._call is not None,
        }  # fmt: skip

    def looks(self) -> Data:
        """The looks of the model, and in a call the addresses of their thumbnails."""
        model = described(self._model)
        thumbnails = {} if self._call is None else {"thumbnails": self._call.thumbnails()}
        return {"model": model["name"], "looks": model["looks"], **thumbnails}

    def settings(self) -> FilterSettings:
        """The settings of the next frame."""
        return self._filter.settings

    def change_settings(self, changes: Data) -> None:
        """Change them from the next frame on. Raises `SettingsError`."""
        self._controls.set(changes)

    @property
    def vocabulary(self) -> Vocabulary | None:
        """The words of the model; `None` if it takes any prompt."""
        return self._controls.vocabulary

    def snapshots(self) -> list[Data]:
        """The state of the one session."""
        return [self._controls.snapshot()]

    def snapshot(self, identity: str) -> Data:
        """The state of the one session. Raises `NoSuchSessionError` for another id."""
        return self.controls(identity).snapshot()

    def controls(self, identity: str) -> Controls:
        """The controls of the filter. Raises `NoSuchSessionError` for another id."""
        if identity != SESSION:
            raise NoSuchSessionError(f"the only session here is {SESSION!r}")
        return self._controls


async def _refuse(_: web.Request) -> web.Response:
    raise Refused(409, "this program filters its own camera; a browser's goes to turbolens serve")


class RemoteControl(BackgroundServer):
    """Serves a control application on its own thread, inside a `with` block.

    `url` is the address of the page. Raises `MediaError` if it cannot listen there.
    """

    thread_name = "remote control"
