"""The command `turbolens`: one file for each subcommand.

Start with `app.py`, which names the subcommands. It parses first and imports torch afterwards. No
other room raises command-line errors.
"""

__all__ = ["main"]


def main() -> None:
    """Run the command. Nothing is imported before Ctrl-C is handled: imports take a second."""
    from .signals import handle_signals  # noqa: PLC0415

    handle_signals()
    from .app import main as run  # noqa: PLC0415

    run()
