"""/metrics: figures for Prometheus."""

import sys
from collections.abc import Iterator

from aiohttp import web

from .serving import Server, server_of

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"


def add_metrics(app: web.Application) -> None:
    """The route."""
    app.router.add_get("/metrics", _metrics)


async def _metrics(request: web.Request) -> web.Response:
    text = "\n".join(_lines(server_of(request))) + "\n"
    return web.Response(body=text.encode(), headers={"Content-Type": CONTENT_TYPE})


def _lines(server: Server) -> Iterator[str]:
    sessions = server.sessions
    kinds = [session.kind for session in sessions]
    yield from _metric("sessions", "gauge", "Sessions now, by kind.",
                       {f'{{kind="{kind}"}}': kinds.count(kind)
                        for kind in ("browser", "whip", "whep")})  # fmt: skip
    yield from _metric("sessions_opened_total", "counter", "Sessions so far.",
                       {"": sessions.opened})  # fmt: skip
    yield from _metric("sessions_refused_total", "counter", "Refused since the server was full.",
                       {"": sessions.refused})  # fmt: skip
    yield from _metric("model_ready", "gauge", "Whether the model is loaded.",
                       {"": int(server.slot.state == "ready")})  # fmt: skip
    yield from _metric("frames_delivered_total", "counter", "Filtered frames that were sent.",
                       {"": sessions.delivered})  # fmt: skip
    yield from _metric("frames_dropped_total", "counter", "Frames that a newer one overtook.",
                       {"": sessions.dropped})  # fmt: skip
    yield from _tracks(server)
    yield from _metric("batches_total", "counter", "Calls of the filter, by frames in one.",
                       {f'{{size="{size}"}}': count
                        for size, count in sorted(server.batcher.sizes.items())})  # fmt: skip
    yield from _metric("gpu_memory_bytes", "gauge", "Memory of tensors on the GPU.",
                       {"": _gpu_memory()})  # fmt: skip


def _tracks(server: Server) -> Iterator[str]:
    """Of every session that filters, by the first letters of its id: the rest opens doors."""
    tracks = {f'{{session="{each.id[:6]}"}}': each.track.statistics
              for each in server.sessions if each.track is not None}  # fmt: skip
    for name, field, text in (
        ("received_fps", "received_fps", "Frames a second that come."),
        ("delivered_fps", "delivered_fps", "Frames a second that go."),
        ("filtered_fps", "filtered_fps", "Results of the filter a second."),
        ("latency_milliseconds", "latency_ms", "From a frame's arrival to its delivery."),
        ("filter_milliseconds", "filter_ms", "In the filter, with the wait for it."),
    ):
        values = {label: round(getattr(track, field), 2) for label, track in tracks.items()}
        yield from _metric(name, "gauge", text, values)


def _metric(name: str, kind: str, text: str, values: dict[str, float]) -> Iterator[str]:
    yield f"# HELP turbolens_{name} {text}"
    yield f"# TYPE turbolens_{name} {kind}"
    for labels, value in values.items():
        yield f"turbolens_{name}{labels} {value}"


def _gpu_memory() -> int:
    """0 where no GPU is used. torch is asked only if something has loaded it."""
    torch = sys.modules.get("torch")
    if torch is None or not torch.cuda.is_available():
        return 0
    return int(torch.cuda.memory_allocated())
