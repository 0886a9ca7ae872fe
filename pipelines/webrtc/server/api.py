"""The HTTP API of a server: its sessions, their settings, thumbnails and the API's description."""

import re
from dataclasses import replace

from aiohttp import web

from turbolens.filter import FilterSettings
from turbolens.filter.diffusion.vocabulary import Vocabulary
from turbolens.pipelines.webrtc.control.controls import Controls, Data

from .answers import Refused, as_json
from .negotiation import Server, server_of
from .openapi import document
from .options import ServerOptions
from .security import OPEN_ROUTE, json_of
from .session import Session
from .settings_api import add_settings_routes

NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")


def add_routes(app: web.Application, server: Server) -> None:
    """Add /healthz and everything below /api."""
    add_settings_routes(app, ServerHost(server))
    router = app.router
    router.add_get("/healthz", _health, name=f"{OPEN_ROUTE}_health")
    router.add_get(r"/api/looks/{number:\d{1,4}}.jpg", _thumbnail, name="thumbnail")
    router.add_get("/api/openapi.json", _openapi)
    router.add_post("/api/sessions", _open)
    router.add_delete("/api/sessions/{id}", _end)


class ServerHost:
    """A server as the host of the settings API."""

    def __init__(self, server: Server) -> None:
        self._server = server

    @property
    def options(self) -> ServerOptions:
        """The options of the server."""
        return self._server.options

    def status(self) -> Data:
        """The progress of the model, and what a browser needs to connect."""
        server, options = self._server, self._server.options
        return {
            "mode": "server",
            "model": {**server.slot.describe(), **server.slot.status()},
            "sessions": len(server.sessions),
            "max_sessions": options.limits.sessions,
            "ice_servers": [each.for_browsers() for each in options.ice_servers],
            "bit_rate": options.bit_rate,
        }

    def looks(self) -> Data:
        """The looks of the model, and the addresses of their thumbnails."""
        slot = self._server.slot
        thumbnails = [f"api/looks/{number}.jpg" for number in range(len(slot.looks))]
        return {
            "model": slot.describe()["name"], "looks": list(slot.looks), "thumbnails": thumbnails,
        }  # fmt: skip

    def settings(self) -> FilterSettings:
        """The settings that a session starts with."""
        return self._server.first_settings

    def change_settings(self, changes: Data) -> None:
        """Change them for new sessions. Raises `SettingsError`."""
        server = self._server
        server.options = replace(server.options, settings=server.new_settings(changes))

    @property
    def vocabulary(self) -> Vocabulary | None:
        """The words of the model; `None` if it takes any prompt, or is still loading."""
        return self._server.slot.vocabulary

    def snapshots(self) -> list[Data]:
        """The state of every session."""
        return [_snapshot(session) for session in self._server.sessions]

    def snapshot(self, identity: str) -> Data:
        """The state of one session. Raises `NoSuchSessionError`."""
        return _snapshot(self._server.sessions[identity])

    def controls(self, identity: str) -> Controls:
        """The controls of a session. Raises `NoSuchSessionError`; a player has none: `Refused`."""
        controls = self._server.sessions[identity].controls
        if controls is None:
            raise Refused(409, "this session plays what another filters; it has no settings")
        return controls


def _snapshot(session: Session) -> Data:
    if session.controls is not None:
        return session.controls.snapshot()
    statistics = session.statistics().as_dict()
    return {**session.describe(), "settings": None, "statistics": statistics}


async def _health(request: web.Request) -> web.Response:
    return as_json({"status": "ok", "model": server_of(request).slot.state})


async def _thumbnail(request: web.Request) -> web.Response:
    server = server_of(request)
    number = int(request.match_info["number"])
    image = await server.thumbnails.get(number, server.slot, server.batcher)
    return web.Response(
        body=image, content_type="image/jpeg", headers={"Cache-Control": "private, max-age=3600"}
    )


async def _openapi(request: web.Request) -> web.Response:
    return as_json(document(server_of(request).options.limits))


async def _open(request: web.Request) -> web.Response:
    server = server_of(request)
    offer, name, changes = offer_of(await json_of(request, server.options))
    session, answer = await server.open_filtering(
        "browser", name, offer, changes=changes, sends_back=True
    )
    location = str(request.app.router["session"].url_for(id=session.id))
    data = {"id": session.id, "type": "answer", "sdp": answer, "location": location}
    return as_json(data, status=201, headers={"Location": location})


def offer_of(body: Data) -> tuple[str, str, Data]:
    """The SDP offer, the session's name and its settings. Raises `Refused`."""
    offer, name, changes = body.get("sdp"), body.get("name", ""), body.get("settings", {})
    if not isinstance(offer, str) or not isinstance(changes, dict):
        raise Refused(400, 'the body must be {"sdp": OFFER, "settings": {…}, "name": NAME}')
    if not isinstance(name, str) or (name and not NAME.fullmatch(name)):
        raise Refused(400, "a name has 1 to 64 letters, digits, - and _")
    return offer, name, changes


async def _end(request: web.Request) -> web.Response:
    sessions = server_of(request).sessions
    sessions.end(sessions[request.match_info["id"]], "ended by request")
    return as_json({})
