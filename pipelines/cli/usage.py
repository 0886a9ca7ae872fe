"""Usage errors, and option values that several commands read."""

from collections.abc import Iterator
from contextlib import contextmanager

import typer


@contextmanager
def usage_errors() -> Iterator[None]:
    """Turn a `ValueError` of the block into a usage error: one line, exit code 2."""
    try:
        yield
    except ValueError as error:
        raise typer.BadParameter(str(error)) from error


def parse_size(option: str, text: str) -> tuple[int, int]:
    """ "1280x720" → (1280, 720). Raises `typer.BadParameter`, which names the option."""
    width, _, height = text.lower().replace("×", "x").partition("x")
    if not (width.isdecimal() and height.isdecimal() and int(width) and int(height)):
        raise typer.BadParameter(
            f"{option} must be WIDTHxHEIGHT, for example 1280x720, got {text!r}"
        )
    return int(width), int(height)
