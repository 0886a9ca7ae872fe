"""Shows the progress of a training stage on the terminal."""

from collections.abc import Iterator

from rich.progress import Progress

from .loop import Stage


def follow(progress: Progress, stage: Stage, every: int = 0) -> Iterator[int]:
    """Run a stage with a progress bar, yielding every `every` steps (0: never) and at the end."""
    task = progress.add_task(stage.name, total=stage.steps)
    for step in stage.run():
        loss = sum(stage.history[-1].values())
        progress.update(task, completed=step, description=f"{stage.name}, loss {loss:.3f}")
        if every and step % every == 0 and step < stage.steps:
            yield step
    progress.update(task, completed=stage.steps)
    yield stage.steps
