"""Shows the progress of a training stage: a bar on a terminal, else a line a minute."""

from collections.abc import Iterator
from pathlib import Path
from time import monotonic
from typing import Protocol

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)


class Followed(Protocol):
    """What `follow` needs of a stage. history: the losses of each step so far."""

    @property
    def name(self) -> str: ...
    @property
    def steps(self) -> int: ...
    @property
    def folder(self) -> Path: ...
    @property
    def history(self) -> list[dict[str, float]]: ...

    def run(self) -> Iterator[int]:
        """Train, yielding the number of steps done."""
        ...


LINE_SECONDS = 60.0  # between two lines where there is no terminal


def training_progress(console: Console) -> Progress:
    """A bar with the number of steps, the time that has passed and the time that is left."""
    return Progress(
        TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(),
        TextColumn("left"), TimeRemainingColumn(), console=console, speed_estimate_period=600,
    )  # fmt: skip


def follow(progress: Progress, stage: Followed, every: int = 0) -> Iterator[int]:
    """Run a stage with a progress bar, yielding every `every` steps (0: never) and at the end.

    When the run is interrupted, a line says that the state is kept.
    """
    task = progress.add_task(stage.name, total=stage.steps)
    lines = _Lines(progress, stage)
    try:
        for step in stage.run():
            loss = sum(stage.history[-1].values())
            progress.update(task, completed=step, description=f"{stage.name}, loss {loss:.3f}")
            lines.passed(step, loss)
            if every and step % every == 0 and step < stage.steps:
                yield step
    except KeyboardInterrupt:
        progress.console.print(
            f"stopped after step {len(stage.history)} of {stage.steps}; the state is kept in "
            f"{stage.folder}, and the same command goes on", soft_wrap=True, highlight=False,
        )  # fmt: skip
        raise
    progress.update(task, completed=stage.steps)
    yield stage.steps


class _Lines:
    """Prints a line of progress now and then, if the console is no terminal."""

    def __init__(self, progress: Progress, stage: Followed) -> None:
        self._console, self._stage = progress.console, stage
        self._first: tuple[int, float] | None = None  # step and time
        self._printed_at = monotonic()

    def passed(self, step: int, loss: float) -> None:
        """A step is done."""
        now, steps = monotonic(), self._stage.steps
        if self._first is None:  # of this run, which may have resumed an earlier one
            self._first = step, now
        if self._console.is_terminal or (now - self._printed_at < LINE_SECONDS and step < steps):
            return
        self._printed_at = now
        first_step, began = self._first
        left = (now - began) / max(1, step - first_step) * (steps - step)
        self._console.print(
            f"{self._stage.name}: step {step} of {steps}, loss {loss:.3f}, "
            f"{_time(left)} left", soft_wrap=True, highlight=False,
        )  # fmt: skip


def _time(seconds: float) -> str:
    """ "2 min" or "40 s"."""
    return f"{seconds / 60:.0f} min" if seconds >= 90 else f"{seconds:.0f} s"
