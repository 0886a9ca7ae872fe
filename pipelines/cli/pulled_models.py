"""The repositories in the hub's cache: their size, who needs them, and removing them."""

import shutil
from dataclasses import dataclass
from pathlib import Path

from turbolens.filter import ModelNotFoundError
from turbolens.filter.loading.catalogue import CLIP_TOKENIZER, known_models
from turbolens.filter.loading.hub import Hub
from turbolens.filter.loading.locating import find_model
from turbolens.filter.loading.pulling import TOKENIZER

_PREFIX = "models--"


@dataclass(frozen=True)
class PulledRepo:
    """A repository in the cache. size: bytes on disk, with partial downloads."""

    name: str
    folder: Path
    size: int


def pulled_repos(hub: Hub) -> list[PulledRepo]:
    """Every repository of models in the cache, by name."""
    folders = sorted(hub.folder.glob(f"{_PREFIX}*")) if hub.folder.is_dir() else []
    return [
        PulledRepo(folder.name.removeprefix(_PREFIX).replace("--", "/"), folder, _bytes(folder))
        for folder in folders if folder.is_dir()
    ]  # fmt: skip


def repos_of(name: str, hub: Hub) -> set[str]:
    """The repositories of a model that no other model on this machine needs."""
    own = needed_by(name)
    for other in known_models():
        if other != name and own & needed_by(other) and _is_on_disk(other, hub):
            own -= needed_by(other)
    return own


def remove_repo(repo: PulledRepo) -> None:
    """Delete a repository from the cache, with its partial downloads and locks."""
    shutil.rmtree(repo.folder)
    shutil.rmtree(repo.folder.parent / ".locks" / repo.folder.name, ignore_errors=True)


def needed_by(name: str) -> set[str]:
    """The repositories that hold a model's files."""
    known = known_models().get(name)
    if known is None:
        return {CLIP_TOKENIZER.name if name == TOKENIZER else name}
    repos = [known.base, known.tiny_vae]
    repos += [file.repo for file in (known.unet, known.lora) if file is not None]
    return {repo.name for repo in repos if repo is not None}


def _is_on_disk(name: str, hub: Hub) -> bool:
    try:
        find_model(name, hub=hub)
    except ModelNotFoundError:
        return False
    return True


def _bytes(folder: Path) -> int:
    return sum(
        path.stat().st_size
        for path in folder.rglob("*")
        if path.is_file() and not path.is_symlink()
    )
