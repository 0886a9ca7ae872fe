"""WHIP (RFC 9725): OBS, FFmpeg and others publish. The filtered stream is played by WHEP."""

from aiohttp import web
from multidict import CIMultiDict

from .answers import Refused
from .negotiation import link_headers, server_of
from .security import body_of
from .session import Kind, Session

SDP = "application/sdp"
NAME = "{name:[A-Za-z0-9_-]{1,64}}"
"""The route pattern of a stream name: letters, digits, - and _."""


def add_routes(app: web.Application) -> None:
    """POST to publish, DELETE the URL in Location to end."""
    app.router.add_post(f"/whip/{NAME}", _publish, name="whip")
    app.router.add_delete(f"/whip/{NAME}/{{id}}", _end, name="whip-session")


async def _publish(request: web.Request) -> web.Response:
    server = server_of(request)
    offer = await body_of(request, SDP, server.options)
    session, answer = await server.open_filtering(
        "whip", request.match_info["name"], offer, changes={}, sends_back=False
    )
    return created(request, session, answer, route="whip-session")


async def _end(request: web.Request) -> web.Response:
    return end(request, "whip")


def created(request: web.Request, session: Session, answer: str, *, route: str) -> web.Response:
    """201 with the answer and, in Location, the URL of the session (RFC 9725, 4.2)."""
    location = request.app.router[route].url_for(name=session.name, id=session.id)
    headers = CIMultiDict({"Location": str(location), "ETag": f'"{session.id}"'})
    for link in link_headers(server_of(request)):
        headers.add("Link", link)
    response = web.Response(status=201, body=answer.encode(), headers=headers, content_type=SDP)
    response.headers["Cache-Control"] = "no-store"
    return response


def end(request: web.Request, kind: Kind) -> web.Response:
    """End the session of this URL."""
    sessions = server_of(request).sessions
    session = sessions[request.match_info["id"]]
    if session.kind != kind or session.name != request.match_info["name"]:
        raise Refused(404, "there is no such session, or it has ended")
    sessions.end(session, "the peer ended it")
    return web.Response()
