"""The command `turbolens`: one file for each subcommand.

Start with `app.py`, which names the subcommands. It parses first and imports torch afterwards. No
other room raises command-line errors.
"""

from .app import main

__all__ = ["main"]
