"""`create_front_door`: the HTTP application that sends each request to a replica.

It answers with `307 Temporary Redirect`, which RFC 9725 (4.5) foresees for WHIP. The page, the
status and the metrics are its own. The URL of a redirect has a ticket, see
`webrtc/server/tickets.py`.
"""

from collections.abc import Callable

from aiohttp import web

from turbolens.pipelines.webrtc.control.controls import Data
from turbolens.pipelines.webrtc.server import pages
from turbolens.pipelines.webrtc.server.answers import Refused, answer_errors, as_json
from turbolens.pipelines.webrtc.server.api import offer_of
from turbolens.pipelines.webrtc.server.metrics import add_metrics
from turbolens.pipelines.webrtc.server.security import (
    OPEN_ROUTE,
    guard,
    json_of,
    origin_after_redirect,
)
from turbolens.pipelines.webrtc.server.tickets import QUERY
from turbolens.pipelines.webrtc.server.whip import NAME

from .metrics import cluster_metrics
from .placement import Placement
from .pool import ReplicaPool
from .replica_handle import ReplicaHandle

POLICY = "Content-Security-Policy"
OF_THE_MODEL = (
    "/api/schema", "/api/looks", r"/api/looks/{number:\d{1,4}}.jpg", "/api/reading", "/api/models",
    "/api/settings", "/api/openapi.json",
)  # fmt: skip
OF_A_SESSION = (
    ("GET", "/api/sessions/{id}"), ("DELETE", "/api/sessions/{id}"),
    ("GET", "/api/sessions/{id}/settings"), ("PATCH", "/api/sessions/{id}/settings"),
    ("POST", "/api/sessions/{id}/reset"),
    ("DELETE", f"/whip/{NAME}/{{id}}"), ("DELETE", f"/whep/{NAME}/{{id}}"),
)  # fmt: skip
NO_MODEL = {
    "state": "loading", "message": "no replica has started yet", "seconds": 0.0, "name": "",
    "looks": [], "native_size": None, "device": "", "loras": {},
}  # fmt: skip


def create_front_door(pool: ReplicaPool) -> web.Application:
    """The front door of these replicas. Token, Host and Origin rules are those of their options."""
    door = _FrontDoor(pool)
    options = pool.options.plan.options
    app = web.Application(
        middlewares=[answer_errors, guard(options), answer_errors],
        client_max_size=options.limits.body_bytes,
    )
    router = app.router
    pages.add_routes(app)
    router.add_get(f"/view/{NAME}", pages.page_handler("view.html"), name=f"{OPEN_ROUTE}_view")
    router.add_get("/healthz", door.health, name=f"{OPEN_ROUTE}_health")
    router.add_get("/api/status", door.status)
    router.add_get("/api/replicas", door.replicas)
    router.add_post("/api/replicas/{replica}/drain", door.drain)
    router.add_patch("/api/settings", door.change_settings)
    router.add_get("/api/sessions", door.sessions)
    router.add_post("/api/sessions", door.open)
    router.add_post(f"/whip/{NAME}", door.publish)
    router.add_post(f"/whep/{NAME}", door.play)
    for path in OF_THE_MODEL:
        router.add_get(path, door.to_any)
    for method, path in OF_A_SESSION:
        router.add_route(method, path, door.to_session)
    add_metrics(app, lambda: cluster_metrics(pool.replicas, door.placement))
    app.on_response_prepare.append(door.allow_replicas)
    return app


