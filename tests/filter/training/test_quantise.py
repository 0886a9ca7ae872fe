"""`turbolens train quantise` on a tiny model."""

import math
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn
from typer.testing import CliRunner

from turbolens.filter import SettingsError, TurboModel
from turbolens.filter.loading.activation_ranges import read_activation_ranges
from turbolens.filter.loading.needed_files import RANGES_FILE
from turbolens.filter.training.command import app
from turbolens.filter.training.layer_ranges import activation_ranges, layer_products
from turbolens.filter.training.quantise.calibration import MODULES
from turbolens.filter.training.quantise.command import read_pictures
from turbolens.filter.training.quantise.sensitivity import chosen_layers, sensitivities

from .picture_files import write_png

pytest.importorskip("openvino", reason="needs pip install openvino")


@pytest.fixture
def drawn(tmp_path: Path) -> Path:
    """A folder of five drawn pictures."""
    folder = tmp_path / "pictures"
    folder.mkdir()
    for seed in range(5):
        levels = np.random.default_rng(seed).integers(0, 256, (9, 12, 3), np.uint8)
        write_png(folder / f"{seed}.png", levels.repeat(8, 0).repeat(8, 1))
    return folder


@pytest.mark.slow
def test_a_folder_is_quantised_and_loads_with_its_ranges(
    folder: Path, drawn: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    own = Path(shutil.copytree(folder, tmp_path / "model"))
    arguments = ["quantise", str(own), "--data", str(drawn), "--pictures", "3", "--checked", "2"]
    done = CliRunner().invoke(app, [*arguments, "--size", "64"], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    assert all(name in done.output for name in (*MODULES, "strength 0.9", RANGES_FILE))
    model = TurboModel.load(own, device="cpu", dtype="float32")
    assert model.modules.calibrated
    before = read_activation_ranges(own)
    CliRunner().invoke(app, [*arguments, "--size", "64"], catch_exceptions=False)
    assert read_activation_ranges(own) == before, "the same seed, the same ranges"


def test_too_few_pictures_are_named(drawn: Path) -> None:
    with pytest.raises(SettingsError, match=r"at least 9 pictures .*, found 5"):
        read_pictures(drawn, 9, 64)


class Layers(nn.Module):
    """A convolution of a picture, one of zeros, and a product of a vector."""

    def __init__(self) -> None:
        super().__init__()
        self.seen, self.dead = nn.Conv2d(2, 3, 1), nn.Conv2d(2, 3, 1)
        self.vector = nn.Linear(4, 3)

    def forward(self, image: torch.Tensor, vector: torch.Tensor) -> torch.Tensor:
        shift = self.vector(vector)[..., None, None]
        return self.seen(image) + self.dead(0.0 * image) + shift  # type: ignore[no-any-return]


def test_ranges_hold_all_numbers_of_all_pictures() -> None:
    inputs = [
        (torch.tensor([low, high]).reshape(1, 2, 1, 1), torch.ones(1, 4))
        for low, high in ((-1.0, 2.0), (-3.0, 4.0))
    ]
    assert activation_ranges(Layers(), inputs) == {"seen": (-3.0, 4.0), "dead": (0.0, 1.0)}


def test_the_products_of_a_layer_are_those_of_one_picture() -> None:
    inputs = torch.ones(2, 2, 4, 5), torch.ones(2, 4)
    assert layer_products(Layers(), inputs) == {"seen": 120, "dead": 120, "vector": 12}


def test_layers_are_chosen_while_their_errors_together_are_small() -> None:
    psnrs = {"costly": 49.0, "cheap": 49.0, "exact": math.inf, "coarse": 40.0}
    products = {"costly": 1000, "cheap": 10, "exact": 10, "coarse": 5000}
    assert chosen_layers(psnrs, products, 47.0) == ["costly", "exact"]


def test_a_range_that_is_too_narrow_is_found_to_be_sensitive() -> None:
    module, vector = Layers(), torch.ones(1, 4)
    image = torch.rand(1, 2, 8, 8, generator=torch.Generator().manual_seed(1))
    weights = module.seen.weight.clone()
    (_, fine), (_, coarse) = (
        *sensitivities(module, {"seen": (0.0, 1.0)}, [(image, vector)]),
        *sensitivities(module, {"seen": (0.0, 0.3)}, [(image, vector)]),
    )
    assert fine > 40.0
    assert coarse < 30.0
    assert torch.equal(module.seen.weight, weights), "the module is unchanged"
