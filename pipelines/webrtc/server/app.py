"""`create_app`: the server as an aiohttp application, to run or to mount in another one."""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import suppress
from typing import Any

from aiohttp import web

from turbolens.filter import SettingsError
from turbolens.pipelines.webrtc.control.controls import within_limits
from turbolens.pipelines.webrtc.media.batching import FrameBatcher
from turbolens.pipelines.webrtc.peer.encoders import prepare_encoders

from . import api, pages, whep, whip
from .answers import answer_errors
from .metrics import add_metrics, server_metrics
from .model_slot import MakeFilter, ModelSlot, frame_filter
from .negotiation import SERVER, Server
from .options import ServerOptions
from .security import guard
from .sessions import Sessions

logger = logging.getLogger(__name__)

TICK_SECONDS = 0.2


def create_app(
    model: Any, options: ServerOptions | None = None, *, make_filter: MakeFilter = frame_filter
) -> web.Application:
    """The page, WHIP, WHEP, the control channel and the HTTP API for one model.

    model: a `TurboModel`, or a function that loads one; it is called on a thread while the server
    answers already.
    make_filter: (model, settings) → `AdjustableFilter`, for your own models.

    The bit rate of the options applies to all video that this process sends. Raises
    `SettingsError` if the first settings are beyond the limits, and for the name of a model.
    """
    if isinstance(model, str) and make_filter is frame_filter:
        raise SettingsError(
            f"model must be a TurboModel or a function that loads one, got {model!r}; write "
            f"lambda: TurboModel.load({model!r})"
        )
    options = options or ServerOptions()
    within_limits(options.settings, options.limits)
    app = web.Application(  # inner errors become responses that get the headers, too
        middlewares=[answer_errors, guard(options), answer_errors],
        client_max_size=options.limits.body_bytes,
    )
    app[SERVER] = server = Server(
        options=options,
        slot=ModelSlot(model, options.settings, make_filter),
        sessions=Sessions(options.limits),
        batcher=FrameBatcher(),
    )
    for part in (pages, whip, whep):
        part.add_routes(app)
    api.add_routes(app, server)
    add_metrics(app, lambda: server_metrics(server))
    app.cleanup_ctx.append(_running)
    app.on_shutdown.append(_end_sessions)
    return app


async def _running(app: web.Application) -> AsyncIterator[None]:
    """Load the model, and look after the sessions, while the application runs."""
    server = app[SERVER]
    await prepare_encoders(server.options.bit_rate)
    server.slot.start()
    ticking = asyncio.create_task(_tick(server))
    yield
    server.slot.close()
    ticking.cancel()
    with suppress(asyncio.CancelledError):
        await ticking
    await server.sessions.close("the server shuts down")
    await asyncio.to_thread(server.batcher.close, 5.0)


async def _end_sessions(app: web.Application) -> None:
    await app[SERVER].sessions.close("the server shuts down")


async def _tick(server: Server) -> None:
    """Look after the sessions, several times per second."""
    while True:
        await asyncio.sleep(TICK_SECONDS)
        try:
            await server.sessions.tick()
        except Exception:
            logger.exception("the check of the sessions failed")
