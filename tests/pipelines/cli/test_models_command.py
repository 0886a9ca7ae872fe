"""`turbolens models` as a user runs it, with a hub on loopback and an empty home."""

import json
import os
import pty
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from huggingface_hub import constants

from tests.filter.loading.hub_server import Faults, HubServer, Repo
from tests.pipelines.conftest import started
from tests.pipelines.streams.waiting import wait_until
from turbolens.filter import SettingsError
from turbolens.filter.loading.catalogue import EMBEDDED_FOLDER, known_models
from turbolens.pipelines.cli.models import list_models, pull_model, remove_model

pytestmark = pytest.mark.slow

NAME = "turbolens-tests/looks"
COMMAND = [sys.executable, "-m", "turbolens"]
TURBO = known_models()["sd-turbo"]


@pytest.fixture
def server() -> Iterator[HubServer]:
    """A hub with the embedded model under another name, and files in place of SD-Turbo's."""
    files = (path for path in EMBEDDED_FOLDER.rglob("*") if path.is_file())
    looks = {str(path.relative_to(EMBEDDED_FOLDER)): path.read_bytes() for path in files}
    assert TURBO.base is not None
    assert TURBO.tiny_vae is not None
    turbo = {**looks, "README.md": b"no need"}
    tiny = {"config.json": b"{}", "diffusion_pytorch_model.safetensors": b"tiny"}
    repos = {NAME: Repo(looks), TURBO.base.name: Repo(turbo, commit=TURBO.base.revision or "")}
    hub_server = HubServer({**repos, TURBO.tiny_vae.name: Repo(tiny)})
    yield hub_server
    hub_server.close()


@pytest.fixture
def environment(server: HubServer, tmp_path: Path) -> dict[str, str]:
    """An environment with an empty home, for the hub on loopback."""
    return {
        **os.environ, "HF_ENDPOINT": server.url, "HF_HOME": str(tmp_path / "hf"),
        "HOME": str(tmp_path), "XDG_CONFIG_HOME": str(tmp_path / "config"), "COLUMNS": "200",
    }  # fmt: skip


def _run(environment: dict[str, str], *arguments: str, folder: Path | None = None) -> Any:
    return subprocess.run(  # noqa: S603
        [*COMMAND, *arguments], env=environment, capture_output=True, text=True, check=False,
        cwd=folder, stdin=subprocess.DEVNULL,
    )  # fmt: skip


def test_two_commands_lead_from_an_empty_cache_to_a_filtered_clip(
    environment: dict[str, str], tmp_path: Path
) -> None:
    pulled = _run(environment, "models", "pull", NAME)
    assert pulled.returncode == 0, pulled.stderr
    assert "is whole and checked" in pulled.stdout
    assert "licence of turbolens-tests/looks, as its card has it: mit" in pulled.stdout
    assert pulled.stderr == ""
    filtered = _run(
        {**environment, "HF_HUB_OFFLINE": "1"}, "video", "test-scene", "clip.mp4", "--duration",
        "0.1", "--size", "64", "--model", NAME, folder=tmp_path,
    )  # fmt: skip
    assert filtered.returncode == 0, filtered.stderr
    assert (tmp_path / "clip.mp4").is_file()


def test_a_licence_must_be_accepted_once(environment: dict[str, str], server: HubServer) -> None:
    refused = _run(environment, "models", "pull", "sd-turbo")
    assert refused.returncode == 1
    assert TURBO.licence.summary in refused.stdout
    assert "add --accept-licence" in refused.stderr
    assert server.requests == []
    assert _run(environment, "models", "pull", "sd-turbo", "--accept-licence").returncode == 0
    again = _run(environment, "models", "pull", "sd-turbo")
    assert again.returncode == 0
    assert "0.0 MB of them to come" in again.stdout


@pytest.mark.parametrize(("answer", "code"), [("y", 0), ("n", 1)])
def test_on_a_terminal_the_user_is_asked_for_the_licence(
    environment: dict[str, str], answer: str, code: int
) -> None:
    ours, theirs = pty.openpty()
    command = [*COMMAND, "models", "pull", "sd-turbo"]
    options: dict[str, Any] = {"stdin": theirs, "stdout": subprocess.PIPE, "text": True}
    with started(command, env=environment, stderr=subprocess.DEVNULL, **options) as process:
        os.write(ours, f"{answer}\n".encode())
        said, _ = process.communicate(timeout=120)
    os.close(ours)
    os.close(theirs)
    assert "Do you accept it?" in said
    assert process.returncode == code


