"""`MetricsServer`: the figures of a running webcam for Prometheus, on this machine only."""

from turbolens.pipelines.statistics import Stats


class MetricsServer:
    """Answers GET /metrics on 127.0.0.1 with the last `Stats` given to `update`.

    Port 0 takes any free port; see `port`. Raises `MediaError` if the port is taken.
    """

    def __init__(self, port: int) -> None:
        from aiohttp import web  # noqa: PLC0415 - only if metrics are asked for

        from turbolens.pipelines.prometheus import metrics_of  # noqa: PLC0415
        from turbolens.pipelines.webrtc.server.background import BackgroundServer  # noqa: PLC0415
        from turbolens.pipelines.webrtc.server.metrics import add_metrics  # noqa: PLC0415

        self._stats = Stats()
        app = web.Application()
        add_metrics(app, lambda: metrics_of(self._stats))
        self._server = BackgroundServer(app, port=port)
        self._server.__enter__()

    @property
    def port(self) -> int:
        """The port it listens on."""
        return self._server.port

    def update(self, stats: Stats) -> None:
        """Answer with these figures from now on."""
        self._stats = stats

    def close(self) -> None:
        """Stop listening."""
        self._server.__exit__(None, None, None)
