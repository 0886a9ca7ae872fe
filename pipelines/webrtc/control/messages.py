"""The messages of the control channel: their form, and how a wrong one is refused."""

import json
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from .controls import Data

VERSION = 1

ErrorCode = Literal["malformed", "version", "unknown", "invalid", "too_large", "too_fast"]


class Request(BaseModel):
    """A message of a peer. Names that it does not know are refused."""

    model_config = ConfigDict(extra="forbid", strict=True)

    v: int
    id: int | Annotated[str, Field(max_length=64)] | None = None
    op: Annotated[str, Field(max_length=32)]
    params: dict[str, Any] = Field(default_factory=dict)


class Nothing(BaseModel):
    """An operation without parameters."""

    model_config = ConfigDict(extra="forbid", strict=True)


class ResetParams(Nothing):
    """settings: go back to the first settings too."""

    settings: bool = False


class SubscribeParams(Nothing):
    """interval_ms: between two events."""

    interval_ms: Annotated[int, Field(ge=200, le=60_000)] = 1000


class Refusal(Exception):  # noqa: N818 - an answer
    """A request that is not done, with its reason in words."""

    def __init__(self, code: ErrorCode, message: str) -> None:
        super().__init__(message)
        self.code: ErrorCode = code


def parsed(message: str | bytes, max_bytes: int) -> Request:
    """A message as a request. Raises `Refusal`."""
    try:
        request = Request(**_object(message, max_bytes))
    except ValidationError as error:
        raise Refusal("malformed", first_of(error)) from error
    if request.v != VERSION:
        raise Refusal("version", f"v must be {VERSION}, got {request.v}")
    return request


def identity_of(message: str | bytes, max_bytes: int) -> int | str | None:
    """The id of a message that is wrong otherwise, so that its sender knows which one it was."""
    try:
        identity = _object(message, max_bytes).get("id")
        return Request(v=VERSION, op="", id=identity).id
    except (Refusal, ValidationError):
        return None


def _object(message: str | bytes, max_bytes: int) -> Data:
    size = len(message.encode(errors="replace") if isinstance(message, str) else message)
    if size > max_bytes:
        raise Refusal("too_large", f"a message has at most {max_bytes} bytes, got {size}")
    if not isinstance(message, str):
        raise Refusal("malformed", "a message is text, got bytes")
    try:
        data = json.loads(message, parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        raise Refusal("malformed", "a message is JSON") from error
    if not isinstance(data, dict):
        raise Refusal("malformed", 'a message is a JSON object like {"v": 1, "id": 1, "op": "get"}')
    return data


def _no_constant(name: str) -> float:
    raise ValueError(f"{name} is not JSON")


def first_of(error: ValidationError) -> str:
    """The first thing that is wrong, with its place."""
    found = error.errors(include_url=False)[0]
    place = ".".join(str(part) for part in found["loc"]) or "params"
    return f"{place[:80]}: {found['msg'][0].lower()}{found['msg'][1:]}"
