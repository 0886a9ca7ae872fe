"""What a result was made from and how: an interrupted run goes on only with the same."""

from collections.abc import Mapping, Sequence
from hashlib import sha256
from pathlib import Path

END = 1 << 20  # bytes at each end of a file that are part of its identity
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


def model_identity(folder: Path | None) -> str:
    """The identity of a model's files. "": unknown."""
    if folder is None:
        return ""
    if folder.is_file():
        return file_identity(folder)
    digest = sha256()
    for path in sorted(folder.rglob("*")):
        if path.suffix in FORMATS and path.is_file():
            digest.update(f"{path.relative_to(folder)}: {file_identity(path)}\n".encode())
    return digest.hexdigest()


def differences(before: Identity, now: Identity) -> Sequence[str]:
    """The names whose values differ, or that only one of both has, in order."""
    names = dict.fromkeys([*now, *before])
    return [name for name in names if before.get(name) != now.get(name)]
