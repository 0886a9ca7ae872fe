"""What a result was made from and how: an interrupted run goes on only with the same."""

from collections.abc import Mapping, Sequence
from hashlib import sha256
from pathlib import Path

END = 1 << 20  # bytes at each end of a file that are part of its identity
SAMPLES = 64  # parts of this length of a larger file that are part of the identity of its content
FORMATS = (".safetensors", ".json", ".txt", ".model")
"""Suffixes of the files in a model's folder that decide what it makes."""

Identity = Mapping[str, str]
"""From the name of each setting or input to its value, for example "prompt" → "neon"."""


def file_identity(path: Path) -> str:
    """Size, time of the last change, and a digest of the first and the last MiB of a file."""
    status, digest = path.stat(), sha256()
    with path.open("rb") as file:
        digest.update(file.read(END))
        file.seek(max(0, status.st_size - END))
        digest.update(file.read(END))
    return f"{status.st_size} bytes, {status.st_mtime_ns} ns, {digest.hexdigest()}"


def content_identity(path: Path) -> str:
    """Size and a digest of a file: the same for its copies, on other machines too.

    Of more than 64 MiB, 64 parts are read that are evenly spaced from the first to the last byte.
    """
    size, digest = path.stat().st_size, sha256()
    step = max(END, (size - END) / (SAMPLES - 1))
    with path.open("rb") as file:
        for index in range(SAMPLES):
            file.seek(round(index * step))
            digest.update(file.read(END))
    return f"{size} bytes, {digest.hexdigest()}"


def model_identity(folder: Path | None) -> str:
    """The identity of what is in a model's files. "": unknown."""
    if folder is None:
        return ""
    if folder.is_file():
        return content_identity(folder)
    digest = sha256()
    for path in sorted(folder.rglob("*")):
        if path.suffix in FORMATS and path.is_file():
            digest.update(f"{path.relative_to(folder)}: {content_identity(path)}\n".encode())
    return digest.hexdigest()


def differences(before: Identity, now: Identity) -> Sequence[str]:
    """The names whose values differ, or that only one of both has, in order."""
    names = dict.fromkeys([*now, *before])
    return [name for name in names if before.get(name) != now.get(name)]
