"""The HTTP API of a call that is controlled by the page: its devices, its picture, its looks."""

import asyncio
from asyncio import to_thread
from time import monotonic
from typing import Any, Protocol

from aiohttp import web

from turbolens.filter import NoSuchSessionError, UnavailableError

from .answers import as_json
from .security import json_of
from .settings_api import HOST

NUMBER_HEADER = "X-Picture"
POLL_SECONDS = 0.03
LONGEST_WAIT = 20.0  # seconds until a request for something that is not there yet is answered
TILE_PAUSE = 1.0  # seconds between two looks that are drawn, so that the live video does not suffer


class CallHost(Protocol):
    """The call. All methods are fast but `choices`, `change` and `tile`, which may take seconds."""

    @property
    def picture(self) -> "Picture":
        """What the call sees."""
        ...

    @property
    def tiles(self) -> int:
        """How many looks can be drawn from the camera."""
        ...

    def state(self) -> dict[str, Any]:
        """What is chosen: "paused", "camera", "virtual_camera"."""
        ...

    def choices(self) -> dict[str, Any]:
        """The devices: "cameras" and "virtual_cameras", each with "value" and "label"."""
        ...

    def change(self, changes: dict[str, Any]) -> None:
        """Change the state. Raises `SettingsError` and `MediaError`, and then changes nothing."""
        ...

    def tile(self, number: int) -> bytes:
        """A look of the camera's picture as JPEG. Raises `UnavailableError` if not ready."""
        ...


class Picture(Protocol):
    """A picture that changes. number: of the newest one; 0 if there is none."""

    @property
    def number(self) -> int:
        """The number of the newest picture."""
        ...

    def jpeg(self) -> tuple[int, bytes]:
        """The number of the newest picture, and the picture."""
        ...


class CallApi:
    """The routes below /api/call."""

    def __init__(self, call: CallHost) -> None:
        self._call = call
        self._drawing = asyncio.Lock()

    def add_routes(self, app: web.Application) -> None:
        """Add them to the application."""
        router = app.router
        router.add_get("/api/call", self._state)
        router.add_patch("/api/call", self._change)
        router.add_get("/api/call/choices", self._choices)
        router.add_get("/api/call/picture.jpg", self._picture)
        router.add_get(r"/api/call/looks/{number:\d{1,4}}.jpg", self._tile)

    def thumbnails(self) -> list[str]:
        """The addresses of the looks."""
        return [f"api/call/looks/{number}.jpg" for number in range(self._call.tiles)]

    async def _state(self, _: web.Request) -> web.Response:
        return as_json(self._call.state())

    async def _choices(self, _: web.Request) -> web.Response:
        return as_json(await to_thread(self._call.choices))

    async def _change(self, request: web.Request) -> web.Response:
        changes = await json_of(request, request.app[HOST].options)
        await to_thread(self._call.change, changes)
        return as_json(self._call.state())

    async def _picture(self, request: web.Request) -> web.Response:
        """The first picture with another number than `after`. 204 if there is none for a while."""
        after = request.query.get("after", "0")
        picture = self._call.picture
        for _ in range(round(LONGEST_WAIT / POLL_SECONDS)):
            if str(picture.number) not in ("0", after):
                number, jpeg = await to_thread(picture.jpeg)
                return _jpeg(jpeg, {NUMBER_HEADER: str(number)})
            await asyncio.sleep(POLL_SECONDS)
        return web.Response(status=204)

    async def _tile(self, request: web.Request) -> web.Response:
        """A look, drawn now from the camera's picture. One at a time."""
        number = int(request.match_info["number"])
        if number >= self._call.tiles:
            raise NoSuchSessionError(f"there are {self._call.tiles} looks, numbered from 0")
        async with self._drawing:
            jpeg = await self._drawn(number)
            await asyncio.sleep(TILE_PAUSE)
        return _jpeg(jpeg)

    async def _drawn(self, number: int) -> bytes:
        """The look, as soon as the filter has time. Raises `UnavailableError` if it never has."""
        give_up_at = monotonic() + LONGEST_WAIT
        while True:
            try:
                return await to_thread(self._call.tile, number)
            except UnavailableError:
                if monotonic() >= give_up_at:
                    raise
            await asyncio.sleep(TILE_PAUSE)


def _jpeg(content: bytes, headers: dict[str, str] | None = None) -> web.Response:
    headers = {"Cache-Control": "no-store", **(headers or {})}
    return web.Response(body=content, content_type="image/jpeg", headers=headers)
