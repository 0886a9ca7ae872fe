"""FFmpeg's errors as short phrases for users."""

import av

PHRASES: tuple[tuple[type[BaseException], str], ...] = (
    (FileNotFoundError, "there is no such file"),
    (IsADirectoryError, "it is a directory"),
    (PermissionError, "permission denied"),
    (av.ProtocolNotFoundError, "FFmpeg was built without this protocol"),
    (av.DemuxerNotFoundError, "FFmpeg does not know this format"),
    (av.InvalidDataError, "it is damaged, cut short, or not a media file"),
    (av.ExitError, "it does not answer"),  # PyAV's timeout has passed
    (EOFError, "it is empty or cut short"),
)


def reason(error: BaseException) -> str:
    """A phrase that says what went wrong."""
    for kind, phrase in PHRASES:
        if isinstance(error, kind):
            return phrase
    text = getattr(error, "strerror", None) or str(error) or type(error).__name__
    return str(text)
