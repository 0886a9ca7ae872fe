"""Pulling from a hub: complete, resumed, refused, damaged, and with a full disk."""

import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from turbolens.filter import DownloadError, ModelError, ModelNotFoundError
from turbolens.filter import UnsupportedModelError as Unsupported
from turbolens.filter.loading.catalogue import HubRepo
from turbolens.filter.loading.hub import Hub, cached_folder
from turbolens.filter.loading.locating import find_model
from turbolens.filter.loading.needed_files import INDEX
from turbolens.filter.loading.pulling import DownloadPlan, plan_download, pull
from turbolens.filter.loading.transfer import CachedFile

from .hub_server import COMMIT, Faults, HubServer, Repo

NAME = "turbolens-tests/tiny"
UNET = "unet/diffusion_pytorch_model.fp16.safetensors"
LARGE = 24_000_000  # bytes: more than huggingface_hub reads in one piece
KEPT = 10_485_760  # bytes: that piece


def _files() -> dict[str, bytes]:
    texts = (INDEX, "scheduler/scheduler_config.json", "unet/config.json", "vae/config.json")
    weights = ("text_encoder/model.fp16", "vae/diffusion_pytorch_model.fp16")
    return {
        **{path: f'{{"file": "{path}"}}'.encode() for path in texts},
        **{f"{path}.safetensors": path.encode() * 100 for path in weights},
        UNET: os.urandom(4096),
        "tokenizer/merges.txt": b"#version: 0.2\n",
    }


_UNWANTED = (
    "unet/diffusion_pytorch_model.safetensors", "unet/diffusion_pytorch_model.bin",
    "safety_checker/model.safetensors", "vae_1_0/diffusion_pytorch_model.safetensors",
    "unet/model.onnx", "unet/diffusion_pytorch_model.non_ema.safetensors", "whole.safetensors",
)  # fmt: skip


@pytest.fixture
def server() -> Iterator[HubServer]:
    """A hub with one small model and files that are not needed."""
    unwanted = dict.fromkeys(_UNWANTED, b"too much")
    hub_server = HubServer({NAME: Repo({**_files(), **unwanted})})
    yield hub_server
    hub_server.close()


@pytest.fixture
def hub(server: HubServer, tmp_path: Path) -> Hub:
    """That server, with an empty cache."""
    return Hub(endpoint=server.url, cache=tmp_path / "cache")


def _pull(hub: Hub) -> Path:
    return pull(plan_download(NAME, hub), hub)


def _cached_unet(plan: DownloadPlan, hub: Hub) -> CachedFile:
    return next(each for each in plan.cached_files(hub) if each.file.path == UNET)


def _damaged(hub: Hub) -> list[str]:
    """The planned files that are missing, or not as the hub has them."""
    files = plan_download(NAME, hub).cached_files(hub)
    return [each.file.path for each in files if not each.is_intact(each.snapshot_path)]


def _same(folder: Path, files: dict[str, bytes]) -> bool:
    here = {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}
    return here == set(files) and all((folder / p).read_bytes() == d for p, d in files.items())


def _wanted(server: HubServer) -> dict[str, bytes]:
    return {path: data for path, data in server.repos[NAME].files.items() if path not in _UNWANTED}


def test_a_model_is_pulled_in_half_precision_without_other_files(
    server: HubServer, hub: Hub
) -> None:
    progress: list[tuple[int, int]] = []
    folder = pull(plan_download(NAME, hub), hub, lambda *counts: progress.append(counts))
    assert _same(folder, _wanted(server))
    assert progress[-1][0] == progress[-1][1] == sum(map(len, _wanted(server).values()))
    assert find_model(NAME, hub=hub).folder == folder
    assert (hub.repo_folder(NAME) / "refs/main").read_text() == COMMIT
    assert _damaged(hub) == []


def test_complete_files_are_not_downloaded_again(server: HubServer, hub: Hub) -> None:
    _pull(hub)
    server.requests.clear()
    assert plan_download(NAME, hub).missing_bytes(hub) == 0
    _pull(hub)
    assert server.stored() == []


def test_without_half_precision_full_weights_are_pulled(server: HubServer, hub: Hub) -> None:
    files = server.repos[NAME].files
    server.repos[NAME].files = {path.replace(".fp16", ""): data for path, data in files.items()}
    assert (_pull(hub) / UNET.replace(".fp16", "")).is_file()


