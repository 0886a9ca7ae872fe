"""Downloads one file of a hub repository into huggingface_hub's cache: resumable and hash-checked.

huggingface_hub's own `hf_hub_download` and `snapshot_download` delete a partial file when they
fail, so the next run starts at zero, and they compare sizes but no hashes, so a damaged file stays
in the cache. This module adds both. It uses the documented layout of the cache (blobs/, snapshots/,
.locks/) and, of what huggingface_hub does not document, `http_get`, `are_symlinks_supported`,
`build_hf_headers` and `WeakFileLock`: pyproject.toml bounds its version from above because of them.
"""

import errno
import hashlib
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, cast

from huggingface_hub import hf_hub_url
from huggingface_hub.file_download import are_symlinks_supported, http_get
from huggingface_hub.utils import (
    WeakFileLock,
    are_progress_bars_disabled,
    build_hf_headers,
    disable_progress_bars,
    enable_progress_bars,
)

from turbolens.filter.errors import DownloadError

from .hub import Hub, RemoteFile, RemoteRepo, hub_errors

OnBytes = Callable[[int], None]
"""Called with the number of bytes that arrived since the last call; negative after a restart."""

_PROGRESS_BAR = "huggingface_hub.http_get"
_HASH_CHUNK = 1 << 22  # bytes


@dataclass(frozen=True)
class CachedFile:
    """The paths of one remote file in the cache, and its download."""

    repo: RemoteRepo
    file: RemoteFile
    hub: Hub

    @property
    def snapshot_path(self) -> Path:
        """The path under which the file is loaded."""
        return self.hub.snapshot_folder(self.repo.name, self.repo.commit) / self.file.path

    @property
    def blob_path(self) -> Path:
        """The complete content; `snapshot_path` is a symbolic link to it where links exist."""
        return self.hub.repo_folder(self.repo.name) / "blobs" / self.file.digest

    @property
    def partial_path(self) -> Path:
        """The content that has arrived so far."""
        return self.blob_path.with_name(f"{self.file.digest}.turbolens.incomplete")

    @property
    def lock_path(self) -> Path:
        """The lock that huggingface_hub uses for the same file."""
        folder = self.hub.repo_folder(self.repo.name)
        return folder.parent / ".locks" / folder.name / f"{self.file.digest}.lock"

    def bytes_present(self) -> int:
        """The number of bytes on this machine, 0 … size."""
        for path in (self.snapshot_path, self.blob_path, self.partial_path):
            if path.is_file():
                return min(path.stat().st_size, self.file.size)
        return 0

    def is_intact(self, path: Path) -> bool:
        """True if the file at `path` has the size and the hash that the hub lists."""
        if not path.is_file() or path.stat().st_size != self.file.size:
            return False
        if len(self.file.digest) == 64:
            digest = hashlib.sha256()
        else:  # git's blob id: the file is not in Git LFS
            digest = hashlib.sha1(b"blob %d\0" % self.file.size, usedforsecurity=False)
        with path.open("rb") as stream:
            while chunk := stream.read(_HASH_CHUNK):
                digest.update(chunk)
        return digest.hexdigest() == self.file.digest

    def download(self, on_bytes: OnBytes) -> Path:
        """Download what is missing, verify it, and return the path of the complete content.

        The file does not appear in the snapshot before `link`. on_bytes: also called with the bytes
        that were present before. Raises `DownloadError`; intact partial content is kept.
        """
        self.blob_path.parent.mkdir(parents=True, exist_ok=True)
        self.lock_path.parent.mkdir(parents=True, exist_ok=True)
        with WeakFileLock(self.lock_path):
            for path in (self.snapshot_path, self.blob_path):
                if self.is_intact(path):
                    on_bytes(self.file.size)
                    return path
            self._resume(on_bytes)
            if not self.is_intact(self.partial_path):
                self.partial_path.unlink(missing_ok=True)
                raise DownloadError(
                    f"{self.file.path} of {self.repo.name} arrived damaged, and was removed: it "
                    f"must have {self.file.size} bytes and the hash {self.file.digest[:12]}…; run "
                    "the command again"
                )
            return self.partial_path.replace(self.blob_path)

    def link(self, content: Path) -> None:
        """Show the downloaded content in the snapshot; it is moved there without symbolic links."""
        target = self.snapshot_path
        if target == content:
            return
        target.parent.mkdir(parents=True, exist_ok=True)
        target.unlink(missing_ok=True)
        if are_symlinks_supported(self.hub.folder):
            target.symlink_to(os.path.relpath(content, target.parent))
        else:
            shutil.move(content, target)

    def _resume(self, on_bytes: OnBytes) -> None:
        """Append the missing bytes to the partial file."""
        partial, size = self.partial_path, self.file.size
        present = partial.stat().st_size if partial.is_file() else 0
        if present > size:
            partial.unlink()
            present = 0
        on_bytes(present)
        try:
            with partial.open("ab") as stream, hub_errors(self.repo.name, self.hub):
                self._get(_CountingFile(stream, on_bytes), present)
        except DownloadError:
            raise
        except OSError as error:
            raise self._disk_error(error) from error

    def _get(self, stream: "_CountingFile", present: int) -> None:
        """GET the rest. The redirect to another host is followed without the token."""
        url = hf_hub_url(
            self.repo.name, self.file.path, revision=self.repo.commit, endpoint=self.hub.url
        )
        headers = {**build_hf_headers(), "Accept-Encoding": "identity"}
        with _without_progress_bar():
            http_get(
                url, cast(BinaryIO, stream),
                resume_size=present, headers=headers, expected_size=self.file.size,
            )  # fmt: skip

    def _disk_error(self, error: OSError) -> DownloadError:
        folder = self.partial_path.parent
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            present = self.partial_path.stat().st_size if self.partial_path.is_file() else 0
            return DownloadError(
                f"the disk of {folder} is full: {(self.file.size - present) / 1e6:,.0f} MB of "
                f"{self.file.path} are missing; the part that has arrived is kept: make room and "
                "run the command again"
            )
        return DownloadError(
            f"{self.file.path} cannot be written to {folder}: {' '.join(str(error).split())}"
        )


class _CountingFile:
    """A file that reports the bytes written. http_get truncates it if a server ignores ranges."""

    def __init__(self, stream: BinaryIO, on_bytes: OnBytes) -> None:
        self._stream, self._on_bytes = stream, on_bytes

    def write(self, data: bytes) -> int:
        written = self._stream.write(data)
        self._on_bytes(written)
        return written

    def tell(self) -> int:
        return self._stream.tell()

    def seek(self, offset: int, whence: int = 0) -> int:
        return self._stream.seek(offset, whence)

    def truncate(self, size: int | None = None) -> int:
        keep = self._stream.tell() if size is None else size
        self._on_bytes(keep - self._stream.seek(0, os.SEEK_END))
        return self._stream.truncate(keep)


@contextmanager
def _without_progress_bar() -> Iterator[None]:
    """Hide http_get's progress bar: the command draws its own for all files together."""
    if are_progress_bars_disabled(_PROGRESS_BAR):
        yield
        return
    disable_progress_bars(_PROGRESS_BAR)
    try:
        yield
    finally:
        enable_progress_bars(_PROGRESS_BAR)
