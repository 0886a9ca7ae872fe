"""Adapters from the hub: loading suggests what to pull, and pull downloads it."""

import re
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from huggingface_hub import constants

from tests.filter.adapters.adapter_fixtures import (
    controlnet,
    ip_adapter_folder,
    lora_tensors,
    save_lora,
)
from turbolens.filter import DownloadError, ModelNotFoundError, TurboModel
from turbolens.filter import UnsupportedModelError as Unsupported
from turbolens.filter.adapters.files import locate_file, locate_folder
from turbolens.filter.loading.hub import Hub, parse_hub_path
from turbolens.filter.loading.pulling import plan_download, pull

from .hub_server import Faults, HubServer, Repo

NETWORK = "diffusion_pytorch_model"
NEEDS = ("config.json", f"{NETWORK}*.safetensors")
IP = "org/ip/models/ip.safetensors"
BESIDE = ("image_encoder/config.json", "image_encoder/*.safetensors")
FILES = {
    "org/ink": ("README.md", "ink.safetensors", "ink.bin", "samples/a.png"),
    "org/many": ("a.safetensors", "more/b.safetensors", "depth/config.json",
                 f"depth/{NETWORK}.safetensors"),
    "org/edges": ("config.json", f"{NETWORK}.safetensors", f"{NETWORK}.fp16.safetensors",
                  f"{NETWORK}.bin", "edges_promax.safetensors"),
    "org/ip": ("models/ip.safetensors", "models/ip.bin", "models/other.safetensors",
               "models/image_encoder/config.json", "models/image_encoder/model.safetensors",
               "models/image_encoder/pytorch_model.bin", "others/c.safetensors"),
    "org/pickles": ("lora.bin", "unet/model.ckpt"),
    "org/model": ("model_index.json", "unet/config.json", f"unet/{NETWORK}.safetensors"),
}  # fmt: skip


@pytest.fixture
def server() -> Iterator[HubServer]:
    """A hub with one repository of each kind; every file holds its own path."""
    repos = {name: Repo({path: path.encode() for path in paths}) for name, paths in FILES.items()}
    hub_server = HubServer(repos)
    yield hub_server
    hub_server.close()


@pytest.fixture
def hub(server: HubServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Hub:
    """That server with an empty cache, which is also the default cache."""
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "cache"))
    return Hub(endpoint=server.url)


@contextmanager
def _no_network() -> Iterator[None]:
    """Fail the test on any name lookup or connection."""
    with pytest.MonkeyPatch.context() as patch:
        for place, name in ((socket, "getaddrinfo"), (socket.socket, "connect")):
            patch.setattr(place, name, lambda *_, **__: pytest.fail("the network was asked"))
        yield


def _come(hub: Hub, name: str) -> tuple[Path, set[str]]:
    """Pull it: where it is said to lie, and all files that are here then."""
    place = pull(plan_download(name, hub), hub)
    paths = (path.relative_to(hub.folder) for path in hub.folder.glob("*/snapshots/**/*.*"))
    return place, {path.as_posix().split("/", 3)[3] for path in paths}


@pytest.mark.parametrize(
    ("name", "files"),
    [
        ("org/ink", {"ink.safetensors"}),
        ("org/ink/ink.safetensors", {"ink.safetensors"}),
        ("org/many/more/b.safetensors", {"more/b.safetensors"}),
        ("org/many/more", {"more/b.safetensors"}),
        ("org/many/depth/", {"depth/config.json", f"depth/{NETWORK}.safetensors"}),
        ("org/edges", {"config.json", f"{NETWORK}.fp16.safetensors"}),
        (IP, {"models/ip.safetensors", *(f"models/image_encoder/{name}"
                                        for name in ("config.json", "model.safetensors"))}),
    ],
)  # fmt: skip
def test_only_the_needed_files_are_downloaded(hub: Hub, name: str, files: set[str]) -> None:
    place, here = _come(hub, name)
    assert here == files
    assert place.is_file() == name.endswith(".safetensors")


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("org/many/nothing", "org/many has no nothing; pull one of org/many/a.safetensors, "
                             "org/many/depth, org/many/more/b.safetensors"),
        ("org/many/x.safetensors", "has no x.safetensors; pull one of"),
        ("org/ip", "neither one network nor one file; pull one of org/ip/models/ip.safetensors, "
                   "org/ip/models/other.safetensors, org/ip/others/c.safetensors"),
        ("org/ip/models", "one of org/ip/models/ip.safetensors, org/ip/models/other.safetensors"),
    ],
)  # fmt: skip
def test_an_ambiguous_hub_id_lists_the_paths(
    server: HubServer, hub: Hub, name: str, words: str
) -> None:
    with pytest.raises(ModelNotFoundError, match=re.escape(words)):
        plan_download(name, hub)
    assert server.stored() == []


def test_at_most_twelve_paths_are_listed(server: HubServer, hub: Hub) -> None:
    server.repos["org/many"].files |= {f"{count}.safetensors": b"" for count in range(97)}
    with pytest.raises(ModelNotFoundError, match=r"and 88 more$"):
        plan_download("org/many", hub)


