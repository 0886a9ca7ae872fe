"""The OpenAPI document of the HTTP API."""

from typing import Any

import turbolens
from turbolens.pipelines.statistics import SessionStats
from turbolens.pipelines.webrtc.control.controls import schema
from turbolens.pipelines.webrtc.limits import Limits

Data = dict[str, Any]

PROBLEM = {
    "description": "The detail says in one sentence what is wrong and what to do.",
    "content": {"application/problem+json": {"schema": {
        "type": "object",
        "properties": {"status": {"type": "integer"}, "detail": {"type": "string"}},
    }}},
}  # fmt: skip
SETTINGS = {"$ref": "#/components/schemas/FilterSettings"}
CHANGES: Data = {"type": "object", "description": "Some of the FilterSettings, by name."}
READING: Data = {
    "type": "object",
    "description": "How a model with a fixed list of looks reads a prompt.",
    "properties": {
        "text": {"type": "string"}, "message": {"type": "string"},
        "looks": {"type": "array", "items": {"type": "string"}},
        "unknown": {"type": "array", "items": {"type": "string"}},
        "suggestions": {"type": "array", "items": {"type": "string"}},
        "photograph": {"type": "boolean"}, "replacement": {"type": ["string", "null"]},
    },
}  # fmt: skip
READINGS: Data = {"type": "array", "items": READING}
WITH_SETTINGS = {
    "type": "object", "properties": {"settings": SETTINGS, "readings": READINGS}
}  # fmt: skip
PROMPT: Data = {
    "name": "prompt", "in": "query", "required": True, "schema": {"type": "string"}
}  # fmt: skip
SNAPSHOT: Data = {
    "type": "object",
    "properties": {
        "session": {"type": "object", "properties": {
            "id": {"type": "string"}, "kind": {"enum": ["browser", "whip", "whep"]},
            "name": {"type": "string"}, "state": {"type": "string"}}},
        "model": {"type": "object"}, "limits": {"type": "object"},
        "settings": {"oneOf": [SETTINGS, {"type": "null"}]}, "readings": READINGS,
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
    """OpenAPI 3.1; paths are relative to the place where the application is mounted."""
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
        "/healthz": {"get": _operation("200 while the server runs.")},
        "/metrics": {"get": _operation("Metrics for Prometheus.")},
        "/api/status": {"get": _operation("The model's progress, sessions, ICE servers.")},
        "/api/schema": {"get": _operation("The JSON Schema of the settings.")},
        "/api/looks": {"get": _operation("The looks of the model.")},
        "/api/reading": {
            "parameters": [PROMPT],
            "get": _operation("How the model reads a prompt; null if it takes any prompt.", result={
                "type": "object",
                "properties": {"reading": {"oneOf": [READING, {"type": "null"}]}}}),
        },
        "/api/models": {"get": _operation("Models that this machine can run, and their needs.")},
        "/api/looks/{number}.jpg": {
            "parameters": [NUMBER], "get": _operation("The thumbnail of a look."),
        },
        "/api/settings": {
            "get": _operation("The settings that a session starts with.", result=WITH_SETTINGS),
            "patch": _operation("Change them.", body=CHANGES, result=WITH_SETTINGS),
        },
        "/api/sessions": {
            "get": _operation("All sessions.", result={"type": "object", "properties": {
                "sessions": {"type": "array", "items": SNAPSHOT}}}),
            "post": _operation("Send video and get it back filtered.", body=offer, status="201"),
        },
        "/api/sessions/{id}": {
            "parameters": [ID],
            "get": _operation("Settings, statistics, limits.", result=SNAPSHOT),
            "delete": _operation("End it."),
        },
        "/api/sessions/{id}/settings": {
            "parameters": [ID],
            "get": _operation("Its settings.", result=WITH_SETTINGS),
            "patch": _operation("Change them, from the next frame on.", body=CHANGES,
                                result=WITH_SETTINGS),
        },
        "/api/sessions/{id}/reset": {
            "parameters": [ID], "post": _operation("Forget the previous frames."),
        },
        "/whip/{name}": _exchange("Publish (RFC 9725)."),
        "/whip/{name}/{id}": {"parameters": [NAME, ID], "delete": _operation("End it.")},
        "/view/{name}": {
            "parameters": [NAME],
            "get": _operation("A page with that video and nothing else; ?audio=1 plays its audio."),
        },
        "/whep/{name}": _exchange("Play the session with this name."),
        "/whep/{name}/{id}": {"parameters": [NAME, ID], "delete": _operation("End it.")},
    }  # fmt: skip


def _operation(summary: str, *, body: Data | None = None, result: Data | None = None,
          status: str = "200") -> Data:  # fmt: skip
    success: Data = {"description": "Done."}
    if result is not None:
        success["content"] = {"application/json": {"schema": result}}
    operation: Data = {"summary": summary, "responses": {status: success, "default": PROBLEM}}
    if body is not None:
        operation["requestBody"] = {
            "required": True,
            "content": {"application/json": {"schema": body}},
        }
    return operation


def _exchange(summary: str) -> Data:
    return {
        "parameters": [NAME],
        "post": {
            "summary": summary,
            "requestBody": {"required": True, "content": SDP},
            "responses": {
                "201": {
                    "description": "The SDP answer; DELETE the Location to end.",
                    "content": SDP,
                },
                "default": PROBLEM,
            },
        },
    }
