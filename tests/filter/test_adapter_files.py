"""Where adapters lie: files, folders, and what of the hub has been downloaded."""

from pathlib import Path

import pytest
from huggingface_hub import constants

from turbolens.filter import ModelNotFoundError, UnsupportedModelError
from turbolens.filter.adapters.files import locate_file, locate_folder

COMMIT = "0" * 40


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache that holds one repository, without a network. Gives its snapshot."""
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    repository = tmp_path / "models--org--name"
    (repository / "refs").mkdir(parents=True)
    (repository / "refs" / "main").write_text(COMMIT)
    snapshot = repository / "snapshots" / COMMIT
    for name in ("ink.safetensors", "models/ip.safetensors", "models/image_encoder/config.json"):
        (snapshot / name).parent.mkdir(parents=True, exist_ok=True)
        (snapshot / name).touch()
    return snapshot


def test_a_repository_with_one_file_is_that_file(hub: Path) -> None:
    assert locate_file("org/name", "LoRA") == hub / "ink.safetensors"


def test_a_file_or_folder_within_a_repository_can_be_named(hub: Path) -> None:
    beside = ("image_encoder/config.json",)
    named = locate_file("org/name/models/ip.safetensors", "IP-Adapter", beside)
    assert named == hub / "models" / "ip.safetensors"
    assert locate_folder("org/name/models", "ControlNet", ("*.json",)) == hub / "models"


def test_what_the_repository_lacks_is_named(hub: Path) -> None:
    with pytest.raises(ModelNotFoundError, match=r"holds no nothing\.safetensors"):
        locate_file("org/name/nothing.safetensors", "LoRA")


@pytest.mark.usefixtures("hub")
def test_a_repository_that_is_not_here_is_said_to_be_out_of_reach() -> None:
    with pytest.raises(ModelNotFoundError, match="no LoRA 'org/other' here"):
        locate_file("org/other", "LoRA")


def test_a_folder_with_two_files_asks_for_one(tmp_path: Path) -> None:
    for name in ("a.safetensors", "b.safetensors"):
        (tmp_path / name).touch()
    with pytest.raises(ModelNotFoundError, match=r"holds a\.safetensors, b\.safetensors; name"):
        locate_file(tmp_path, "LoRA")


def test_a_controlnet_is_no_single_file(tmp_path: Path) -> None:
    (tmp_path / "a.safetensors").touch()
    with pytest.raises(UnsupportedModelError, match="must be a folder"):
        locate_folder(tmp_path / "a.safetensors", "ControlNet", ())
