"""The statistics of a live run: a status line for people, JSON lines for machines."""

from typing import Any, Protocol, TextIO

from rich.live import Live
from rich.text import Text

from turbolens.pipelines.statistics import Stats

from .reporting import Reporter, counted


class LiveState(Protocol):
    """What a live run shows besides its statistics."""

    @property
    def filtering(self) -> bool:
        """False while frames are shown that the filter did not change."""

    def state(self) -> str:
        """The beginning of the status line."""

    def details(self) -> dict[str, Any]:
        """Further values of the JSON lines."""


class LiveReporter(Reporter):
    """Reports on a live run, with a status line. JSON events: stats, notice, done.

    run: what the status line and the JSON lines tell besides; set it when it is known.
    """

    def __init__(self, *, as_json: bool, stream: TextIO | None = None) -> None:
        super().__init__(as_json=as_json, stream=stream)
        self.run: LiveState | None = None
        self.last = Stats()
        self._status: Live | None = None
        if self._on_terminal:
            self._status = Live(Text(""), console=self._console, auto_refresh=False, transient=True)
            self._display = self._status

    def stats(self, stats: Stats) -> None:
        """Show the statistics so far."""
        self.last = stats
        if self._json:
            self._line("stats", **stats.as_dict(), **self._details())
        elif self._status is not None:
            line = Text(self.status(stats), no_wrap=True, overflow="ellipsis")
            self._status.update(line, refresh=True)

    def status(self, stats: Stats) -> str:
        """The status line: the state first, because a narrow terminal cuts off the end."""
        if self.run is None:
            return status_line(stats)
        return f"{self.run.state()}  {status_line(stats, filtering=self.run.filtering)}"

    def _details(self) -> dict[str, Any]:
        return {} if self.run is None else self.run.details()

    def done(self, stats: Stats) -> None:
        """Sum up the run."""
        if self._json:
            self._line("done", **stats.as_dict(), **self._details())
            return
        rate = stats.sent / stats.seconds if stats.seconds else 0.0
        self._say(
            f"{counted(stats.sent, 'frame')} shown in {stats.seconds:.1f} s, {rate:.1f} a second; "
            f"{stats.filtered} filtered, {stats.dropped} dropped, "
            f"{stats.reprojected + stats.repeated} reprojected or repeated"
        )


def status_line(stats: Stats, *, filtering: bool = True) -> str:
    """Rates, latency and dropped frames in one line. filtering: as in `LiveState`."""
    latency = "" if stats.latency_p50_ms is None else (
        f"  {stats.latency_p50_ms:.0f} ms (p95 {stats.latency_p95_ms or 0:.0f})")  # fmt: skip
    filtered = f"  filtered {stats.fps_filtered:.1f}" if filtering else ""
    return (
        f"in {stats.fps_in:.1f}{filtered}  out {stats.fps_out:.1f} fps"
        f"{latency}  dropped {stats.dropped}"
    )
