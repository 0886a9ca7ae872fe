"""The hub as Turbolens sees it: which files a repository holds, and where they lie on this machine.

The transfer, the tokens and the layout of the cache are huggingface_hub's, and so are the variables
HF_ENDPOINT, HF_HOME, HF_HUB_CACHE, HF_TOKEN and HF_HUB_OFFLINE.
"""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from huggingface_hub import HfApi, constants
from huggingface_hub.errors import (
    GatedRepoError,
    HfHubHTTPError,
    HFValidationError,
    OfflineModeIsEnabled,
    RepositoryNotFoundError,
    RevisionNotFoundError,
)

from turbolens.filter.errors import DownloadError, ModelNotFoundError

from .catalogue import HubRepo

HUB_ID = re.compile(r"[\w-][\w.-]*/[\w-][\w.-]*")
_HUB_PATH = re.compile(rf"({HUB_ID.pattern})(?:/(.+?))?/?")
HTTP_ERROR: type[Exception] = HfHubHTTPError.__bases__[0]
"""The base of every fault of a connection, whichever library huggingface_hub speaks HTTP with."""

_TIMEOUT = 30.0  # seconds for an answer of the hub


@dataclass(frozen=True)
class Hub:
    """Where models come from, and where they are kept; none: as the HF_… variables say."""

    endpoint: str | None = None
    cache: Path | None = None
    offline: bool = False

    @property
    def url(self) -> str:
        """The endpoint, without a slash at its end."""
        return (self.endpoint or constants.ENDPOINT).rstrip("/")

    @property
    def folder(self) -> Path:
        """The folder of the cache."""
        return (self.cache or Path(constants.HF_HUB_CACHE)).expanduser()

    @property
    def is_offline(self) -> bool:
        """Whether the network must not be used."""
        return self.offline or constants.HF_HUB_OFFLINE

    def repo_folder(self, repo: str) -> Path:
        """Where the cache keeps a repository of models."""
        return self.folder / f"models--{repo.replace('/', '--')}"


@dataclass(frozen=True)
class RemoteFile:
    """A file of a repository. digest: its SHA-256 if it is a large one, else git's SHA-1."""

    path: str
    size: int
    digest: str


@dataclass(frozen=True)
class RemoteRepo:
    """A repository at one commit. licence: as its card names it."""

    name: str
    commit: str
    files: tuple[RemoteFile, ...]
    licence: str | None


def list_repo(repo: HubRepo, hub: Hub) -> RemoteRepo:
    """What the repository holds at its revision, or at `main`, asked of the hub.

    Raises `ModelNotFoundError` for what is not there, and `DownloadError` for every other answer,
    and for none.
    """
    with hub_errors(repo.name, hub):
        if hub.is_offline:
            raise OfflineModeIsEnabled
        info = HfApi(endpoint=hub.url).model_info(
            repo.name, revision=repo.revision, files_metadata=True, timeout=_TIMEOUT
        )
    files = tuple(
        RemoteFile(each.rfilename, each.size, each.lfs.sha256 if each.lfs else str(each.blob_id))
        for each in info.siblings or ()
        if each.size is not None and (each.lfs or each.blob_id)
    )
    card: Any = info.card_data
    licence = card and (card.get("license_name") or card.get("license"))
    return RemoteRepo(repo.name, str(info.sha), files, str(licence) if licence else None)


@contextmanager
def hub_errors(repo: str, hub: Hub) -> Iterator[None]:
    """Every way in which the hub can fail, as one line that says what to do."""
    try:
        yield
    except (GatedRepoError, RepositoryNotFoundError, RevisionNotFoundError) as error:
        raise _refusal(repo, hub, error) from error
    except HfHubHTTPError as error:
        raise _refusal(repo, hub, error) from error
    except OfflineModeIsEnabled as error:
        raise DownloadError(
            f"{repo} cannot be downloaded offline; leave out --offline and HF_HUB_OFFLINE"
        ) from error
    except HFValidationError as error:
        raise ModelNotFoundError(f"a hub id must be of the form org/name, got {repo!r}") from error
    except HTTP_ERROR as error:
        raise _silence(hub, error) from error
    except OSError as error:
        if error.errno is not None:  # the disk's, not the network's
            raise
        raise _silence(hub, error) from error


def _silence(hub: Hub, error: Exception) -> DownloadError:
    return DownloadError(
        f"the hub at {hub.url} does not answer or breaks off ({_first_line(error)}); what has "
        "arrived is kept: look at the network and run the command again"
    )


def _refusal(repo: str, hub: Hub, error: HfHubHTTPError) -> Exception:
    status = getattr(error.response, "status_code", None)
    if isinstance(error, RevisionNotFoundError):
        return ModelNotFoundError(f"{repo} has no such revision at {hub.url}")
    if isinstance(error, GatedRepoError) or status == 403:
        return DownloadError(
            f"{repo} is open only to those who accepted its terms (answer 403): accept them at "
            f"{hub.url}/{repo}, set HF_TOKEN to a token of yours and run the command again"
        )
    if status == 401:
        return DownloadError(
            f"{repo} is private, or is not at {hub.url} (answer 401): look at the name, or set "
            "HF_TOKEN to a token that may read it"
        )
    if status == 404:
        return ModelNotFoundError(f"there is no {repo} at {hub.url} (answer 404)")
    return DownloadError(
        f"the hub at {hub.url} answered {status} for {repo}; what has arrived is kept: run the "
        "command again later"
    )


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]


def parse_hub_path(name: str) -> tuple[str, str] | None:
    """org/name or org/name/path → the repository, and the path or ""; None for anything else.

    org/name.safetensors is a file that is missing, and no hub id.
    """
    named = _HUB_PATH.fullmatch(name)
    if named is None or named[1].endswith(".safetensors"):
        return None
    inside = named[2] or ""
    if inside and not {"", ".", ".."}.isdisjoint(inside.split("/")):
        return None
    return named[1], inside


def cached_folder(repo: HubRepo, hub: Hub, needs: str) -> Path | None:
    """The repository's files on this machine, if the file `needs` is among them."""
    folders = cached_snapshots(repo, hub)
    return next((folder for folder in folders if (folder / needs).is_file()), None)


def cached_snapshots(repo: HubRepo, hub: Hub) -> list[Path]:
    """The repository's commits on this machine, each a folder, which may hold a part of its files.

    The pinned commit goes before `main` as it was last seen, and that before any other. The network
    is not asked.
    """
    snapshots = hub.repo_folder(repo.name) / "snapshots"
    names = [repo.revision, _known_commit(repo.name, "main", hub)]
    folders = [snapshots / name for name in names if name is not None]
    if snapshots.is_dir():
        folders += sorted(snapshots.iterdir(), key=lambda each: each.stat().st_mtime, reverse=True)
    return folders


def _known_commit(repo: str, branch: str, hub: Hub) -> str | None:
    ref = hub.repo_folder(repo) / "refs" / branch
    return ref.read_text(encoding="utf-8").strip() if ref.is_file() else None


def snapshot_folder(repo: str, commit: str, hub: Hub) -> Path:
    """Where the cache keeps a repository's files of one commit, under their own names."""
    return hub.repo_folder(repo) / "snapshots" / commit
