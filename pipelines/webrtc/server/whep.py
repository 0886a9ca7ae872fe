"""WHEP (draft-ietf-wish-whep): players receive the filtered stream of a publisher or browser."""

from aiohttp import web

from .negotiation import server_of
from .pages import page_handler
from .security import OPEN_ROUTE, body_of
from .whip import NAME, SDP, created, end


def add_routes(app: web.Application) -> None:
    """POST to play, DELETE the URL in Location to end; a page that plays the stream."""
    app.router.add_post(f"/whep/{NAME}", _play, name="whep")
    app.router.add_delete(f"/whep/{NAME}/{{id}}", _end, name="whep-session")
    app.router.add_get(f"/view/{NAME}", page_handler("view.html"), name=f"{OPEN_ROUTE}_view")


async def _play(request: web.Request) -> web.Response:
    server = server_of(request)
    offer = await body_of(request, SDP, server.options)
    session, answer = await server.open_playing(request.match_info["name"], offer)
    return created(request, session, answer, route="whep-session")


async def _end(request: web.Request) -> web.Response:
    return end(request, "whep")
