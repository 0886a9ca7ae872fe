"""Finds LoRAs, ControlNets and IP-Adapters in the local cache of the hub."""

from collections.abc import Sequence
from pathlib import Path

from turbolens.filter.errors import ModelNotFoundError, UnsupportedModelError

from .catalogue import HubRepo
from .hub import Hub, cached_folder, cached_snapshots, parse_hub_path
from .needed_files import INDEX


def find_adapter(
    source: str,
    kind: str,
    required: Sequence[str],
    *,
    companions: Sequence[str] = (),
    hub: Hub | None = None,
) -> Path:
    """The cached folder or file that the hub id org/name or org/name/path names.

    Nothing is downloaded. kind: for messages, such as "LoRA". required: file patterns that a folder
    must all match. companions: patterns of files that belong beside a file; a commit that has them
    is preferred. Raises `ModelNotFoundError`, which says what to pull, and `UnsupportedModelError`
    for a whole model.
    """
    hub = hub or Hub()
    parsed = parse_hub_path(source)
    if parsed is None:
        raise ModelNotFoundError(
            f"there is no {kind} at {source!r}: give a file, a folder, or a hub id as org/name or "
            "org/name/path"
        )
    repo, path = HubRepo(parsed[0]), parsed[1]
    paths = [snapshot / path for snapshot in cached_snapshots(repo, hub)]
    found = [each for each in paths if each.is_file() or _matches_all(each, required)]
    if not found:
        is_model = not path and cached_folder(repo, hub, INDEX) is not None
        raise _whole_model(repo, kind) if is_model else _not_cached(source, kind)
    return next((each for each in found if _has_companions(each, companions)), found[0])


def _whole_model(repo: HubRepo, kind: str) -> UnsupportedModelError:
    return UnsupportedModelError(
        f"the hub's {repo.name} is a whole model, not a {kind}; name a file or folder in it as "
        f"{repo.name}/path"
    )


def _not_cached(source: str, kind: str) -> ModelNotFoundError:
    return ModelNotFoundError(
        f"there is no file or folder {source!r} here, and the hub's {kind} of that name is not on "
        f"this machine, or not all of it: `turbolens models pull {source}` downloads it"
    )


def _has_companions(path: Path, patterns: Sequence[str]) -> bool:
    return _matches_all(path if path.is_dir() else path.parent, patterns)


def _matches_all(folder: Path, patterns: Sequence[str]) -> bool:
    """True if the folder has a file of every pattern."""
    return folder.is_dir() and all(
        any(each.is_file() for each in folder.glob(pattern)) for pattern in patterns
    )
