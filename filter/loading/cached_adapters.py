"""The hub id of a LoRA, ControlNet or IP-Adapter → where its files lie on this machine."""

from collections.abc import Sequence
from pathlib import Path

from turbolens.filter.errors import ModelNotFoundError, UnsupportedModelError

from .catalogue import HubRepo
from .hub import Hub, cached_folder, cached_snapshots, parse_hub_path
from .needed_files import INDEX


def find_adapter(
    source: str, what: str, needs: Sequence[str], beside: Sequence[str] = (), hub: Hub | None = None
) -> Path:
    """The folder or file in the cache of the hub that org/name or org/name/path means.

    Nothing is downloaded. what: its kind, for messages. needs: patterns of files, of which a folder
    must hold each. beside: patterns of what belongs to a file, from its folder; a commit that has
    it goes before one that lacks it. Raises `ModelNotFoundError`, which says what to pull, and
    `UnsupportedModelError` for a whole model.
    """
    hub = hub or Hub()
    named = parse_hub_path(source)
    if named is None:
        raise ModelNotFoundError(
            f"there is no {what} at {source!r}: give a file, a folder, or a hub id as org/name or "
            "org/name/path"
        )
    repo, inside = HubRepo(named[0]), named[1]
    places = [snapshot / inside for snapshot in cached_snapshots(repo, hub)]
    found = [each for each in places if each.is_file() or _holds(each, needs)]
    whole = [each for each in found if _holds(each if each.is_dir() else each.parent, beside)]
    if found:
        return (whole or found)[0]
    if not inside and cached_folder(repo, hub, INDEX) is not None:
        raise UnsupportedModelError(
            f"the hub's {repo.name} is a whole model, and no {what}; what lies within it is named "
            f"{repo.name}/path"
        )
    raise ModelNotFoundError(
        f"there is no file or folder {source!r} here, and the hub's {what} of that name is not on "
        f"this machine, or not all of it: `turbolens models pull {source}` brings it"
    )


def _holds(folder: Path, patterns: Sequence[str]) -> bool:
    return folder.is_dir() and all(
        any(each.is_file() for each in folder.glob(pattern)) for pattern in patterns
    )
