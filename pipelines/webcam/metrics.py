"""Statistics on request: Prometheus' text over HTTP, on this machine only."""

from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

from turbolens.filter.errors import MediaError
from turbolens.pipelines.statistics import Stats

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"


class MetricsServer:
    """Answers GET /metrics on 127.0.0.1 with the last `Stats` that it was told.

    Port 0 takes any free one; see `port`. Raises `MediaError` for a port that is taken.
    """

    def __init__(self, port: int) -> None:
        self.stats = Stats()
        try:
            self._server = ThreadingHTTPServer(("127.0.0.1", port), self._handler())
        except OSError as error:
            raise MediaError(f"cannot serve metrics on port {port}: {error.strerror}") from error
        self.port = int(self._server.server_address[1])
        self._thread = Thread(target=self._server.serve_forever, name="metrics", daemon=True)
        self._thread.start()

    def update(self, stats: Stats) -> None:
        """What to answer from now on."""
        self.stats = stats

    def close(self) -> None:
        """Serve no more."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(timeout=5)

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                if self.path != "/metrics":
                    self.send_error(404, "only /metrics is here")
                    return
                body = outer.stats.prometheus().encode()
                self.send_response(200)
                self.send_header("Content-Type", CONTENT_TYPE)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
                """Silent: the terminal is the status line's."""

        return Handler
