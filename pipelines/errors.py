"""Errors of FFmpeg and of networks as short phrases for users."""

import os
import sys
from pathlib import Path

import av

VAGUE: tuple[type[BaseException], ...] = (
    av.error.ArgumentError, av.error.BugError, av.error.BufferTooSmallError,
    av.error.ExperimentalError, av.error.ExternalError, av.error.InputChangedError,
    av.error.NotImplementedError, av.error.OutputChangedError, av.error.PatchWelcomeError,
    av.error.UndefinedError, av.error.UnknownError,
)  # fmt: skip
"""Errors whose own texts, such as "Invalid argument", tell a user nothing."""

PHRASES: tuple[tuple[type[BaseException] | tuple[type[BaseException], ...], str], ...] = (
    (FileNotFoundError, "there is no such file"),
    (IsADirectoryError, "it is a directory"),
    (PermissionError, "permission denied"),
    (av.ProtocolNotFoundError, "FFmpeg was built without this protocol"),
    (av.DemuxerNotFoundError, "FFmpeg does not know this format"),
    (av.InvalidDataError, "it is damaged, cut short, or not a media file"),
    (av.ExitError, "it does not answer"),  # PyAV's timeout has passed
    (EOFError, "it is empty or cut short"),
    (VAGUE, "it is damaged, or of a kind that FFmpeg cannot read"),
)

REFUSED = "FFmpeg cannot write this video there; choose another --codec or container"


def reason(error: BaseException) -> str:
    """A phrase that says why an input cannot be read."""
    for kind, phrase in PHRASES:
        if isinstance(error, kind):
            return phrase
    text = getattr(error, "strerror", None) or str(error) or type(error).__name__
    return str(text)


def file_reason(name: str, error: BaseException) -> str:
    """The same for an input that may be a file, of which an empty one is said to be empty."""
    path = Path(name)
    return "it is empty" if path.is_file() and not path.stat().st_size else reason(error)


def system_reason(error: BaseException) -> str:
    """The system's own words for an error of the network, without the address that Python adds."""
    number = getattr(error, "errno", None)
    if isinstance(number, int) and number > 0 and sys.platform != "win32":
        return os.strerror(number)
    return str(getattr(error, "strerror", None) or error) or type(error).__name__


def output_reason(error: BaseException, *, refused: str = REFUSED) -> str:
    """A phrase that says why an output cannot be written.

    refused: said for an error without a cause, as FFmpeg gives it for what it cannot write.
    """
    return refused if isinstance(error, (*VAGUE, av.InvalidDataError)) else reason(error)
