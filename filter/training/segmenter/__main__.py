"""`python -m turbolens.filter.training.segmenter CLIP... --teacher FILE`."""

import typer

from .agreement import main

if __name__ == "__main__":
    typer.run(main)
