"""`MetricsServer`: the figures of a running webcam for Prometheus, on this machine only."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from turbolens.pipelines.statistics import Stats

if TYPE_CHECKING:
    from prometheus_client.core import Metric


class MetricsServer:
    """Answers GET /metrics on 127.0.0.1 with the last `Stats` given to `update`.

    Port 0 takes any free port; see `port`. Raises `MediaError` if the port is taken.
    """

    def __init__(self, port: int) -> None:
        from aiohttp import web  # noqa: PLC0415 - only if metrics are asked for

        from turbolens.pipelines.webrtc.server.background import BackgroundServer  # noqa: PLC0415
        from turbolens.pipelines.webrtc.server.metrics import add_metrics  # noqa: PLC0415

        self._stats = Stats()
        app = web.Application()
        add_metrics(app, self._metrics)
        self._server = BackgroundServer(app, port=port)
        self._server.__enter__()

    @property
    def port(self) -> int:
        """The port it listens on."""
        return self._server.port

    def _metrics(self) -> "Iterator[Metric]":
        return self._stats.metrics()

    def update(self, stats: Stats) -> None:
        """Answer with these figures from now on."""
        self._stats = stats

    def close(self) -> None:
        """Stop listening."""
        self._server.__exit__(None, None, None)
