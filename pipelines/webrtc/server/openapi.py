"""The OpenAPI document of the HTTP API."""

from typing import Any

import turbolens
from turbolens.pipelines.statistics import SessionStats
from turbolens.pipelines.webrtc.control.controls import schema
from turbolens.pipelines.webrtc.limits import Limits

Data = dict[str, Any]

PROBLEM = {
    "description": "One sentence says what is wrong and what to do.",
    "content": {"application/problem+json": {"schema": {
        "type": "object",
        "properties": {"status": {"type": "integer"}, "detail": {"type": "string"}},
    }}},
}  # fmt: skip
SETTINGS = {"$ref": "#/components/schemas/FilterSettings"}
CHANGES: Data = {"type": "object", "description": "Some of the FilterSettings, by name."}
WITH_SETTINGS = {"type": "object", "properties": {"settings": SETTINGS}}
SNAPSHOT: Data = {
    "type": "object",
    "properties": {
        "session": {"type": "object", "properties": {
            "id": {"type": "string"}, "kind": {"enum": ["browser", "whip", "whep"]},
            "name": {"type": "string"}, "state": {"type": "string"}}},
        "model": {"type": "object"}, "limits": {"type": "object"},
        "settings": {"oneOf": [SETTINGS, {"type": "null"}]},
        "statistics": {"$ref": "#/components/schemas/Statistics"},
    },
}  # fmt: skip
SDP: Data = {"application/sdp": {"schema": {"type": "string"}}}
ID = {"name": "id", "in": "path", "required": True, "schema": {"type": "string"}}
NUMBER = {"name": "number", "in": "path", "required": True, "schema": {"type": "integer"}}
NAME = {
    "name": "name", "in": "path", "required": True,
    "schema": {"type": "string", "pattern": "^[A-Za-z0-9_-]{1,64}$"},
}  # fmt: skip


def document(limits: Limits) -> Data:
    """OpenAPI 3.1; addresses are relative to where the application is mounted."""
    return {
        "openapi": "3.1.0",
        "info": {"title": "Turbolens", "version": turbolens.__version__},
        "servers": [{"url": ".."}],
        "security": [{}, {"token": []}],
        "paths": _paths(),
        "components": {
            "schemas": {
                "FilterSettings": schema(limits),
                "Statistics": SessionStats.model_json_schema(),
            },
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
        },
    }


def _paths() -> Data:
    offer = {"type": "object", "required": ["sdp"], "properties": {
        "sdp": {"type": "string"}, "settings": CHANGES, "name": {"type": "string"}}}  # fmt: skip
    return {
        "/healthz": {"get": _does("Whether the server runs.")},
        "/metrics": {"get": _does("Figures for Prometheus.")},
        "/api/status": {"get": _does("The model's progress, sessions, ICE servers.")},
        "/api/schema": {"get": _does("The JSON Schema of the settings.")},
        "/api/looks": {"get": _does("The looks that the model names.")},
        "/api/looks/{number}.jpg": {"parameters": [NUMBER], "get": _does("A look as a picture.")},
        "/api/settings": {
            "get": _does("The settings that a session begins with.", gives=WITH_SETTINGS),
            "patch": _does("Change them.", takes=CHANGES, gives=WITH_SETTINGS),
        },
        "/api/sessions": {
            "get": _does("All sessions.", gives={"type": "object", "properties": {
                "sessions": {"type": "array", "items": SNAPSHOT}}}),
            "post": _does("Send video and get it back filtered.", takes=offer, status="201"),
        },
        "/api/sessions/{id}": {
            "parameters": [ID],
            "get": _does("Settings, statistics, limits.", gives=SNAPSHOT),
            "delete": _does("End it."),
        },
        "/api/sessions/{id}/settings": {
            "parameters": [ID],
            "get": _does("Its settings.", gives=WITH_SETTINGS),
            "patch": _does("Change them, from the next frame on.", takes=CHANGES,
                           gives=WITH_SETTINGS),
        },
        "/api/sessions/{id}/reset": {"parameters": [ID], "post": _does("Forget the past.")},
        "/whip/{name}": _exchange("Publish (RFC 9725)."),
        "/whip/{name}/{id}": {"parameters": [NAME, ID], "delete": _does("End it.")},
        "/whep/{name}": _exchange("Play what is published under this name."),
        "/whep/{name}/{id}": {"parameters": [NAME, ID], "delete": _does("End it.")},
    }  # fmt: skip


def _does(summary: str, *, takes: Data | None = None, gives: Data | None = None,
          status: str = "200") -> Data:  # fmt: skip
    done: Data = {"description": "Done."}
    if gives is not None:
        done["content"] = {"application/json": {"schema": gives}}
    made: Data = {"summary": summary, "responses": {status: done, "default": PROBLEM}}
    if takes is not None:
        made["requestBody"] = {"required": True, "content": {"application/json": {"schema": takes}}}
    return made


def _exchange(summary: str) -> Data:
    return {
        "parameters": [NAME],
        "post": {
            "summary": summary,
            "requestBody": {"required": True, "content": SDP},
            "responses": {
                "201": {"description": "The answer; Location ends it.", "content": SDP},
                "default": PROBLEM,
            },
        },
    }
