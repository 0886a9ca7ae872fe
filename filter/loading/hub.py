"""The hub: which files a repository has, its errors, and where files are in the local cache.

Transfers, tokens and the layout of the cache are those of huggingface_hub, and so are the variables
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
    RevisionNotFoundError,
)

from turbolens.filter.errors import DownloadError, ModelError, ModelNotFoundError

from .catalogue import HubRepo

HUB_ID = re.compile(r"[\w-][\w.-]*/[\w-][\w.-]*")
_HUB_PATH = re.compile(rf"({HUB_ID.pattern})(?:/(.+?))?/?")
HTTP_ERROR: type[Exception] = HfHubHTTPError.__bases__[0]
"""The base of all connection errors of the HTTP library that huggingface_hub uses."""

_TIMEOUT = 30.0  # seconds


@dataclass(frozen=True)
class Hub:
    """Where models are downloaded from and cached; `None`: as the HF_… variables say."""

    endpoint: str | None = None
    cache: Path | None = None
    offline: bool = False

    @property
    def url(self) -> str:
        """The endpoint, without a trailing slash."""
        return (self.endpoint or constants.ENDPOINT).rstrip("/")

    @property
    def folder(self) -> Path:
        """The cache folder."""
        return (self.cache or Path(constants.HF_HUB_CACHE)).expanduser()

    @property
    def is_offline(self) -> bool:
        """True if the network must not be used."""
        return self.offline or constants.HF_HUB_OFFLINE

    def repo_folder(self, repo: str) -> Path:
        """The cache folder of a model repository."""
        return self.folder / f"models--{repo.replace('/', '--')}"

    def snapshot_folder(self, repo: str, commit: str) -> Path:
        """The cache folder that shows a repository's files of one commit under their names."""
        return self.repo_folder(repo) / "snapshots" / commit


@dataclass(frozen=True)
class RemoteFile:
    """A file of a repository. digest: SHA-256 if it is in Git LFS, else git's blob id (SHA-1)."""

    path: str
    size: int
    digest: str


@dataclass(frozen=True)
class RemoteRepo:
    """A repository at one commit. licence: as its model card names it."""

    name: str
    commit: str
    files: tuple[RemoteFile, ...]
    licence: str | None


def list_repo(repo: HubRepo, hub: Hub) -> RemoteRepo:
    """List the files of a repository at its revision, or at `main`.

    Raises `ModelNotFoundError` if the repository or revision does not exist, `DownloadError` for
    any other error of the hub or the network.
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
    """Turn errors of huggingface_hub into a one-line error that says what to do."""
    try:
        yield
    except HfHubHTTPError as error:
        raise _status_error(repo, hub, error) from error
    except OfflineModeIsEnabled as error:
        raise DownloadError(
            f"{repo} cannot be downloaded offline; leave out --offline and HF_HUB_OFFLINE"
        ) from error
    except HFValidationError as error:
        raise ModelNotFoundError(f"a hub id must be of the form org/name, got {repo!r}") from error
    except HTTP_ERROR as error:
        raise _connection_error(hub, error) from error
    except OSError as error:
        if error.errno is not None:  # of the disk, not of the network
            raise
        raise _connection_error(hub, error) from error


def _connection_error(hub: Hub, error: Exception) -> DownloadError:
    return DownloadError(
        f"the hub at {hub.url} does not answer or breaks off ({_first_line(error)}); the part that "
        "has arrived is kept: check the network and run the command again"
    )


def _status_error(repo: str, hub: Hub, error: HfHubHTTPError) -> ModelError:
    status = getattr(error.response, "status_code", None)
    if isinstance(error, RevisionNotFoundError):
        return ModelNotFoundError(f"{repo} has no such revision at {hub.url}")
    if isinstance(error, GatedRepoError) or status == 403:
        return DownloadError(
            f"{repo} can only be downloaded after its terms were accepted (HTTP 403): accept them "
            f"at {hub.url}/{repo}, set HF_TOKEN to your token and run the command again"
        )
    if status == 401:
        return DownloadError(
            f"{repo} is private, or does not exist at {hub.url} (HTTP 401): check the name, or set "
            "HF_TOKEN to a token that may read it"
        )
    if status == 404:
        return ModelNotFoundError(f"there is no {repo} at {hub.url} (HTTP 404)")
    return DownloadError(
        f"the hub at {hub.url} answered HTTP {status} for {repo}; the part that has arrived is "
        "kept: run the command again later"
    )


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]


def parse_hub_path(name: str) -> tuple[str, str] | None:
    """Split org/name[/path] into the repository and the path, "" if there is none.

    `None` for any other text, and for org/name.safetensors, which is a missing file, not a hub id.
    """
    match = _HUB_PATH.fullmatch(name)
    if match is None or match[1].endswith(".safetensors"):
        return None
    path = match[2] or ""
    if path and not {"", ".", ".."}.isdisjoint(path.split("/")):
        return None
    return match[1], path


def cached_folder(repo: HubRepo, hub: Hub, file: str) -> Path | None:
    """The cached snapshot of the repository that holds `file`; `None` if there is none."""
    folders = cached_snapshots(repo, hub)
    return next((folder for folder in folders if (folder / file).is_file()), None)


def cached_snapshots(repo: HubRepo, hub: Hub) -> list[Path]:
    """The cached snapshots of the repository, which may be incomplete. Uses no network.

    The pinned commit comes first, then `main` as last seen, then the others, newest first. The
    folders are read directly: huggingface_hub's `scan_cache_dir` reads the whole cache each time
    (250 ms for 1,000 files), and skips a repository if one symbolic link in it is broken.
    """
    snapshots = hub.repo_folder(repo.name) / "snapshots"
    commits = [repo.revision, _cached_commit(repo.name, "main", hub)]
    folders = [snapshots / commit for commit in commits if commit is not None]
    if snapshots.is_dir():
        folders += sorted(snapshots.iterdir(), key=lambda each: each.stat().st_mtime, reverse=True)
    return folders


def _cached_commit(repo: str, branch: str, hub: Hub) -> str | None:
    ref = hub.repo_folder(repo) / "refs" / branch
    return ref.read_text(encoding="utf-8").strip() if ref.is_file() else None
