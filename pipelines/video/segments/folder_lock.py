"""A lock on a folder, which the system releases when the process ends, however it ends."""

import sys
from pathlib import Path
from typing import BinaryIO

if sys.platform == "win32":
    import msvcrt

    def _acquire(file: BinaryIO) -> None:
        msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
else:
    import fcntl

    def _acquire(file: BinaryIO) -> None:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)


class FolderLock:
    """Holds a file of this name in the folder until `release`.

    Raises `BlockingIOError` or `PermissionError` if another process holds it.
    """

    def __init__(self, folder: Path, name: str = "lock") -> None:
        self._file: BinaryIO = (folder / name).open("ab")
        try:
            _acquire(self._file)
        except OSError:
            self._file.close()
            raise

    def release(self) -> None:
        """Release it. May be called twice."""
        self._file.close()
