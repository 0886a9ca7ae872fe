"""The HTTP API of settings, the same for a server of sessions and for one running filter."""

from collections.abc import Callable
from typing import Protocol

from aiohttp import web

from turbolens.filter import FilterSettings
from turbolens.filter.diffusion.vocabulary import Vocabulary, readings
from turbolens.pipelines.webrtc.control.controls import (
    Controls,
    Data,
    schema,
    with_readings,
    within_limits,
)

from .answers import Handler, Refused, as_json
from .models_api import add_models_route
from .options import ServerOptions
from .security import json_of


class SettingsHost(Protocol):
    """What the API needs from the program that it belongs to. All data is ready for JSON."""

    @property
    def options(self) -> ServerOptions:
        """The limits of requests, and the adapters of the model."""
        ...

    def status(self) -> Data:
        """The state of the model and of the server."""
        ...

    def looks(self) -> Data:
        """The looks of the model."""
        ...

    def settings(self) -> FilterSettings:
        """The settings that a new session starts with."""
        ...

    def change_settings(self, changes: Data) -> None:
        """Change these settings. Raises `SettingsError`."""
        ...

    @property
    def vocabulary(self) -> Vocabulary | None:
        """The words of the model; `None` if it takes any prompt, or is still loading."""
        ...

    def snapshots(self) -> list[Data]:
        """The state of every session."""
        ...

    def snapshot(self, identity: str) -> Data:
        """The state of one session. Raises `NoSuchSessionError`."""
        ...

    def controls(self, identity: str) -> Controls:
        """The controls of one session. Raises `NoSuchSessionError`."""
        ...


HOST: web.AppKey[SettingsHost] = web.AppKey("settings_host", SettingsHost)


def add_settings_routes(app: web.Application, host: SettingsHost) -> None:
    """Add the routes below /api that both servers have."""
    app[HOST] = host
    router = app.router
    router.add_get("/api/status", _answer(lambda host: host.status()))
    router.add_get("/api/looks", _answer(lambda host: host.looks()))
    router.add_get("/api/schema", _answer(_schema))
    router.add_get("/api/reading", _reading)
    add_models_route(app)
    router.add_get("/api/settings", _answer(_first_settings))
    router.add_patch("/api/settings", _change_settings)
    router.add_get("/api/sessions", _answer(lambda host: {"sessions": host.snapshots()}))
    router.add_get("/api/sessions/{id}", _session, name="session")
    router.add_get("/api/sessions/{id}/settings", _session_settings)
    router.add_patch("/api/sessions/{id}/settings", _change_session_settings)
    router.add_post("/api/sessions/{id}/reset", _reset)


def _answer(data: Callable[[SettingsHost], Data]) -> Handler:
    async def answer(request: web.Request) -> web.StreamResponse:
        return as_json(data(request.app[HOST]))

    return answer


def _schema(host: SettingsHost) -> Data:
    return schema(host.options.limits, host.options.adapters)


def _first_settings(host: SettingsHost) -> Data:
    return with_readings(host.settings(), host.vocabulary)


async def _reading(request: web.Request) -> web.Response:
    """How the model reads a prompt that is not set yet."""
    text = request.query.get("prompt")
    if text is None:
        raise Refused(400, "the prompt to read must be given: api/reading?prompt=TEXT")
    settings = within_limits(FilterSettings(prompt=text), request.app[HOST].options.limits)
    found = readings(request.app[HOST].vocabulary, settings.weighted_prompts)
    return as_json({"reading": found[0].as_dict() if found else None})


def _controls(request: web.Request) -> Controls:
    return request.app[HOST].controls(request.match_info["id"])


async def _change_settings(request: web.Request) -> web.Response:
    host = request.app[HOST]
    host.change_settings(await json_of(request, host.options))
    return as_json(_first_settings(host))


async def _session(request: web.Request) -> web.Response:
    return as_json(request.app[HOST].snapshot(request.match_info["id"]))


async def _session_settings(request: web.Request) -> web.Response:
    return as_json(_controls(request).state())


async def _change_session_settings(request: web.Request) -> web.Response:
    controls = _controls(request)
    changes = await json_of(request, request.app[HOST].options)
    controls.set(changes)
    return as_json(controls.state())


async def _reset(request: web.Request) -> web.Response:
    controls = _controls(request)
    controls.reset()
    return as_json(controls.state())
