"""An output file that gets its name only once it is complete."""

import os
from pathlib import Path
from tempfile import NamedTemporaryFile

from turbolens.filter.errors import MediaError


class Destination:
    """A path to write to by way of a temporary file. Pipes and devices are written directly.

    temporary: that file, on the same disk; by default a hidden one beside it. Raises `MediaError`
    if the file exists and may not be replaced, or if its folder does not exist or is read-only.
    """

    def __init__(
        self, name: str, *, overwrite: bool = False, temporary: Path | None = None
    ) -> None:
        self.name = name
        self.final = Path(name)
        self.piped = is_piped(name)
        self._direct = self.piped or is_special(self.final)
        if not self._direct:
            _check(self.final, overwrite=overwrite)
        self._overwrite = overwrite
        self._temporary = temporary or self.final.with_name(
            f".{self.final.stem}.{os.getpid()}.part{self.final.suffix}"
        )

    @property
    def is_regular(self) -> bool:
        """True for a file that is made under another name first; False for a pipe or device."""
        return not self._direct

    @property
    def writing(self) -> str:
        """The path to open for writing, or FFmpeg's name of a pipe."""
        if self.piped:
            return "pipe:1" if self.name == "-" else self.name
        return str(self.final if self._direct else self._temporary)

    @property
    def url(self) -> str:
        """The name by which FFmpeg opens it for writing."""
        return self.writing if self.piped else file_url(self.writing)

    def complete(self) -> None:
        """Give the finished file its name. Raises `MediaError` if that name was taken meanwhile."""
        if self._direct:
            return
        if self.final.exists() and not self._overwrite:
            raise MediaError(
                f"{self.final} appeared while it was being made; it is kept, and the new one is "
                f"{self._temporary}"
            )
        self._temporary.replace(self.final)

    def discard(self) -> None:
        """Remove what was written so far."""
        if not self._direct:
            self._temporary.unlink(missing_ok=True)


def file_url(name: str) -> str:
    """The name by which FFmpeg opens a file. It takes `12:30.mp4` for a URL of the protocol 12."""
    return f"file:{name}" if ":" in name else name


def is_piped(name: str) -> bool:
    """True if the name means standard input or output."""
    return name == "-" or name.startswith("pipe:")


def is_special(path: Path) -> bool:
    """True for a device or named pipe (as a shell's `<(…)` is), which can be opened only once."""
    return path.exists() and not path.is_file() and not path.is_dir()


def _check(path: Path, *, overwrite: bool) -> None:
    if path.is_dir():
        raise MediaError(
            f"cannot write {path}: it is a directory; name a file, or use --output-dir"
        )
    if not path.parent.is_dir():
        raise MediaError(f"cannot write {path}: there is no folder {path.parent}")
    if path.exists() and not overwrite:
        raise MediaError(f"{path} exists; --overwrite replaces it")
    check_writable(path)


def check_writable(path: Path) -> None:
    """Raise `MediaError` unless a file or folder can be created under this name.

    It is tried, in the nearest folder that exists: permissions alone do not tell of a read-only
    file system or a full disk.
    """
    folder = next((each for each in path.absolute().parents if each.is_dir()), Path())
    try:
        with NamedTemporaryFile(dir=folder, prefix=".turbolens-"):
            pass
    except OSError as error:
        raise MediaError(
            f"cannot write {path}: no file can be created in {folder} "
            f"({error.strerror or error}); choose another folder"
        ) from error
