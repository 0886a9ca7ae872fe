"""`turbolens video --watch FOLDER`: which files in a folder have arrived completely."""

import time
from collections.abc import Iterator
from pathlib import Path
from typing import TypeAlias

from turbolens.pipelines.video.outputs import CONTAINERS

SUFFIXES = {*CONTAINERS, ".avi", ".wmv", ".mpg", ".mpeg", ".3gp", ".mxf", ".vob", ".ogv"}
INTERVAL = 1.0  # seconds between two looks at the folder
STILL_LOOKS = 2  # after so many looks with the same size a file counts as complete

Version: TypeAlias = tuple[int, int]
"""Size in bytes, and time of the last change in nanoseconds."""


class FolderWatch:
    """The video files of a folder, each once its size has stood still.

    A file that changes later is given again. Hidden files and those without a suffix of a video are
    ignored, so that a download may have another name until it is whole.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._seen: dict[Path, tuple[Version, int]] = {}  # and how often it was seen like that
        self._given: dict[Path, Version] = {}

    def look(self) -> list[Path]:
        """Look at the folder once. Returns the files that are complete now and were not given."""
        versions = {path: version for path in sorted(self._folder.iterdir())
                    if (version := _version_of(path)) is not None}  # fmt: skip
        self._seen = {path: (version, self._looks(path, version) + 1)
                      for path, version in versions.items()}  # fmt: skip
        complete = [path for path, (version, looks) in self._seen.items()
                    if looks > STILL_LOOKS and self._given.get(path) != version]  # fmt: skip
        self._given.update({path: versions[path] for path in complete})
        return complete

    def _looks(self, path: Path, version: Version) -> int:
        last, looks = self._seen.get(path, (version, 0))
        return looks if last == version else 0

    def files(self) -> Iterator[Path]:
        """Complete files as they arrive, without end."""
        while True:
            yield from self.look()
            time.sleep(INTERVAL)


def _version_of(path: Path) -> Version | None:
    """`None` for what is not a video file, is empty, or has just been removed."""
    if path.name.startswith(".") or path.suffix.lower() not in SUFFIXES:
        return None
    try:
        status = path.stat()
    except OSError:
        return None
    return (status.st_size, status.st_mtime_ns) if path.is_file() and status.st_size else None
