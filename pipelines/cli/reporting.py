"""What the command says while it works: a bar for people, JSON lines for machines."""

import json
import sys
from dataclasses import asdict
from types import TracebackType
from typing import Any, TextIO

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
from rich.progress import Progress as Bar

from turbolens.pipelines.video.job import Progress, VideoReport

JSON_INTERVAL = 0.5  # seconds between two lines of progress


class Reporter:
    """Tells of one file. Notices go to stderr; the bar only to a terminal.

    as_json: JSON lines on `stream` (progress, notice, done) in place of words.
    """

    def __init__(self, name: str, *, as_json: bool, stream: TextIO | None = None) -> None:
        self._name, self._json = name, as_json
        self._stream = stream or sys.stdout
        self._console = Console(stderr=True, highlight=False)
        self._bar = Bar(
            TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(),
            TextColumn("{task.fields[fps]:.1f} fps"), TimeRemainingColumn(),
            TextColumn("dropped = {task.fields[dropped]}"),
            console=self._console, disable=as_json or not sys.stderr.isatty(), transient=True,
        )  # fmt: skip
        self._task = self._bar.add_task(name, total=None, fps=0.0, dropped=0)
        self._said_at = -JSON_INTERVAL

    def __enter__(self) -> "Reporter":
        self._bar.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._bar.stop()

    def progress(self, progress: Progress) -> None:
        """How far it is."""
        if self._json:
            self._json_progress(progress)
            return
        self._bar.update(
            self._task, completed=progress.frames, total=progress.total_frames,
            fps=progress.fps, dropped=progress.dropped,
        )  # fmt: skip

    def _json_progress(self, progress: Progress) -> None:
        if progress.seconds - self._said_at >= JSON_INTERVAL:
            self._said_at = progress.seconds
            self._line("progress", **asdict(progress), fps=round(progress.fps, 2))

    def notice(self, text: str) -> None:
        """Something that the user should know."""
        if self._json:
            self._line("notice", text=text)
        else:
            self._console.print(f"{self._name}: {text}", markup=False, soft_wrap=True)

    def done(self, report: VideoReport) -> None:
        """What became of the file."""
        fps = report.frames / report.seconds if report.seconds else 0.0
        if self._json:
            self._line("done", **asdict(report), fps=round(fps, 2), dropped=0)
            return
        reused = f", {report.reused} of them repeats" if report.reused else ""
        state = "" if report.complete else " (interrupted; what was done is kept)"
        self._console.print(
            f"{report.destination}: {report.frames} frames{reused} in {report.seconds:.1f} s, "
            f"{fps:.1f} fps, dropped = 0{state}", markup=False, soft_wrap=True,
        )  # fmt: skip

    def _line(self, event: str, **values: Any) -> None:
        json.dump({"event": event, "input": self._name, **values}, self._stream)
        self._stream.write("\n")
        self._stream.flush()
