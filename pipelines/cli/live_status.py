"""`LiveReporter`: the status line of a live command, or JSON lines for other programs."""

import json
import sys
from collections.abc import Callable
from threading import Lock
from types import TracebackType
from typing import Any, TextIO

from rich.console import Console
from rich.live import Live
from rich.text import Text

from turbolens.pipelines.statistics import Stats

State = Callable[[], str]


class LiveReporter:
    """Shows statistics and notices of a live run. The status line is shown only on a terminal.

    as_json: write JSON lines (stats, notice, done) to `stream` instead of text to stderr. state:
    returns the text at the end of the status line.
    """

    def __init__(
        self, *, as_json: bool, state: State = lambda: "", stream: TextIO | None = None
    ) -> None:
        self._json, self.state = as_json, state
        self.last = Stats()
        self._stream = stream or sys.stdout
        self._lock = Lock()  # notices come from any thread
        self._console = Console(stderr=True, highlight=False)
        shown = not as_json and self._console.is_terminal
        self._live = (
            Live(Text(""), console=self._console, auto_refresh=False, transient=True)
            if shown else None
        )  # fmt: skip

    def __enter__(self) -> "LiveReporter":
        if self._live is not None:
            self._live.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._live is not None:
            self._live.stop()

    def stats(self, stats: Stats) -> None:
        """Show the current figures."""
        self.last = stats
        if self._json:
            self._line("stats", **stats.as_dict())
        elif self._live is not None:
            line = Text(f"{status_line(stats)}  {self.state()}", no_wrap=True, overflow="ellipsis")
            self._live.update(line, refresh=True)

    def notice(self, text: str) -> None:
        """Show a notice to the user."""
        if self._json:
            self._line("notice", text=text)
        else:
            self._console.print(text, markup=False, soft_wrap=True)

    def done(self, stats: Stats) -> None:
        """Show the figures of the whole run."""
        if self._json:
            self._line("done", **stats.as_dict())
            return
        rate = stats.sent / stats.seconds if stats.seconds else 0.0
        self._console.print(
            f"{stats.sent} frames shown in {stats.seconds:.1f} s, {rate:.1f} a second; "
            f"{stats.filtered} filtered, {stats.reprojected + stats.repeated} made up for, "
            f"{stats.dropped} dropped", markup=False, soft_wrap=True,
        )  # fmt: skip

    def _line(self, event: str, **values: Any) -> None:
        with self._lock:
            json.dump({"event": event, **values}, self._stream)
            self._stream.write("\n")
            self._stream.flush()


def status_line(stats: Stats) -> str:
    """Rates, latency and dropped frames in one line."""
    latency = "" if stats.latency_p50_ms is None else (
        f"  {stats.latency_p50_ms:.0f} ms (p95 {stats.latency_p95_ms or 0:.0f})")  # fmt: skip
    return (
        f"in {stats.fps_in:.1f}  filtered {stats.fps_filtered:.1f}  out {stats.fps_out:.1f} fps"
        f"{latency}  dropped {stats.dropped}"
    )
