"""`pull`: a model or adapter from the hub onto this machine: what is needed, and nothing else."""

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from turbolens.filter.errors import DownloadError, ModelNotFoundError

from .catalogue import CLIP_TOKENIZER, HubFile, HubRepo, KnownModel, known_models
from .hub import Hub, RemoteFile, RemoteRepo, list_repo, parse_hub_path, snapshot_folder
from .needed_files import (
    INDEX,
    autoencoder_files,
    pipeline_files,
    pipeline_files_without_unet,
    repo_files,
    tokenizer_files,
)
from .transfer import bytes_here, fetch, is_sound, place

TOKENIZER = "clip-tokenizer"
"""The name under which CLIP's words alone are pulled."""

_RESERVE = 1 << 28  # bytes of the disk that stay free

OnProgress = Callable[[int, int], None]


@dataclass(frozen=True)
class Share:
    """What is needed of one repository."""

    repo: RemoteRepo
    files: tuple[RemoteFile, ...]
    revision: str | None

    def size(self) -> int:
        """Bytes, all in all."""
        return sum(file.size for file in self.files)

    def missing(self, hub: Hub) -> int:
        """Bytes that are not on this machine yet."""
        return sum(file.size - bytes_here(self.repo, file, hub) for file in self.files)


@dataclass(frozen=True)
class Plan:
    """What `pull` is about to do. The first share is the model itself.

    path: of the file or folder that is meant within its repository; "": all of that.
    """

    name: str
    shares: tuple[Share, ...]
    path: str = ""

    def size(self) -> int:
        """Bytes, all in all."""
        return sum(share.size() for share in self.shares)

    def missing(self, hub: Hub) -> int:
        """Bytes that are not on this machine yet."""
        return sum(share.missing(hub) for share in self.shares)


def planned(name: str, hub: Hub, revision: str | None = None) -> Plan:
    """What has to come for a known model, "clip-tokenizer" or a hub id, as the hub lists it now.

    A hub id is org/name, for a model or an adapter, or org/name/path, for an adapter. revision: of
    the model's own repository, in place of the pinned one, or of `main`. Raises
    `ModelNotFoundError`, `UnsupportedModelError` or `DownloadError`.
    """
    known = known_models().get(name)
    if known is not None and known.base is not None:
        return Plan(name, _shares(known, known.base, hub, revision))
    if name == TOKENIZER:
        return Plan(name, (_share(CLIP_TOKENIZER, hub, revision, tokenizer_files),))
    named = parse_hub_path(name)
    if known is None and named is not None:
        repo, path = named
        share = _share(HubRepo(repo), hub, revision, lambda remote: repo_files(remote, path))
        return Plan(name, (share,), path)
    if known is not None:
        raise ModelNotFoundError(f"{name} is part of the package: there is nothing to pull")
    raise ModelNotFoundError(
        f"there is no model {name!r} to pull; known models are {', '.join(known_models())}, "
        "or give a hub id such as stabilityai/sd-turbo, or org/name/path for an adapter"
    )


def pull(plan: Plan, hub: Hub, on_progress: OnProgress = lambda done, total: None) -> Path:
    """Bring what is planned onto this machine, and return where it lies: a folder, or the file.

    on_progress gets the bytes that are here and those of the whole. A model appears under its
    name only when all of it is here. Raises `DownloadError`; what has arrived is kept, and the next
    call goes on from there.
    """
    _check_space(plan, hub)
    done, total = 0, plan.size()

    def on_bytes(count: int) -> None:
        nonlocal done
        done += count
        on_progress(done, total)

    fetched = [
        (share, file, fetch(share.repo, file, hub, on_bytes))
        for share in plan.shares for file in share.files
    ]  # fmt: skip
    fetched.sort(key=lambda each: each[1].path == INDEX)  # the index last: then it is whole
    for share, file, path in fetched:
        place(share.repo, file, hub, path)
    for share in plan.shares:
        _record(share, hub)
    first = plan.shares[0].repo
    return snapshot_folder(first.name, first.commit, hub) / plan.path


def damaged(plan: Plan, hub: Hub) -> list[str]:
    """The planned files that are not on this machine, or not as the hub has them."""
    return [
        f"{share.repo.name}/{file.path}"
        for share in plan.shares for file in share.files
        if not is_sound(snapshot_folder(share.repo.name, share.repo.commit, hub) / file.path, file)
    ]  # fmt: skip


def _shares(known: KnownModel, base: HubRepo, hub: Hub, revision: str | None) -> tuple[Share, ...]:
    own = pipeline_files if known.unet is None else pipeline_files_without_unet
    shares = [_share(base, hub, revision, own)]
    shares += [_file_share(file, hub) for file in (known.unet, known.lora) if file is not None]
    if known.tiny_vae is not None:
        shares.append(_share(known.tiny_vae, hub, None, autoencoder_files))
    return tuple(shares)


def _share(
    repo: HubRepo,
    hub: Hub,
    revision: str | None,
    choose: Callable[[RemoteRepo], list[RemoteFile]],
) -> Share:
    wanted = HubRepo(repo.name, revision or repo.revision)
    remote = list_repo(wanted, hub)
    return Share(remote, tuple(choose(remote)), wanted.revision)


def _file_share(file: HubFile, hub: Hub) -> Share:
    remote = list_repo(file.repo, hub)
    chosen = tuple(each for each in remote.files if each.path == file.path)
    if not chosen:
        raise ModelNotFoundError(f"{file.repo.name} has no {file.path} at {hub.url}")
    return Share(remote, chosen, file.repo.revision)


def _check_space(plan: Plan, hub: Hub) -> None:
    """That the disk has room for what is missing. Raises `DownloadError` before anything comes."""
    place_of_cache = next(each for each in (hub.folder, *hub.folder.parents) if each.exists())
    missing, free = plan.missing(hub), shutil.disk_usage(place_of_cache).free
    if missing and missing + _RESERVE > free:
        raise DownloadError(
            f"{plan.name} needs {missing / 1e6:,.0f} MB more in {hub.folder}, and "
            f"{free / 1e6:,.0f} MB are free ({_RESERVE / 1e6:,.0f} of them stay so); make room, "
            "or set HF_HOME to a folder on another disk"
        )


def _record(share: Share, hub: Hub) -> None:
    """Write down which commit a branch meant, as huggingface_hub does: loading reads it."""
    revision = share.revision or "main"
    if revision == share.repo.commit:
        return
    ref = hub.repo_folder(share.repo.name) / "refs" / revision
    ref.parent.mkdir(parents=True, exist_ok=True)
    ref.write_text(share.repo.commit, encoding="utf-8")