def _unfinished_bytes(environment: dict[str, str]) -> int:
    """The size of the file whose download is not finished, in bytes; 0 where there is none."""
    return sum(each.stat().st_size for each in Path(environment["HF_HOME"]).rglob("*.incomplete"))


def test_a_killed_pull_is_resumed(environment: dict[str, str], server: HubServer) -> None:
    path = "unet/diffusion_pytorch_model.safetensors"
    server.repos[NAME].files[path] = os.urandom(24_000_000)
    # The client writes chunks of 10 MiB: it is killed when the first is on the disk.
    server.faults = Faults(stall_after=20_000_000)
    with started([*COMMAND, "models", "pull", NAME], env=environment) as process:
        assert server.stalled.wait(timeout=120)
        wait_until(lambda: _unfinished_bytes(environment) >= 10 * 2**20, "the first chunk")
        process.kill()
        process.wait()
    server.faults = Faults()
    server.resume.set()
    assert _run(environment, "models", "pull", NAME).returncode == 0
    assert "bytes=10485760-" in [(each or "").rstrip("0123456789") for each in server.ranges()]


@pytest.mark.parametrize(
    ("name", "words", "code"),
    [
        ("turbolens-tests/nothing", "there is no turbolens-tests/nothing at http://127", 2),
        ("embedded", "part of the package", 2),
    ],
)
def test_a_pull_that_cannot_work_is_one_line_of_error(
    environment: dict[str, str], name: str, words: str, code: int
) -> None:
    result = _run(environment, "models", "pull", name)
    assert (result.returncode, len(result.stderr.splitlines())) == (code, 1)
    assert words in result.stderr


def test_models_are_listed_and_removed(environment: dict[str, str], tmp_path: Path) -> None:
    assert _run(environment, "models", "pull", NAME).returncode == 0
    listed = json.loads(_run(environment, "models", "list", "--json", "--offline").stdout)
    found = {model["name"]: model for model in listed}
    assert found[NAME]["size_bytes"] > 1_000_000
    assert found["sdxl-turbo"]["place"] is None
    assert found["sdxl-turbo"]["memory_bytes"] > 5 * 2**30
    assert _run(environment, "models", "pull", NAME, "--offline").returncode == 0
    removed = _run(environment, "models", "remove", NAME)
    assert (removed.returncode, removed.stdout[:8]) == (0, "removed ")
    assert not list((tmp_path / "hf").rglob("*.safetensors"))
    assert _run(environment, "models", "remove", NAME).returncode == 2
    assert _run(environment, "models", "pull", NAME, "--offline").returncode == 2


def test_an_adapter_is_pulled_listed_and_removed(
    environment: dict[str, str],
    server: HubServer,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    files = {path: path.encode() for path in ("a.safetensors", "more/b.safetensors")}
    server.repos["org/loras"] = Repo(files)
    pulled = _run(environment, "models", "pull", "org/loras/more/b.safetensors")
    assert pulled.returncode == 0, pulled.stderr
    assert "licence of org/loras, as its card has it: mit" in pulled.stdout
    assert "more/b.safetensors\n" in pulled.stdout
    monkeypatch.setattr(constants, "HF_HUB_CACHE", f"{environment['HF_HOME']}/hub")
    pull_model("org/loras/more", offline=True)
    assert "org/loras/more is here: " in capsys.readouterr().out
    list_models(as_json=True)
    assert json.loads(capsys.readouterr().out)[-1]["name"] == "org/loras"
    remove_model("org/loras")
    assert capsys.readouterr().out == "removed org/loras (0.0 MB)\n"


def test_the_embedded_model_is_not_removed() -> None:
    with pytest.raises(SettingsError, match="embedded is part of the package"):
        remove_model("embedded")


def test_only_whole_repositories_are_removed() -> None:
    with pytest.raises(SettingsError, match="`turbolens models remove org/loras` removes all"):
        remove_model("org/loras/a.safetensors")