@pytest.mark.parametrize("name", ["org/pickles", "org/pickles/lora.bin", "org/ink/ink.bin"])
def test_pickles_are_never_downloaded(hub: Hub, name: str) -> None:
    with pytest.raises(Unsupported, match="can run any code and are never loaded"):
        plan_download(name, hub)


@pytest.mark.parametrize("name", ["org/ink", "org/many/more", "org/many/a.safetensors", IP])
def test_a_missing_file_is_found_after_running_the_suggested_pull(hub: Hub, name: str) -> None:
    with _no_network(), pytest.raises(ModelNotFoundError) as missing:
        locate_file(name, "LoRA", BESIDE)
    named = re.search("`turbolens models pull (.+)`", str(missing.value))
    assert named is not None
    pull(plan_download(named[1], hub), hub)
    with _no_network():
        assert locate_file(name, "LoRA", BESIDE).read_bytes().endswith(b".safetensors")


@pytest.mark.parametrize("name", ["org/edges", "org/many/depth"])
def test_a_missing_folder_is_found_after_pulling_it(hub: Hub, name: str) -> None:
    missing = pytest.raises(ModelNotFoundError, match=f"`turbolens models pull {name}`")
    with _no_network(), missing:
        locate_folder(name, "ControlNet", NEEDS)
    assert _come(hub, name)[0] == locate_folder(name, "ControlNet", NEEDS)


def test_an_incomplete_adapter_is_not_found(server: HubServer, hub: Hub) -> None:
    server.faults = Faults(damage="models/ip.safetensors")  # the image encoder comes before it
    with pytest.raises(DownloadError, match="arrived damaged"):
        _come(hub, IP)
    with pytest.raises(ModelNotFoundError, match=f"`turbolens models pull {IP}`"):
        locate_file(IP, "IP-Adapter", BESIDE)


def test_files_of_several_commits_are_all_found(server: HubServer, hub: Hub) -> None:
    first = _come(hub, "org/many/a.safetensors")[0]
    server.repos["org/many"].commit = "f" * 40
    second = _come(hub, "org/many/more/b.safetensors")[0]
    assert first.parents[0] != second.parents[1]
    assert locate_file("org/many/a.safetensors", "LoRA") == first
    assert locate_file("org/many/more/b.safetensors", "LoRA") == second


def test_a_commit_with_the_image_encoder_is_preferred(server: HubServer, hub: Hub) -> None:
    whole = _come(hub, IP)[0]
    server.repos["org/ip"] = Repo({"models/ip.safetensors": b"new"}, commit="f" * 40)
    alone = _come(hub, IP)[0]
    assert locate_file(IP, "IP-Adapter", BESIDE) == whole
    assert locate_file(IP, "LoRA") == alone


def test_a_whole_model_is_refused_as_an_adapter(hub: Hub) -> None:
    _come(hub, "org/model")
    with pytest.raises(Unsupported, match="org/model is a whole model, not a LoRA"):
        locate_file("org/model", "LoRA")


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("org/name", ("org/name", "")),
        ("org/name/", ("org/name", "")),
        ("org/name/a [b]/c.safetensors", ("org/name", "a [b]/c.safetensors")),
        ("org/name/../../secret", None),
        ("loras/ink.safetensors", None),
        ("/org/name", None),
        ("C:/org/name", None),
        ("name", None),
    ],
)
def test_parsing_of_hub_ids_with_paths(name: str, meant: tuple[str, str] | None) -> None:
    assert parse_hub_path(name) == meant


def _brought(server: HubServer, hub: Hub, folder: Path, path: str = "") -> str:
    """Offered on the hub as org/NAME-OF-THE-FOLDER, and pulled. Gives the hub id."""
    paths = [each for each in folder.rglob("*") if each.is_file()]
    files = {each.relative_to(folder).as_posix(): each.read_bytes() for each in paths}
    server.repos[f"org/{folder.name}"] = Repo(files)
    name = f"org/{folder.name}{path}"
    pull(plan_download(name, hub), hub)
    return name


@pytest.mark.slow
def test_all_three_kinds_of_adapters_load_by_hub_id_after_pulling(
    server: HubServer, hub: Hub, sd_pipeline: Any, sd_folder: Path, tmp_path: Path
) -> None:
    ink, edges, ip = (tmp_path / name for name in ("ink", "edges", "ip"))
    ink.mkdir()
    save_lora(ink / "drawn.safetensors", lora_tensors({"unet": sd_pipeline.unet}, seed=1))
    controlnet(sd_pipeline.unet).save_pretrained(edges)
    ip_adapter_folder(ip / "models", sd_pipeline.unet)
    lora, control = (_brought(server, hub, folder) for folder in (ink, edges))
    given: dict[str, Any] = {"controlnet": control, "loras": [f"{lora}:0.5"]}
    given["ip_adapter"] = _brought(server, hub, ip, "/models")
    with _no_network():
        model = TurboModel.load(sd_folder, device="cpu", **given)
    assert model.adapters.loras.names == ("drawn",)
