"""Runs the jobs of `turbolens video` one after the other, and sums them up."""

import sys
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

import typer
from rich.console import Console
from rich.table import Table

from turbolens.filter import TurbolensError
from turbolens.pipelines.cli.reporting import Reporter, VideoReporter, counted
from turbolens.pipelines.cli.signals import Interrupted
from turbolens.pipelines.video.destination import is_piped
from turbolens.pipelines.video.images.sequences import is_sequence
from turbolens.pipelines.video.job import VideoJob
from turbolens.pipelines.video.report import VideoReport
from turbolens.pipelines.video.segments.parts import parts_folder
from turbolens.pipelines.video.segments.segmentation import Segmentation

State = Literal["done", "resumed", "kept", "failed", "interrupted"]


@dataclass(frozen=True)
class Outcome:
    """What became of one input.

    state: resumed if an earlier run had filtered a part of it; kept if its output existed already.
    reason: why it failed or was kept.
    """

    input: str
    output: str
    state: State
    frames: int = 0
    reason: str = ""


class VideoRuns:
    """Filters inputs with one frame filter."""

    def __init__(self, frame_filter: Any, segmentation: Segmentation, *, as_json: bool) -> None:
        self._filter, self._segmentation, self._json = frame_filter, segmentation, as_json
        self.outcomes: list[Outcome] = []

    def run_all(self, jobs: Iterable[VideoJob | Outcome]) -> None:
        """Run every job. One that fails is reported, and the others go on.

        An outcome stands for an input of which that is known already. After Ctrl-C nothing more is
        run: raises `Interrupted`.
        """
        for job in jobs:
            self.outcomes.append(job if isinstance(job, Outcome) else self._outcome(job))

    def _outcome(self, job: VideoJob) -> Outcome:
        try:
            return self.run(job)
        except (TurbolensError, OSError) as error:
            about = "" if job.source in str(error) else f"{job.source}: "
            typer.echo(f"turbolens: {about}{error}", err=True)
            return failure(job.source, job.destination, error)
        except Interrupted as interruption:
            self.outcomes.append(
                Outcome(job.source, job.destination, "interrupted", reason=str(interruption))
            )
            raise

    def run(self, job: VideoJob) -> Outcome:
        """Run one job. Raises its error, or `Interrupted` after Ctrl-C."""
        stream = sys.stderr if is_piped(job.destination) else sys.stdout
        self._filter.reset()
        try:
            with VideoReporter(job.source, as_json=self._json, stream=stream) as reporter:
                report = job.run(
                    self._filter, segmentation=self._segmentation,
                    on_progress=reporter.progress, on_notice=reporter.notice,
                )  # fmt: skip
        except KeyboardInterrupt:
            raise Interrupted(what_is_left(job, reporter.frames)) from None
        reporter.done(report)
        if not report.complete:
            raise Interrupted(_how_to_go_on(job) if job.kept_frames else "")
        return success(report)

    @property
    def has_failures(self) -> bool:
        """True if an input could not be filtered."""
        return any(outcome.state == "failed" for outcome in self.outcomes)

    def sum_up(self) -> None:
        """Print what became of every input."""
        sum_up(self.outcomes, as_json=self._json)


class SummaryReporter(Reporter):
    """Reports on several files. JSON event: summary."""

    def summary(self, outcomes: Sequence[Outcome]) -> None:
        """One line about all of them."""
        states = [outcome.state for outcome in outcomes]
        counts = {state: states.count(state) for state in ("done", "resumed", "kept", "failed")}
        self._line("summary", **counts, files=[asdict(outcome) for outcome in outcomes])


def sum_up(outcomes: Sequence[Outcome], *, as_json: bool) -> None:
    """Print what became of every input: a table, or a JSON line."""
    if as_json:
        SummaryReporter(as_json=True).summary(outcomes)
    else:
        Console(stderr=True, highlight=False).print(_table(outcomes))


def success(report: VideoReport) -> Outcome:
    """The outcome of an input that was filtered."""
    state: State = "resumed" if report.resumed else "done"
    return Outcome(report.source, report.destination, state, report.frames)


def failure(source: str, destination: str, error: Exception) -> Outcome:
    """The outcome of an input that could not be filtered."""
    return Outcome(source, destination, "failed", reason=" ".join(str(error).split()))


def _table(outcomes: Sequence[Outcome]) -> Table:
    table = Table("input", "result", "frames", "output or reason")
    for outcome in outcomes:
        frames = str(outcome.frames) if outcome.frames else ""
        table.add_row(outcome.input, outcome.state, frames, outcome.reason or outcome.output)
    return table


def what_is_left(job: VideoJob, frames: int) -> str:
    """What Ctrl-C has left of the output. frames: how many were filtered."""
    done = f"interrupted after {counted(frames, 'frame')}"
    if is_piped(job.destination):
        return f"{done}; the output on the pipe ends early"
    if is_sequence(job.destination):
        return f"{done}; the finished images are kept"
    if job.kept_frames:
        return f"{done}: {_how_to_go_on(job)}"
    left = "is unchanged" if Path(job.destination).exists() else "was not written"
    advice = "; to keep the finished part next time, add --keep-partial" if frames else ""
    return f"{done}: {job.destination} {left}{advice}"


def _how_to_go_on(job: VideoJob) -> str:
    kept, folder = counted(job.kept_frames, "frame"), parts_folder(Path(job.destination))
    return f"{kept} are kept in {folder}, and the same command goes on after them"
