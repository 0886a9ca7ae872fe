"""Ctrl-C and SIGTERM: one line and exit code 130, also while modules are imported."""

import os
import signal
import sys
from types import FrameType
from typing import NoReturn

INTERRUPTED = 130  # exit code
IMPORT_SYSTEM = "<frozen importlib"


class Interrupted(Exception):  # noqa: N818 - not an error
    """Ctrl-C ended the command. The text is for the user; empty if everything was said."""


def handle_signals() -> None:
    """Handle SIGINT and SIGTERM alike from now on.

    An ignored SIGINT stays ignored, as in a background job of a shell.
    """
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, _interrupt)
    signal.signal(signal.SIGTERM, _interrupt)


def _interrupt(number: int, frame: FrameType | None) -> NoReturn:
    """Raise KeyboardInterrupt, or exit at once during an import.

    Libraries turn a KeyboardInterrupt in the middle of their import into other errors, or print it
    and go on. The import may have been running when the signal came or, if `DeferredInterrupts`
    calls this function later, no longer be: the stack of this call tells.
    """
    if _is_importing(sys._getframe()):
        exit_interrupted("interrupted")
    raise KeyboardInterrupt


def _is_importing(frame: FrameType | None) -> bool:
    """True if an import is in progress in this frame or one that called it."""
    while frame is not None:
        if frame.f_code.co_filename.startswith(IMPORT_SYSTEM):
            return True
        frame = frame.f_back
    return False


def exit_interrupted(text: str) -> NoReturn:
    """Print one line and exit at once: a thread may wait for a pipe forever."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if text:
        sys.stderr.write(f"turbolens: {' '.join(text.split())}\n")
    sys.stderr.flush()
    sys.stdout.flush()
    os._exit(INTERRUPTED)
