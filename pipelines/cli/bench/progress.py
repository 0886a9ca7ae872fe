"""What `turbolens bench` prints while it measures."""

from collections.abc import Callable

from rich.console import Console


def measuring(*, as_json: bool) -> Callable[[str], None]:
    """A function that prints what is being measured; with JSON output, one that prints nothing."""
    console = Console(stderr=True, highlight=False, quiet=as_json)
    return lambda what: console.print(f"measuring {what} …")
