"""FFmpeg's errors in plain words."""

import av

WORDS: tuple[tuple[type[BaseException], str], ...] = (
    (FileNotFoundError, "there is no such file"),
    (IsADirectoryError, "it is a directory"),
    (PermissionError, "permission denied"),
    (av.ProtocolNotFoundError, "FFmpeg was built without this protocol"),
    (av.DemuxerNotFoundError, "FFmpeg does not know this format"),
    (av.InvalidDataError, "it is damaged, cut short, or not a media file"),
    (av.ExitError, "it does not answer"),  # our limit of time has passed
    (EOFError, "it is empty or cut short"),
)


def reason(error: BaseException) -> str:
    """One phrase for what went wrong."""
    for kind, words in WORDS:
        if isinstance(error, kind):
            return words
    text = getattr(error, "strerror", None) or str(error) or type(error).__name__
    return str(text)
