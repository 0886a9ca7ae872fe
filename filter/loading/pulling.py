"""`pull` downloads a model or adapter from the hub: the files that are needed, and no others."""

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from turbolens.filter.errors import DownloadError, ModelNotFoundError

from .catalogue import CLIP_TOKENIZER, HubFile, HubRepo, KnownModel, known_models
from .hub import Hub, RemoteFile, RemoteRepo, list_repo, parse_hub_path
from .needed_files import (
    INDEX,
    autoencoder_files,
    pipeline_files,
    pipeline_files_without_unet,
    repo_files,
    tokenizer_files,
)
from .transfer import CachedFile

TOKENIZER = "clip-tokenizer"
"""The name under which CLIP's tokenizer alone is pulled."""

_DISK_RESERVE = 1 << 28  # bytes of the disk that stay free

OnProgress = Callable[[int, int], None]
"""Called with the bytes present and the bytes in total."""


@dataclass(frozen=True)
class RepoDownload:
    """The files that are needed of one repository. revision: as it was asked for."""

    repo: RemoteRepo
    files: tuple[RemoteFile, ...]
    revision: str | None

    def total_bytes(self) -> int:
        """The size of all files."""
        return sum(file.size for file in self.files)

    def missing_bytes(self, hub: Hub) -> int:
        """The number of bytes that are not on this machine yet."""
        return sum(each.file.size - each.bytes_present() for each in self.cached_files(hub))

    def cached_files(self, hub: Hub) -> list[CachedFile]:
        """The files with their paths in the cache."""
        return [CachedFile(self.repo, file, hub) for file in self.files]


@dataclass(frozen=True)
class DownloadPlan:
    """What `pull` will download. The first repository is the model itself.

    path: the file or folder within the first repository that was asked for, "" for all of it.
    """

    name: str
    downloads: tuple[RepoDownload, ...]
    path: str = ""

    def total_bytes(self) -> int:
        """The size of all files."""
        return sum(each.total_bytes() for each in self.downloads)

    def missing_bytes(self, hub: Hub) -> int:
        """The number of bytes that are not on this machine yet."""
        return sum(each.missing_bytes(hub) for each in self.downloads)

    def cached_files(self, hub: Hub) -> list[CachedFile]:
        """All files with their paths in the cache."""
        return [file for each in self.downloads for file in each.cached_files(hub)]


def plan_download(name: str, hub: Hub, revision: str | None = None) -> DownloadPlan:
    """Ask the hub which files a known model, "clip-tokenizer" or a hub id consists of.

    A hub id is org/name for a model or an adapter, or org/name/path for an adapter. revision: of
    the model's own repository, in place of the pinned one or of `main`. Raises
    `ModelNotFoundError`, `UnsupportedModelError` or `DownloadError`.
    """
    known = known_models().get(name)
    if known is not None:
        return DownloadPlan(name, _known_downloads(known, hub, revision))
    if name == TOKENIZER:
        return DownloadPlan(name, (_download(CLIP_TOKENIZER, hub, revision, tokenizer_files),))
    parsed = parse_hub_path(name)
    if parsed is None:
        raise ModelNotFoundError(
            f"there is no model {name!r} to pull; known models are {', '.join(known_models())}, "
            "or give a hub id such as stabilityai/sd-turbo, or org/name/path for an adapter"
        )
    repo, path = parsed
    download = _download(HubRepo(repo), hub, revision, lambda remote: repo_files(remote, path))
    return DownloadPlan(name, (download,), path)


def pull(plan: DownloadPlan, hub: Hub, on_progress: OnProgress = lambda done, total: None) -> Path:
    """Download what is planned and return its path: a folder, or a file.

    A model appears in the cache only when all of its files are complete and verified. Raises
    `DownloadError`; what has arrived is kept, and the next call resumes from there.
    """
    _check_disk_space(plan, hub)
    done, total = 0, plan.total_bytes()

    def on_bytes(count: int) -> None:
        nonlocal done
        done += count
        on_progress(done, total)

    fetched = [(each, each.download(on_bytes)) for each in plan.cached_files(hub)]
    fetched.sort(key=lambda each: each[0].file.path == INDEX)  # the index last: it marks a model
    for cached, content in fetched:
        cached.link(content)
    for each in plan.downloads:
        _write_ref(each, hub)
    first = plan.downloads[0].repo
    return hub.snapshot_folder(first.name, first.commit) / plan.path


def _known_downloads(known: KnownModel, hub: Hub, revision: str | None) -> tuple[RepoDownload, ...]:
    if known.base is None:
        raise ModelNotFoundError(f"{known.name} is part of the package: there is nothing to pull")
    choose = pipeline_files if known.unet is None else pipeline_files_without_unet
    downloads = [_download(known.base, hub, revision, choose)]
    downloads += [_file_download(file, hub) for file in (known.unet, known.lora) if file]
    if known.tiny_vae is not None:
        downloads.append(_download(known.tiny_vae, hub, None, autoencoder_files))
    return tuple(downloads)


def _download(
    repo: HubRepo,
    hub: Hub,
    revision: str | None,
    choose: Callable[[RemoteRepo], list[RemoteFile]],
) -> RepoDownload:
    wanted = HubRepo(repo.name, revision or repo.revision)
    remote = list_repo(wanted, hub)
    return RepoDownload(remote, tuple(choose(remote)), wanted.revision)


def _file_download(file: HubFile, hub: Hub) -> RepoDownload:
    remote = list_repo(file.repo, hub)
    chosen = tuple(each for each in remote.files if each.path == file.path)
    if not chosen:
        raise ModelNotFoundError(f"{file.repo.name} has no {file.path} at {hub.url}")
    return RepoDownload(remote, chosen, file.repo.revision)


def _check_disk_space(plan: DownloadPlan, hub: Hub) -> None:
    """Raise `DownloadError` if the disk has no room for the missing files."""
    existing = next(each for each in (hub.folder, *hub.folder.parents) if each.exists())
    missing, free = plan.missing_bytes(hub), shutil.disk_usage(existing).free
    if missing and missing + _DISK_RESERVE > free:
        raise DownloadError(
            f"{plan.name} needs {missing / 1e6:,.0f} MB more in {hub.folder}, and "
            f"{free / 1e6:,.0f} MB are free ({_DISK_RESERVE / 1e6:,.0f} MB must stay free); make "
            "room, or set HF_HOME to a folder on another disk"
        )


def _write_ref(download: RepoDownload, hub: Hub) -> None:
    """Record which commit a branch or tag pointed to, as huggingface_hub does."""
    revision = download.revision or "main"
    if revision == download.repo.commit:
        return
    ref = hub.repo_folder(download.repo.name) / "refs" / revision
    ref.parent.mkdir(parents=True, exist_ok=True)
    ref.write_text(download.repo.commit, encoding="utf-8")
