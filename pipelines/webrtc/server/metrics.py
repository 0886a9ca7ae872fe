"""GET /metrics: the figures of a server for Prometheus."""

import sys
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING

from aiohttp import web
from prometheus_client.core import Metric

from turbolens.pipelines.prometheus import CONTENT_TYPE, counter, exposition, gauge
from turbolens.pipelines.statistics import Stats

if TYPE_CHECKING:
    from .negotiation import Server  # imports aiortc, which a webcam's metrics do not need

SESSION_METRICS: tuple[tuple[str, str, Callable[[Stats], float]], ...] = (
    ("received_fps", "Frames per second received.", lambda stats: stats.fps_in),
    ("delivered_fps", "Frames per second sent.", lambda stats: stats.fps_out),
    ("filtered_fps", "Frames per second from the filter.", lambda stats: stats.fps_filtered),
    ("latency_milliseconds", "From a frame's arrival to its delivery.",
     lambda stats: stats.latency_p50_ms or 0.0),
    ("filter_milliseconds", "In the filter, waiting included.",
     lambda stats: stats.stages.get("filter", 0.0)),
)  # fmt: skip
KINDS = ("browser", "whip", "whep")


def add_metrics(app: web.Application, collect: Callable[[], Iterable[Metric]]) -> None:
    """Answer GET /metrics with these metrics."""

    async def metrics(request: web.Request) -> web.Response:
        body = exposition(collect()).encode()
        return web.Response(body=body, headers={"Content-Type": CONTENT_TYPE})

    app.router.add_get("/metrics", metrics)


def server_metrics(server: "Server") -> Iterator[Metric]:
    """The metrics of a server."""
    sessions = server.sessions
    kinds: list[str] = [session.kind for session in sessions]
    now = {kind: kinds.count(kind) for kind in KINDS}
    sizes = {str(size): count for size, count in sorted(server.batcher.sizes.items())}
    ready = server.slot.state == "ready"
    yield gauge("turbolens_sessions", "Open sessions by kind.", now, "kind")
    yield counter("turbolens_sessions_opened", "Sessions opened so far.", sessions.opened)
    yield counter(
        "turbolens_sessions_refused", "Sessions refused because the server was full.",
        sessions.refused,
    )  # fmt: skip
    yield gauge("turbolens_model_ready", "1 if the model is loaded, else 0.", ready)
    yield counter("turbolens_frames_delivered", "Filtered frames sent.", sessions.delivered)
    yield counter(
        "turbolens_frames_dropped", "Frames replaced by newer ones.", sessions.dropped
    )  # fmt: skip
    yield from _session_metrics(server)
    yield counter(
        "turbolens_batches", "Calls of the filter by number of frames.", sizes, "size"
    )  # fmt: skip
    yield gauge("turbolens_gpu_memory_bytes", "GPU memory used by tensors.", _gpu_memory())


def _session_metrics(server: "Server") -> Iterator[Metric]:
    """Metrics of each filtered session, by the start of its id: the whole id gives access."""
    stats = {each.id[:6]: each.track.statistics
             for each in server.sessions if each.track is not None}  # fmt: skip
    for name, text, value in SESSION_METRICS:
        values = {session: round(value(one), 2) for session, one in stats.items()}
        yield gauge(f"turbolens_{name}", text, values, "session")


def _gpu_memory() -> int:
    """Allocated bytes; 0 without a GPU. Does not import torch itself: that takes seconds."""
    torch = sys.modules.get("torch")
    if torch is None or not torch.cuda.is_available():
        return 0
    return int(torch.cuda.memory_allocated())
