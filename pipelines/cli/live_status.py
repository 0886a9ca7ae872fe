"""The statistics of a live run: a status line for people, JSON lines for machines."""

from collections.abc import Callable
from typing import TextIO

from rich.live import Live
from rich.text import Text

from turbolens.pipelines.statistics import Stats

from .reporting import Reporter

State = Callable[[], str]


class LiveReporter(Reporter):
    """Reports on a live run, with a status line. JSON events: stats, notice, done.

    state: returns the text at the end of the status line.
    """

    def __init__(
        self, *, as_json: bool, state: State = lambda: "", stream: TextIO | None = None
    ) -> None:
        super().__init__(as_json=as_json, stream=stream)
        self.state = state
        self.last = Stats()
        self._status: Live | None = None
        if self._on_terminal:
            self._status = Live(Text(""), console=self._console, auto_refresh=False, transient=True)
            self._display = self._status

    def stats(self, stats: Stats) -> None:
        """Show the statistics so far."""
        self.last = stats
        if self._json:
            self._line("stats", **stats.as_dict())
        elif self._status is not None:
            line = Text(f"{status_line(stats)}  {self.state()}", no_wrap=True, overflow="ellipsis")
            self._status.update(line, refresh=True)

    def done(self, stats: Stats) -> None:
        """Sum up the run."""
        if self._json:
            self._line("done", **stats.as_dict())
            return
        rate = stats.sent / stats.seconds if stats.seconds else 0.0
        self._say(
            f"{stats.sent} frames shown in {stats.seconds:.1f} s, {rate:.1f} a second; "
            f"{stats.filtered} filtered, {stats.dropped} dropped, "
            f"{stats.reprojected + stats.repeated} reprojected or repeated"
        )


def status_line(stats: Stats) -> str:
    """Rates, latency and dropped frames in one line."""
    latency = "" if stats.latency_p50_ms is None else (
        f"  {stats.latency_p50_ms:.0f} ms (p95 {stats.latency_p95_ms or 0:.0f})")  # fmt: skip
    return (
        f"in {stats.fps_in:.1f}  filtered {stats.fps_filtered:.1f}  out {stats.fps_out:.1f} fps"
        f"{latency}  dropped {stats.dropped}"
    )
