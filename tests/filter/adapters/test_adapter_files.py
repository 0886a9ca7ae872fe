"""Where adapters lie: files, folders, and what of the hub is in the cache."""

from pathlib import Path

import pytest
from huggingface_hub import constants

from turbolens.filter import ModelNotFoundError, UnsupportedModelError
from turbolens.filter.adapters.files import locate_file, locate_folder

COMMIT = "0" * 40


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache that holds one repository. Gives its snapshot."""
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    repository = tmp_path / "models--org--name"
    (repository / "refs").mkdir(parents=True)
    (repository / "refs" / "main").write_text(COMMIT)
    snapshot = repository / "snapshots" / COMMIT
    beside = ("models/config.json", "models/image_encoder/config.json")
    for name in ("ink.safetensors", "models/ip.safetensors", *beside):
        (snapshot / name).parent.mkdir(parents=True, exist_ok=True)
        (snapshot / name).touch()
    return snapshot


def test_a_repository_with_one_file_resolves_to_it(hub: Path) -> None:
    assert locate_file("org/name", "LoRA") == hub / "ink.safetensors"


def test_a_file_or_folder_within_a_repository_can_be_named(hub: Path) -> None:
    beside = ("image_encoder/config.json",)
    named = locate_file("org/name/models/ip.safetensors", "IP-Adapter", beside)
    assert named == hub / "models" / "ip.safetensors"
    assert locate_folder("org/name/models", "ControlNet", ("*.json",)) == hub / "models"


def test_the_error_names_what_the_repository_lacks(hub: Path) -> None:
    with pytest.raises(ModelNotFoundError, match=r"pull org/name/nothing\.safetensors`"):
        locate_file("org/name/nothing.safetensors", "LoRA")


@pytest.mark.usefixtures("hub")
@pytest.mark.parametrize("name", ["loras/ink.safetensors", "nothing", "org/name/../ink"])
def test_no_pull_is_suggested_for_an_invalid_hub_id(name: str) -> None:
    with pytest.raises(ModelNotFoundError, match="give a file, a folder, or a hub id"):
        locate_file(name, "LoRA")


@pytest.mark.usefixtures("hub")
def test_a_pickle_is_refused_before_searching_for_it() -> None:
    with pytest.raises(UnsupportedModelError, match="a pickle can run any code"):
        locate_file("org/name/lora.bin", "LoRA")


def test_a_folder_with_two_files_is_ambiguous(tmp_path: Path) -> None:
    for name in ("a.safetensors", "b.safetensors"):
        (tmp_path / name).touch()
    with pytest.raises(ModelNotFoundError, match=r"holds a\.safetensors, b\.safetensors; name"):
        locate_file(tmp_path, "LoRA")


def test_a_single_file_is_refused_as_a_controlnet(tmp_path: Path) -> None:
    (tmp_path / "a.safetensors").touch()
    with pytest.raises(UnsupportedModelError, match="must be a folder"):
        locate_folder(tmp_path / "a.safetensors", "ControlNet", ())
    with pytest.raises(UnsupportedModelError, match="must be a folder"):
        locate_folder("org/name/a.safetensors", "ControlNet", ())
