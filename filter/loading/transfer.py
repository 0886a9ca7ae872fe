"""One file from the hub into its cache: continued where it was broken off, and checked.

huggingface_hub transfers it, and continues after a fault of the network within a run; since its
version 1 it begins anew in the next run, and it does not compare hashes. Both are added here.
"""

import errno
import hashlib
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import Any, BinaryIO, cast
from urllib.parse import urlsplit

from huggingface_hub import get_hf_file_metadata, hf_hub_url
from huggingface_hub.file_download import are_symlinks_supported, http_get

from turbolens.filter.errors import DownloadError

from .hub import Hub, RemoteFile, RemoteRepo, hub_errors, snapshot_folder

OnBytes = Callable[[int], None]

_UTILS: Any = import_module("huggingface_hub.utils")  # its public names are not marked as such
_BAR = "huggingface_hub.http_get"
_CHUNK = 1 << 22


def bytes_here(repo: RemoteRepo, file: RemoteFile, hub: Hub) -> int:
    """How much of the file is on this machine already, 0 … its size."""
    for path in (_placed(repo, file, hub), _blob(repo, file, hub), _partial(repo, file, hub)):
        if path.is_file():
            return min(path.stat().st_size, file.size)
    return 0


def fetch(repo: RemoteRepo, file: RemoteFile, hub: Hub, on_bytes: OnBytes) -> Path:
    """The file's bytes in the cache, complete and of the right hash; `place` gives them their name.

    on_bytes is told of every further piece; one that was here already, of its whole. Raises
    `DownloadError` where it cannot be had or came damaged; what arrived soundly is kept.
    """
    partial, lock = _partial(repo, file, hub), _lock(repo, file, hub)
    partial.parent.mkdir(parents=True, exist_ok=True)
    lock.parent.mkdir(parents=True, exist_ok=True)
    with _UTILS.WeakFileLock(lock):
        for path in (_placed(repo, file, hub), _blob(repo, file, hub)):
            if is_sound(path, file):
                on_bytes(file.size)
                return path
        _complete(repo, file, hub, partial, on_bytes)
        if not is_sound(partial, file):
            partial.unlink(missing_ok=True)
            raise DownloadError(
                f"{file.path} of {repo.name} came damaged, and was removed: its size or hash is "
                f"not {file.size} bytes, {file.digest[:12]}…; run the command again"
            )
        return partial.replace(_blob(repo, file, hub))


def place(repo: RemoteRepo, file: RemoteFile, hub: Hub, fetched: Path) -> Path:
    """Show what was fetched under its name, by a link where the system has links."""
    target = _placed(repo, file, hub)
    if target == fetched:
        return target
    target.parent.mkdir(parents=True, exist_ok=True)
    target.unlink(missing_ok=True)
    if are_symlinks_supported(hub.folder):
        target.symlink_to(os.path.relpath(fetched, target.parent))
    else:
        shutil.move(fetched, target)
    return target


def is_sound(path: Path, file: RemoteFile) -> bool:
    """Whether the file on disk has the size and the hash that the hub names."""
    if not path.is_file() or path.stat().st_size != file.size:
        return False
    if len(file.digest) == 64:
        digest = hashlib.sha256()
    else:  # git's name for a file that is not stored apart
        digest = hashlib.sha1(b"blob %d\0" % file.size, usedforsecurity=False)
    with path.open("rb") as stream:
        while piece := stream.read(_CHUNK):
            digest.update(piece)
    return digest.hexdigest() == file.digest


def _complete(
    repo: RemoteRepo, file: RemoteFile, hub: Hub, partial: Path, on_bytes: OnBytes
) -> None:
    """Fetch what is missing of the partial file."""
    here = partial.stat().st_size if partial.is_file() else 0
    if here > file.size:
        partial.unlink()
        here = 0
    on_bytes(here)
    if here == file.size and partial.is_file():
        return
    try:
        with partial.open("ab") as stream, hub_errors(repo.name, hub):
            location, headers = _where(repo, file, hub)
            with _without_bar():
                http_get(
                    location, cast(BinaryIO, _Counted(stream, on_bytes)),
                    resume_size=here, headers=headers, expected_size=file.size,
                )  # fmt: skip
    except DownloadError:
        raise
    except OSError as error:
        raise _disk_error(error, file, partial) from error


def _where(repo: RemoteRepo, file: RemoteFile, hub: Hub) -> tuple[str, dict[str, str]]:
    """The address the hub sends to, and the headers: no token goes to another host."""
    url = hf_hub_url(repo.name, file.path, revision=repo.commit, endpoint=hub.url)
    location = get_hf_file_metadata(url, endpoint=hub.url).location
    headers = {**_UTILS.build_hf_headers(), "Accept-Encoding": "identity"}
    if urlsplit(location).netloc != urlsplit(url).netloc:
        headers.pop("authorization", None)
    return location, headers


def _disk_error(error: OSError, file: RemoteFile, partial: Path) -> Exception:
    have = partial.stat().st_size if partial.is_file() else 0
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return DownloadError(
            f"the disk of {partial.parent} is full: {(file.size - have) / 1e6:,.0f} MB of "
            f"{file.path} are missing; what has arrived is kept: make room and run the command "
            "again"
        )
    return DownloadError(
        f"{file.path} cannot be written to {partial.parent}: {' '.join(str(error).split())}"
    )


class _Counted:
    """A file that tells how much is written. http_get starts over if a server ignores ranges."""

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
def _without_bar() -> Iterator[None]:
    """The bar of huggingface_hub stays away: the command has its own."""
    was_off = _UTILS.are_progress_bars_disabled(_BAR)
    if was_off:
        yield
        return
    _UTILS.disable_progress_bars(_BAR)
    try:
        yield
    finally:
        _UTILS.enable_progress_bars(_BAR)


def _placed(repo: RemoteRepo, file: RemoteFile, hub: Hub) -> Path:
    return snapshot_folder(repo.name, repo.commit, hub) / file.path


def _blob(repo: RemoteRepo, file: RemoteFile, hub: Hub) -> Path:
    return hub.repo_folder(repo.name) / "blobs" / file.digest


def _partial(repo: RemoteRepo, file: RemoteFile, hub: Hub) -> Path:
    return hub.repo_folder(repo.name) / "blobs" / f"{file.digest}.turbolens.incomplete"


def _lock(repo: RemoteRepo, file: RemoteFile, hub: Hub) -> Path:
    folder = hub.repo_folder(repo.name)
    return folder.parent / ".locks" / folder.name / f"{file.digest}.lock"
