"""The file of activation ranges: read with its model, and refused if it belongs to another."""

import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file

from turbolens.filter import ModelError, TurboModel
from turbolens.filter.loading.activation_ranges import (
    ActivationRanges,
    read_activation_ranges,
    write_activation_ranges,
)
from turbolens.filter.loading.needed_files import RANGES_FILE
from turbolens.filter.networks import Range

LAYER = "unet.conv_in"
NETWORKS = {"autoencoder": "AutoencoderKL", "unet": ""}


@pytest.fixture
def own_folder(sd_folder: Path, tmp_path: Path) -> Path:
    """A copy of the model's folder."""
    return Path(shutil.copytree(sd_folder, tmp_path / "model"))


def loaded(folder: Path) -> TurboModel:
    return TurboModel.load(folder, device="cpu", dtype="float32")


def test_ranges_are_loaded_with_the_model(own_folder: Path) -> None:
    found = {LAYER: Range(-1.5, 2.0), "unet.conv_out": Range(-3.0, 3.0, 2)}
    ranges = ActivationRanges({"predictor": found}, NETWORKS)
    write_activation_ranges(own_folder / RANGES_FILE, ranges)
    assert read_activation_ranges(own_folder) == ranges
    modules = loaded(own_folder).modules
    assert modules.calibrated
    assert modules.predictor.activation_ranges == found
    assert sorted(each.name for each in own_folder.glob("*ranges*")) == [RANGES_FILE]


def test_a_folder_without_the_file_has_no_ranges(sd_folder: Path) -> None:
    assert not loaded(sd_folder).modules.calibrated


def test_ranges_of_replaced_networks_are_ignored(own_folder: Path) -> None:
    layers = {"encoder": {"vae.of.another": Range(0, 1)}, "predictor": {LAYER: Range(-1, 1)}}
    networks = {"autoencoder": "AutoencoderTiny", "unet": ""}
    write_activation_ranges(own_folder / RANGES_FILE, ActivationRanges(layers, networks))
    modules = loaded(own_folder).modules
    assert not hasattr(modules.encoder, "activation_ranges")
    assert hasattr(modules.predictor, "activation_ranges")


@pytest.mark.parametrize(
    ("name", "numbers", "reason"),
    [
        ("predictor.unet.other", [-1.0, 1.0], "this model has no layer unet.other"),
        (f"unet.{LAYER}", [-1.0, 1.0], "names must begin with encoder, predictor, decoder"),
        (f"predictor.{LAYER}", [1.0, -1.0], r"a lower and a higher finite number, got 1.0, -1.0"),
        (f"predictor.{LAYER}", [0.0, float("nan")], "finite"),
        (f"predictor.{LAYER}", [0.0, 1.0, 3.0], r"1 or 2 parts of 8 bits, got 3.0"),
        (f"predictor.{LAYER}", [0.0], r"must be two or three floats, got \(1,\)"),
        (f"predictor.{LAYER}", [0, 1], "must be two or three floats"),
    ],
)
def test_a_wrong_file_says_what_to_do(
    own_folder: Path, name: str, numbers: list[Any], reason: str
) -> None:
    save_file({name: torch.tensor(numbers)}, own_folder / RANGES_FILE, NETWORKS)
    with pytest.raises(ModelError, match=f"{reason}.*turbolens train quantise"):
        loaded(own_folder)


def test_a_damaged_file_says_what_to_do(own_folder: Path) -> None:
    (own_folder / RANGES_FILE).write_bytes(b"no ranges")
    with pytest.raises(ModelError, match="must hold the activation ranges of this model"):
        loaded(own_folder)


def test_the_embedded_model_has_ranges_of_all_modules() -> None:
    modules = loaded(Path("embedded")).modules
    for module in (modules.encoder, modules.predictor, modules.decoder):
        assert module.activation_ranges
