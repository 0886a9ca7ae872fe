"""The schema of requests on the control channel, and their parser."""

import json
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from .controls import Data

VERSION = 1

ErrorCode = Literal["malformed", "version", "unknown", "invalid", "too_large", "too_fast"]


class Request(BaseModel):
    """A request of a peer. Unknown fields are errors."""

    model_config = ConfigDict(extra="forbid", strict=True)

    v: int
    id: int | Annotated[str, Field(max_length=64)] | None = None
    op: Annotated[str, Field(max_length=32)]
    params: dict[str, Any] = Field(default_factory=dict)


class NoParams(BaseModel):
    """The parameters of an operation that has none."""

    model_config = ConfigDict(extra="forbid", strict=True)


class ResetParams(NoParams):
    """settings: reset the settings to their first values, too."""

    settings: bool = False


class SubscribeParams(NoParams):
    """interval_ms: milliseconds between two events."""

    interval_ms: Annotated[int, Field(ge=200, le=60_000)] = 1000


class ControlError(Exception):
    """A request that cannot be executed: a code for programs, a sentence for people."""

    def __init__(self, code: ErrorCode, message: str) -> None:
        super().__init__(message)
        self.code: ErrorCode = code


def parse_request(message: str | bytes, max_bytes: int) -> Request:
    """Parse a message. Raises `ControlError`."""
    try:
        request = Request(**_load_object(message, max_bytes))
    except ValidationError as error:
        raise ControlError("malformed", first_message(error)) from error
    if request.v != VERSION:
        raise ControlError("version", f"v must be {VERSION}, got {request.v}")
    return request


def request_id(message: str | bytes, max_bytes: int) -> int | str | None:
    """The id of an invalid message, for the answer; `None` if it has no valid id."""
    try:
        identity = _load_object(message, max_bytes).get("id")
        return Request(v=VERSION, op="", id=identity).id
    except (ControlError, ValidationError):
        return None


def _load_object(message: str | bytes, max_bytes: int) -> Data:
    size = len(message.encode(errors="replace") if isinstance(message, str) else message)
    if size > max_bytes:
        raise ControlError("too_large", f"a message may have {max_bytes} bytes, got {size}")
    if not isinstance(message, str):
        raise ControlError("malformed", "a message must be text, got bytes")
    try:
        data = json.loads(message, parse_constant=_reject_constant)
    except (ValueError, RecursionError) as error:
        raise ControlError("malformed", "a message must be JSON") from error
    if not isinstance(data, dict):
        raise ControlError(
            "malformed", 'a message must be a JSON object like {"v": 1, "id": 1, "op": "get"}'
        )
    return data


def _reject_constant(name: str) -> float:
    raise ValueError(f"{name} is not JSON")  # json.loads would accept NaN and Infinity


def first_message(error: ValidationError) -> str:
    """The first error, with the path of the field."""
    first = error.errors(include_url=False)[0]
    path = ".".join(str(part) for part in first["loc"]) or "params"
    return f"{path[:80]}: {first['msg'][0].lower()}{first['msg'][1:]}"