class _FrontDoor:
    """The handlers of its routes."""

    def __init__(self, pool: ReplicaPool) -> None:
        self._pool, self._options = pool, pool.options.plan.options
        self.placement = Placement(lambda: pool.replicas)

    async def health(self, _: web.Request) -> web.Response:
        """GET /healthz."""
        return as_json({"status": "ok", "model": self._model()["state"]})

    async def status(self, _: web.Request) -> web.Response:
        """GET api/status: of all replicas together."""
        ready = [each for each in self._pool.replicas if each.state == "ready"]
        return as_json({
            "mode": "server",
            "model": self._model(),
            "sessions": sum(len(each.sessions) for each in self._pool.replicas),
            "max_sessions": sum(each.capacity for each in ready),
            "ice_servers": [each.for_browsers() for each in self._options.ice_servers],
            "bit_rate": self._options.bit_rate,
            "replicas": len(ready),
        })  # fmt: skip

    def _model(self) -> Data:
        """The model of a replica that is ready, or else of one that loads it."""
        known = [each for each in self._pool.replicas if each.status is not None]
        known.sort(key=lambda each: each.state != "ready")
        return known[0].status.model if known and known[0].status else NO_MODEL

    async def replicas(self, request: web.Request) -> web.Response:
        """GET api/replicas."""
        return as_json({"replicas": [self._described(each, request)
                                     for each in self._pool.replicas]})  # fmt: skip

    def _described(self, replica: ReplicaHandle, request: web.Request) -> Data:
        status = replica.status
        seconds = None if status is None else status.frame_seconds
        return {
            "name": replica.name, "node": replica.node.name, "state": replica.state,
            "url": self._origin(replica, request), "sessions": len(replica.sessions),
            "capacity": replica.capacity, "load": round(replica.load, 3),
            "frame_ms": None if seconds is None else round(1000 * seconds, 3),
            "restarts": replica.restarts,
            "process": None if status is None else status.process,
        }  # fmt: skip

    async def drain(self, request: web.Request) -> web.Response:
        """POST api/replicas/NAME/drain."""
        name = request.match_info["replica"]
        found = next((each for each in self._pool.replicas if each.name == name), None)
        if found is None:
            raise Refused(404, "there is no such replica; GET api/replicas lists them")
        await self._pool.drain(found)
        return as_json(self._described(found, request), status=202)

    async def change_settings(self, request: web.Request) -> web.Response:
        """PATCH api/settings: of all replicas."""
        self.placement.any()
        settings = await self._pool.change_settings(await json_of(request, self._options))
        return as_json({"settings": settings})

    async def sessions(self, _: web.Request) -> web.Response:
        """GET api/sessions: of all replicas, and which of them did not answer."""
        sessions, silent = await self._pool.sessions()
        return as_json({"sessions": sessions, "unanswered": silent})

    async def open(self, request: web.Request) -> web.Response:
        """POST api/sessions."""
        _, name, _ = offer_of(await json_of(request, self._options))
        return self._send(request, self.placement.for_new("browser", name), "browser", name)

    async def publish(self, request: web.Request) -> web.Response:
        """POST whip/NAME."""
        name = request.match_info["name"]
        return self._send(request, self.placement.for_new("whip", name), "whip", name)

    async def play(self, request: web.Request) -> web.Response:
        """POST whep/NAME."""
        name = request.match_info["name"]
        if not any(each.publishes(name) for each in self._pool.replicas):
            await self._pool.refresh()  # it may have begun just now
        return self._send(request, self.placement.for_playing(name), "whep", name)

    async def to_any(self, request: web.Request) -> web.Response:
        """A question about the model, which any replica answers."""
        return self._redirect(request, self.placement.any())[0]

    async def to_session(self, request: web.Request) -> web.Response:
        """A request about an open session, which its replica answers."""
        identity = request.match_info["id"]
        if not any(identity == one.id for each in self._pool.replicas for one in each.sessions):
            await self._pool.refresh()
        return self._redirect(request, self.placement.of_session(identity))[0]

    def _send(
        self, request: web.Request, replica: ReplicaHandle, kind: str, name: str
    ) -> web.Response:
        """Redirect a request that opens a session, and count it."""
        response, expect = self._redirect(request, replica)
        expect(kind, name)
        return response

    def _redirect(
        self, request: web.Request, replica: ReplicaHandle
    ) -> tuple[web.Response, Callable[[str, str], None]]:
        """The redirect, and what counts a session of it: expect(kind, name)."""
        path = request.rel_url.raw_path
        text, ticket = replica.ticket(request.method, path, origin_after_redirect(request))
        target = self._origin(replica, request) + str(request.rel_url.update_query({QUERY: text}))
        headers = {"Location": target, "Cache-Control": "no-store"}
        return (
            web.Response(status=307, headers=headers),
            lambda kind, name: replica.expect(ticket, kind, name),
        )

    def _origin(self, replica: ReplicaHandle, request: web.Request) -> str:
        port = replica.address.port if replica.status is None else replica.status.port
        return replica.address.origin(
            secure=self._pool.options.plan.pem is not None, port=port,
            front_host=request.url.host or "localhost",
        )  # fmt: skip

    async def allow_replicas(self, request: web.Request, response: web.StreamResponse) -> None:
        """Let a page connect to the replicas: the rule is applied to redirects, too."""
        policy = response.headers.get(POLICY)
        if policy is not None:
            known = [each for each in self._pool.replicas if each.status or each.address.port]
            origins = sorted({self._origin(each, request) for each in known})
            allowed = " ".join(("connect-src 'self'", *origins))
            response.headers[POLICY] = policy.replace("connect-src 'self'", allowed)
