"""`turbolens video --cluster`: runs the jobs on a cluster, and shows how far they are."""

import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict
from datetime import timedelta

import typer
from rich.live import Live
from rich.text import Text

from turbolens.pipelines.cli.reporting import JSON_INTERVAL, Reporter, VideoReporter, counted
from turbolens.pipelines.cli.signals import Interrupted
from turbolens.pipelines.cluster.connection import require_ray
from turbolens.pipelines.cluster.driver import (
    ClusterOptions,
    ClusterSummary,
    Listener,
    run_on_cluster,
)
from turbolens.pipelines.cluster.file_job import ClusterFile
from turbolens.pipelines.cluster.progress import ClusterProgress
from turbolens.pipelines.video.job import VideoJob, VideoOptions
from turbolens.pipelines.video.report import VideoReport

from .companions import Companions
from .runs import Outcome, failure, success, sum_up, what_is_left


def check_for_cluster(address: str | None, options: VideoOptions, companions: Companions) -> None:
    """Raise `typer.BadParameter` for an option that does not work with --cluster.

    address: of the cluster, `None` for none. Raises `SettingsError` if Ray is not installed.
    """
    if address is None:
        return
    given = {"--compare": options.compare, "--preview": options.sheet,
             "--keep-partial": options.keep_partial, "--mask": companions.mask,
             "--control-video": companions.control_video}  # fmt: skip
    for name, value in given.items():
        if value:
            raise typer.BadParameter(f"{name} does not work with --cluster; leave one of them out")
    require_ray()


def run_cluster(
    jobs: Iterable[VideoJob | Outcome], options: ClusterOptions, *, as_json: bool
) -> None:
    """Run jobs on a cluster. Exit code 1 if one fails. Raises `Interrupted` after Ctrl-C.

    jobs: a list, or an iterator without end, for which Ctrl-C is the regular end.
    """
    known = jobs if isinstance(jobs, Sequence) else None
    with ClusterReporter(as_json=as_json) as reporter:
        listener = Listener(reporter.file_notice, reporter.progress, reporter.done, reporter.failed)
        try:
            total = None if known is None else len(known)
            summary = run_on_cluster(reporter.only_jobs(jobs), options, listener, total_files=total)
            reporter.sum_up_cluster(summary)
        except KeyboardInterrupt:
            if known is not None:
                raise Interrupted(_what_is_left(known, reporter.frames)) from None
    if known is None or len(known) > 1:
        sum_up(reporter.outcomes, as_json=as_json)
    if any(outcome.state == "failed" for outcome in reporter.outcomes):
        raise typer.Exit(1)


def _what_is_left(jobs: Sequence[VideoJob | Outcome], frames: int) -> str:
    """What Ctrl-C has left. frames: how many were filtered."""
    if len(jobs) == 1 and isinstance(jobs[0], VideoJob):
        return what_is_left(jobs[0], frames)
    return (
        f"interrupted after {counted(frames, 'frame')}; finished segments are kept beside the"
        " outputs, and the same command goes on after them"
    )


class ClusterReporter(Reporter):
    """Reports on a job on a cluster. JSON events: progress, notice, done, cluster.

    outcomes: of the files that have ended. frames: finished so far.
    """

    def __init__(self, *, as_json: bool) -> None:
        super().__init__(as_json=as_json)
        if self._on_terminal:
            self._display = Live(console=self._console, transient=True, refresh_per_second=2)
        self._last_progress = -JSON_INTERVAL
        self._last_state = (-1, 0, 0)
        self.outcomes: list[Outcome] = []
        self.frames = 0

    def only_jobs(self, jobs: Iterable[VideoJob | Outcome]) -> Iterator[VideoJob]:
        """The jobs. Outcomes among them are kept."""
        for job in jobs:
            if isinstance(job, Outcome):
                self.outcomes.append(job)
            else:
                yield job

    def file_notice(self, file: ClusterFile | None, text: str) -> None:
        """Tell something about a file, or about the cluster."""
        if self._json:
            about = {} if file is None else {"input": file.job.source}
            self._line("notice", **about, text=text)
        else:
            self._say(text if file is None else f"{file.job.source}: {text}")

    def progress(self, progress: ClusterProgress) -> None:
        """Show how far the job is."""
        self.frames = progress.frames
        if self._json:
            self._json_progress(progress)
        elif isinstance(self._display, Live):
            self._display.update(Text(progress_lines(progress)))

    def _json_progress(self, progress: ClusterProgress) -> None:
        now, state = time.monotonic(), (progress.frames, progress.files, progress.working)
        if state != self._last_state and now - self._last_progress >= JSON_INTERVAL:
            self._last_progress, self._last_state = now, state
            self._line("progress", **asdict(progress))

    def done(self, job: VideoJob, report: VideoReport) -> None:
        """Sum up a file."""
        VideoReporter(job.source, as_json=self._json).done(report)
        self.outcomes.append(success(report))

    def failed(self, job: VideoJob, error: Exception) -> None:
        """Tell why a file could not be filtered."""
        typer.echo(f"turbolens: {' '.join(str(error).split())}", err=True)
        self.outcomes.append(failure(job.source, job.destination, error))

    def sum_up_cluster(self, summary: ClusterSummary) -> None:
        """Tell what went wrong on the way and was mended."""
        if self._json:
            self._line("cluster", **asdict(summary))
        elif summary.retries or summary.lost_workers or summary.lost_nodes:
            nodes = counted(summary.lost_nodes, "node")
            self._say(
                f"made again: {counted(summary.retries, 'segment')}; lost: "
                f"{counted(summary.lost_workers, 'worker')}, {nodes}"
            )


def progress_lines(progress: ClusterProgress) -> str:
    """Two lines for a terminal: the job, and the nodes."""
    files = f"{progress.files}" if progress.total_files is None else (
        f"{progress.files}/{progress.total_files}")  # fmt: skip
    parts = [
        f"files {files}", f"segments {progress.segments}",
        f"frames {progress.frames}/{progress.total_frames}", f"{progress.fps:.1f} fps",
        counted(progress.working, "worker") + " busy",
    ]  # fmt: skip
    if progress.seconds_left is not None:
        parts.append(f"{timedelta(seconds=round(progress.seconds_left))} left")
    nodes = "  ".join(f"{name} {fps:.1f} fps" for name, fps in progress.nodes.items())
    return "  ".join(parts) + (f"\n{nodes}" if nodes else "")