@pytest.mark.slow
def test_a_broken_connection_keeps_the_partial_file_and_the_next_pull_resumes(
    server: HubServer, hub: Hub
) -> None:
    server.repos[NAME].files[UNET] = os.urandom(LARGE)
    server.faults = Faults(cut_after=LARGE * 2 // 3)
    with pytest.raises(DownloadError, match=r"answered HTTP 503.*is kept"):
        _pull(hub)
    with pytest.raises(ModelNotFoundError, match=f"models pull {NAME}"):
        find_model(NAME, hub=hub)  # half a model does not pass for one
    server.faults = Faults()
    assert _cached_unet(plan_download(NAME, hub), hub).bytes_present() == KEPT
    assert _same(_pull(hub), _wanted(server))
    assert f"bytes={KEPT}-" in [(each or "").rstrip("0123456789") for each in server.ranges()]


@pytest.mark.slow
def test_a_server_without_range_requests_sends_the_whole_file_again(
    server: HubServer, hub: Hub
) -> None:
    server.repos[NAME].files[UNET] = os.urandom(LARGE)
    server.faults = Faults(cut_after=LARGE * 2 // 3)
    with pytest.raises(DownloadError):
        _pull(hub)
    server.faults = Faults(ignore_ranges=True)
    progress: list[int] = []
    folder = pull(plan_download(NAME, hub), hub, lambda done, total: progress.append(total - done))
    assert _same(folder, _wanted(server))
    assert progress[-1] == 0


def test_a_damaged_download_is_removed_and_other_files_are_kept(
    server: HubServer, hub: Hub
) -> None:
    server.faults = Faults(damage=UNET)
    with pytest.raises(DownloadError, match=f"{UNET}.*damaged, and was removed"):
        _pull(hub)
    server.faults = Faults()
    assert _same(_pull(hub), _wanted(server))
    asked = [each.path for each in server.stored()]
    assert len(asked) == len(set(asked)) + 1  # that file twice, every other one once


def test_a_file_corrupted_on_disk_is_downloaded_again(server: HubServer, hub: Hub) -> None:
    folder = _pull(hub)
    (folder / UNET).resolve().write_bytes(bytes(4096))
    assert _damaged(hub) == [UNET]
    assert _same(_pull(hub), _wanted(server))


@pytest.mark.parametrize(
    ("status", "code", "kind", "words"),
    [
        (401, "", DownloadError, "HF_TOKEN"),
        (401, "RepoNotFound", DownloadError, "private, or does not exist"),
        (403, "GatedRepo", DownloadError, "accept them at"),
        (404, "RepoNotFound", ModelNotFoundError, "there is no"),
        (404, "RevisionNotFound", ModelNotFoundError, "no such revision"),
        (500, "", DownloadError, "answered HTTP 500"),
    ],
)
def test_an_http_error_becomes_one_line_that_says_what_to_do(
    server: HubServer, hub: Hub, status: int, code: str, kind: type[ModelError], words: str
) -> None:
    server.faults = Faults(status=status, error_code=code)
    with pytest.raises(kind, match=words) as refused:
        plan_download(NAME, hub)
    assert "\n" not in str(refused.value)


def test_a_refused_connection_is_reported(tmp_path: Path) -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        address = f"http://127.0.0.1:{closed.getsockname()[1]}"
    with pytest.raises(DownloadError, match="does not answer or breaks off"):
        plan_download(NAME, Hub(endpoint=address, cache=tmp_path))


def test_offline_mode_makes_no_requests(server: HubServer, hub: Hub) -> None:
    with pytest.raises(DownloadError, match="offline"):
        plan_download(NAME, Hub(endpoint=server.url, cache=hub.cache, offline=True))
    assert server.requests == []


def test_a_model_larger_than_the_disk_is_refused_before_downloading(
    server: HubServer, hub: Hub
) -> None:
    server.repos[NAME].claimed_sizes[UNET] = 10**18
    with pytest.raises(DownloadError, match=r"needs 1,000,000,000,000 MB more.*HF_HOME"):
        _pull(hub)
    assert server.stored() == []


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="a file that is always full: Linux")
def test_a_full_disk_keeps_the_partial_file(server: HubServer, hub: Hub) -> None:
    plan = plan_download(NAME, hub)
    full = _cached_unet(plan, hub).partial_path
    full.parent.mkdir(parents=True)
    full.symlink_to("/dev/full")
    with pytest.raises(DownloadError, match=r"is full.*is kept"):
        pull(plan, hub)
    full.unlink()
    assert _same(pull(plan, hub), _wanted(server))


def test_the_token_is_sent_only_to_the_hub(
    server: HubServer, hub: Hub, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_TOKEN", "hf_secret")
    _pull(hub)
    assert not any(each.has_token for each in server.stored())
    assert all(each.has_token for each in server.requests if each.path.startswith("/api/"))


def test_a_model_without_safetensors_is_not_pulled(server: HubServer, hub: Hub) -> None:
    del server.repos[NAME].files["vae/diffusion_pytorch_model.fp16.safetensors"]
    with pytest.raises(Unsupported, match="no safetensors in vae/"):
        plan_download(NAME, hub)


def test_without_an_index_folders_and_files_are_listed(server: HubServer, hub: Hub) -> None:
    for path in (INDEX, "whole.safetensors"):
        del server.repos[NAME].files[path]
    with pytest.raises(ModelNotFoundError, match=f"pull one of .* {NAME}/unet, .* {NAME}/vae,"):
        plan_download(NAME, hub)


def test_a_named_commit_is_pulled_and_loaded(server: HubServer, hub: Hub) -> None:
    pull(plan_download(NAME, hub, COMMIT), hub)
    assert cached_folder(HubRepo(NAME), hub, INDEX) is not None
    with pytest.raises(ModelNotFoundError, match="no such revision"):
        plan_download(NAME, hub, "another")


@pytest.mark.parametrize("name", ["embedded", "nothing", "a b/c"])
def test_unknown_names_are_refused(hub: Hub, name: str) -> None:
    with pytest.raises(ModelNotFoundError, match="pull"):
        plan_download(name, hub)
