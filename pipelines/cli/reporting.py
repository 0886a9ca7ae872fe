"""What a command prints about its run: text and a display for people, JSON lines for machines."""

import json
import logging
import sys
from dataclasses import asdict
from threading import Lock
from types import TracebackType
from typing import Any, TextIO, TypeVar

from rich.console import Console
from rich.live import Live
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
from rich.progress import Progress as Bar

from turbolens.pipelines.base import Notify
from turbolens.pipelines.video.report import Progress, VideoReport

R = TypeVar("R", bound="Reporter")
PROMPTS = logging.getLogger("turbolens.filter.diffusion.prompts")

JSON_INTERVAL = 0.5  # seconds between two lines of progress


def counted(number: int, noun: str) -> str:
    """The number and the noun: "1 frame", "2 frames"."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


class _NoticeHandler(logging.Handler):
    """Passes records of a logger on as notices."""

    def __init__(self, notice: Notify) -> None:
        super().__init__(logging.INFO)
        self._notice = notice

    def emit(self, record: logging.LogRecord) -> None:
        self._notice(record.getMessage())


class Reporter:
    """Writes notices to stderr, or JSON lines to `stream`, which is stdout by default.

    A subclass may set `_display`, a bar or a status line on a terminal, which is shown while the
    `with` block runs. Notices may come from any thread; what the filter logs about prompts that are
    too long is a notice, too. name: the input that every line is about.
    """

    def __init__(
        self, *, as_json: bool, stream: TextIO | None = None, name: str | None = None
    ) -> None:
        self._json = as_json
        self._stream = stream or sys.stdout
        self._name = name
        self._lock = Lock()
        self._console = Console(stderr=True, highlight=False)
        self._display: Bar | Live | None = None
        self._prompt_notices = _NoticeHandler(self.notice)

    def __enter__(self: R) -> R:
        PROMPTS.addHandler(self._prompt_notices)
        PROMPTS.setLevel(logging.INFO)
        if self._display is not None:
            self._display.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        PROMPTS.removeHandler(self._prompt_notices)
        PROMPTS.setLevel(logging.NOTSET)
        if self._display is not None:
            self._display.stop()

    @property
    def _on_terminal(self) -> bool:
        """True if people read the words and can be shown a display."""
        return not self._json and sys.stderr.isatty()

    def notice(self, text: str) -> None:
        """Tell the user something once."""
        if self._json:
            self._line("notice", text=text)
        else:
            self._say(text if self._name is None else f"{self._name}: {text}")

    def _say(self, text: str) -> None:
        self._console.print(text, markup=False, soft_wrap=True)

    def _line(self, event: str, **values: Any) -> None:
        """Write one JSON line."""
        about = {} if self._name is None else {"input": self._name}
        with self._lock:
            json.dump({"event": event, **about, **values}, self._stream)
            self._stream.write("\n")
            self._stream.flush()


class VideoReporter(Reporter):
    """Reports on one file, with a progress bar. JSON events: progress, notice, done."""

    def __init__(self, name: str, *, as_json: bool, stream: TextIO | None = None) -> None:
        super().__init__(as_json=as_json, stream=stream, name=name)
        self._bar = Bar(
            TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(),
            TextColumn("{task.fields[fps]:.1f} fps"), TimeRemainingColumn(),
            console=self._console, disable=not self._on_terminal, transient=True,
        )  # fmt: skip
        self._display = self._bar
        self._task = self._bar.add_task(name, total=None, fps=0.0)
        self._last_progress = -JSON_INTERVAL
        self.frames = 0

    def progress(self, progress: Progress) -> None:
        """Show how far the file is."""
        self.frames = progress.frames
        if self._json:
            self._json_progress(progress)
            return
        self._bar.update(
            self._task, completed=progress.frames, total=progress.total_frames,
            fps=progress.fps,
        )  # fmt: skip

    def _json_progress(self, progress: Progress) -> None:
        if progress.seconds - self._last_progress >= JSON_INTERVAL:
            self._last_progress = progress.seconds
            self._line("progress", **asdict(progress), fps=round(progress.fps, 2))

    def done(self, report: VideoReport) -> None:
        """Sum up the file."""
        fps = (report.frames - report.resumed) / report.seconds if report.seconds else 0.0
        if self._json:
            self._line("done", **asdict(report), fps=round(fps, 2), dropped=0)
            return
        repeats = counted(report.reused, "repeat")
        reused = f", {repeats.replace(' ', ' of them ', 1)}" if report.reused else ""
        if report.resumed:
            reused += f", {report.resumed} of them finished before"
        state = "" if report.complete else " (interrupted; the finished part is kept)"
        self._say(
            f"{report.destination}: {counted(report.frames, 'frame')}{reused} in "
            f"{report.seconds:.1f} s, {fps:.1f} fps, none dropped{state}"
        )
