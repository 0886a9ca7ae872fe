"""Thumbnails of the model's looks: a scene in each of them, drawn when first asked for."""

import asyncio
from functools import cache
from typing import Any

import av
from aiohttp import web

from turbolens.filter import NoSuchSessionError
from turbolens.pipelines.test_scene import TestScene

from .serving import Server, server_of

THUMBNAILS: web.AppKey["Thumbnails"] = web.AppKey("thumbnails")
SCENE_SIZE = 800, 500
SCENE_FRAME = 8
CROP = slice(96, 456), slice(240, 720)  # rows and columns with the figure and a tree: 4 to 3
SIZE = 240, 180
STRENGTH = 0.9  # so much that the looks differ at a glance
QUALITY = {"qmin": "4", "qmax": "4"}
KEPT_SECONDS = 600


class Thumbnails:
    """JPEG pictures of the looks, by name; each is drawn once.

    They are filtered on the thread that filters the sessions, as one frame more.
    """

    def __init__(self) -> None:
        self._drawn: dict[str, bytes] = {}
        self._drawing = asyncio.Lock()

    async def picture(self, look: str, server: Server) -> bytes:
        """The thumbnail. Raises `UnavailableError` while there is no model, and
        `NoSuchSessionError` for what is no look of it."""
        model = server.slot.model
        if look not in server.slot.looks:
            raise NoSuchSessionError(
                f"{getattr(model, 'name', 'the model')} has no such look; its looks: api/looks"
            )
        async with self._drawing:  # one at a time: the sessions come first
            if look not in self._drawn:
                self._drawn[look] = await _drawn(look, server)
        return self._drawn[look]


async def _drawn(look: str, server: Server) -> bytes:
    frame = await asyncio.to_thread(_scene)
    settings = server.options.settings.replace(
        prompt=look, strength=STRENGTH, enabled=True, mix=1.0, transition=0.0
    )
    filtered = await server.batcher.submit(server.slot.new_filter(settings), frame)
    return await asyncio.to_thread(_jpeg, filtered)


@cache
def _scene() -> av.VideoFrame:
    """The built-in scene, cropped, yuv420p."""
    picture = TestScene(*SCENE_SIZE)[SCENE_FRAME].picture[CROP].copy()
    frame = av.VideoFrame.from_ndarray(picture, format="rgb24").reformat(format="yuv420p")
    frame.pts = 0
    return frame


def _jpeg(frame: av.VideoFrame) -> bytes:
    encoder: Any = av.CodecContext.create("mjpeg", "w")
    encoder.options = QUALITY
    encoder.width, encoder.height = SIZE
    encoder.pix_fmt, encoder.time_base = "yuvj420p", frame.time_base or 1
    small = frame.reformat(*SIZE, format="yuvj420p", interpolation="AREA")
    small.pts = 0
    packets = [*encoder.encode(small), *encoder.encode(None)]
    return b"".join(bytes(packet) for packet in packets)


def add_routes(app: web.Application) -> None:
    """`api/looks/NAME.jpg`."""
    app[THUMBNAILS] = Thumbnails()
    app.router.add_get("/api/looks/{look}.jpg", _thumbnail)


async def _thumbnail(request: web.Request) -> web.Response:
    picture = await request.app[THUMBNAILS].picture(request.match_info["look"], server_of(request))
    headers = {"Cache-Control": f"private, max-age={KEPT_SECONDS}"}
    return web.Response(body=picture, content_type="image/jpeg", headers=headers)
