"""`python -m turbolens.pipelines.scene FOLDER`: pictures of persons with exact masks."""

from pathlib import Path
from typing import Annotated

import typer

from .people import write_people


def main(
    folder: Annotated[Path, typer.Argument(help="Where the pictures are written.")],
    *,
    scenes: Annotated[int, typer.Option(min=1, help="Scenes, each with another person.")] = 48,
    frames: Annotated[int, typer.Option(min=1, max=90, help="Frames of each of the shots.")] = 2,
    seed: Annotated[int, typer.Option(min=0, help="Seed of the times.")] = 0,
) -> None:
    """Write pictures for `turbolens train segmenter --people`. Files that exist are kept."""
    count = sum(1 for _ in write_people(folder, scenes=scenes, frames=frames, seed=seed))
    typer.echo(f"{count} pictures are in {folder}")


if __name__ == "__main__":
    typer.run(main)
