"""The HTTP API: browser sessions, and the control channel's operations for scripts."""

import re
from dataclasses import replace
from typing import Any

from aiohttp import web

from turbolens.pipelines.webrtc.control.controls import Controls, schema

from .answers import Refused, as_json
from .openapi import document
from .security import OPEN_ROUTE, json_of
from .serving import Server, server_of
from .session import Session

NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")


def add_routes(app: web.Application) -> None:
    """Everything below /api; /healthz says no more than that the server runs."""
    router = app.router
    router.add_get("/healthz", _health, name=f"{OPEN_ROUTE}_health")
    router.add_get("/api/status", _status)
    router.add_get("/api/schema", _schema)
    router.add_get("/api/looks", _looks)
    router.add_get(r"/api/looks/{number:\d{1,4}}.jpg", _thumbnail, name="thumbnail")
    router.add_get("/api/openapi.json", _openapi)
    router.add_get("/api/settings", _settings)
    router.add_patch("/api/settings", _change_settings)
    router.add_get("/api/sessions", _sessions)
    router.add_post("/api/sessions", _open)
    router.add_get("/api/sessions/{id}", _session, name="session")
    router.add_delete("/api/sessions/{id}", _end)
    router.add_get("/api/sessions/{id}/settings", _session_settings)
    router.add_patch("/api/sessions/{id}/settings", _change_session_settings)
    router.add_post("/api/sessions/{id}/reset", _reset)


async def _health(request: web.Request) -> web.Response:
    return as_json({"status": "ok", "model": server_of(request).slot.state})


async def _status(request: web.Request) -> web.Response:
    server = server_of(request)
    return as_json({
        "mode": "server",
        "model": {**server.slot.describe(), **server.slot.status()},
        "sessions": len(server.sessions),
        "max_sessions": server.options.limits.sessions,
        "ice_servers": _ice_servers(server),
        "bit_rate": server.options.bit_rate,
    })  # fmt: skip


def _ice_servers(server: Server) -> list[dict[str, str]]:
    """As a browser's RTCPeerConnection takes them."""
    return [
        {"urls": each.url, **({"username": each.username, "credential": each.credential or ""}
                              if each.username is not None else {})}
        for each in server.options.ice_servers
    ]  # fmt: skip


async def _schema(request: web.Request) -> web.Response:
    options = server_of(request).options
    return as_json(schema(options.limits, options.adapters))


async def _looks(request: web.Request) -> web.Response:
    slot = server_of(request).slot
    thumbnails = [f"api/looks/{number}.jpg" for number in range(len(slot.looks))]
    return as_json({
        "model": slot.describe()["name"], "looks": list(slot.looks), "thumbnails": thumbnails,
    })  # fmt: skip


async def _thumbnail(request: web.Request) -> web.Response:
    server = server_of(request)
    number = int(request.match_info["number"])
    picture = await server.thumbnails.get(number, server.slot, server.batcher)
    return web.Response(
        body=picture, content_type="image/jpeg", headers={"Cache-Control": "private, max-age=3600"}
    )


async def _openapi(request: web.Request) -> web.Response:
    return as_json(document(server_of(request).options.limits))


async def _settings(request: web.Request) -> web.Response:
    settings = server_of(request).first_settings
    return as_json({"settings": settings.model_dump(mode="json")})


async def _change_settings(request: web.Request) -> web.Response:
    server = server_of(request)
    changes = await json_of(request, server.options)
    server.options = replace(server.options, settings=server.new_settings(changes))
    return await _settings(request)


async def _sessions(request: web.Request) -> web.Response:
    return as_json({"sessions": [_said(session) for session in server_of(request).sessions]})


def _said(session: Session) -> dict[str, Any]:
    if session.controls is not None:
        return session.controls.snapshot()
    return {**session.describe(), "settings": None, "statistics": session.statistics().as_dict()}


async def _open(request: web.Request) -> web.Response:
    server = server_of(request)
    body = await json_of(request, server.options)
    offer, name = body.get("sdp"), body.get("name", "")
    changes = body.get("settings", {})
    if not isinstance(offer, str) or not isinstance(changes, dict):
        raise Refused(400, 'the body must be {"sdp": OFFER, "settings": {…}, "name": NAME}')
    if not isinstance(name, str) or (name and not NAME.fullmatch(name)):
        raise Refused(400, "a name has 1 to 64 letters, digits, - and _")
    session, answer = await server.open_filtering(
        "browser", name, offer, changes=changes, sends_back=True
    )
    place = str(request.app.router["session"].url_for(id=session.id))
    data = {"id": session.id, "type": "answer", "sdp": answer, "location": place}
    return as_json(data, status=201, headers={"Location": place})


def _session_of(request: web.Request) -> Session:
    return server_of(request).sessions[request.match_info["id"]]


def _controls_of(request: web.Request) -> Controls:
    controls = _session_of(request).controls
    if controls is None:
        raise Refused(409, "this session plays what another filters; it has no settings")
    return controls


async def _session(request: web.Request) -> web.Response:
    return as_json(_said(_session_of(request)))


async def _end(request: web.Request) -> web.Response:
    server_of(request).sessions.end(_session_of(request), "ended by request")
    return as_json({})


async def _session_settings(request: web.Request) -> web.Response:
    return as_json({"settings": _controls_of(request).settings})


async def _change_session_settings(request: web.Request) -> web.Response:
    controls = _controls_of(request)
    changes = await json_of(request, server_of(request).options)
    return as_json({"settings": controls.set(changes)})


async def _reset(request: web.Request) -> web.Response:
    return as_json({"settings": _controls_of(request).reset()})
