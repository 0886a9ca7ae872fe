"""`turbolens train quantise` on a tiny model."""

import math
import shutil
from pathlib import Path

import pytest
import torch
from torch import nn
from typer.testing import CliRunner

from turbolens.filter import SettingsError, TurboModel
from turbolens.filter.acceleration.openvino.layer_ranges import activation_ranges, layer_products
from turbolens.filter.loading.activation_ranges import read_activation_ranges
from turbolens.filter.loading.needed_files import RANGES_FILE
from turbolens.filter.networks import Range
from turbolens.filter.training.command import app
from turbolens.filter.training.quantise.calibration import MODULES
from turbolens.filter.training.quantise.command import read_pictures
from turbolens.filter.training.quantise.sensitivity import Loss, Sensitivity, chosen_ranges

from .picture_files import write_drawn

pytest.importorskip("openvino", reason="needs pip install openvino")


@pytest.fixture
def drawn(tmp_path: Path) -> Path:
    """A folder of five drawn pictures."""
    return write_drawn(tmp_path / "pictures", 5, (9, 12), 8)


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
    assert activation_ranges(Layers(), inputs) == {
        "seen": Range(-3.0, 4.0), "dead": Range(0.0, 1.0),
    }  # fmt: skip


def test_the_products_of_a_layer_are_those_of_one_picture() -> None:
    inputs = torch.ones(2, 2, 4, 5), torch.ones(2, 4)
    assert layer_products(Layers(), inputs) == {"seen": 120, "dead": 120, "vector": 12}


def loss(total: float, moving: float, products: int, parts: int = 1) -> Loss:
    """The loss of a layer from agreements in dB."""
    found = Range(0.0, 1.0, parts)
    return Loss(found, 10.0 ** (-total / 10.0), 10.0 ** (-moving / 10.0), products)


def chosen(min_steady: float, **losses: list[Loss]) -> dict[str, int]:
    """The chosen layers and the number of parts of each. losses: in one part and in two."""
    ranges = {name: Range(0.0, 1.0) for name in losses}
    found = chosen_ranges(ranges, lambda name, each: losses[name][each.parts - 1], 47.0, min_steady)
    return {name: each.parts for name, each in found.items()}


def test_layers_are_chosen_while_their_errors_together_are_small() -> None:
    exact = loss(math.inf, math.inf, 10)
    layers = {
        "costly": [loss(49.0, 49.0, 1000)] * 2, "cheap": [loss(49.0, 49.0, 10)] * 2,
        "exact": [exact] * 2, "coarse": [loss(40.0, 40.0, 5000)] * 2,
    }  # fmt: skip
    assert chosen(47.0, **layers) == {"costly": 1, "exact": 1}


def test_a_layer_whose_input_needs_more_levels_has_two_parts() -> None:
    layers = {"last": [loss(52.0, 54.0, 100), loss(53.0, 90.0, 100, parts=2)]}
    assert chosen(60.0, **layers) == {"last": 2}
    assert chosen(47.0, **layers) == {"last": 1}, "its errors move too little to show"


def test_a_layer_whose_weights_need_more_levels_stays_in_float() -> None:
    layers = {"last": [loss(44.0, 70.0, 100), loss(44.0, 95.0, 100, parts=2)]}
    assert chosen(60.0, **layers) == {}


def test_a_range_that_is_too_narrow_is_found_to_be_sensitive() -> None:
    module, vector = Layers(), torch.ones(1, 4)
    image = torch.rand(1, 2, 8, 8, generator=torch.Generator().manual_seed(1))
    weights = module.seen.weight.clone()
    measure = Sensitivity(module, [(image, vector)])
    assert measure("seen", Range(0.0, 1.0)).total < 1e-4
    assert measure("seen", Range(0.0, 0.3)).total > 1e-3
    assert torch.equal(module.seen.weight, weights), "the module is unchanged"


def test_two_parts_leave_only_the_errors_of_weights() -> None:
    module, vector = Layers(), torch.ones(1, 4)
    image = torch.rand(1, 2, 8, 8, generator=torch.Generator().manual_seed(1))
    measure = Sensitivity(module, [(image, vector)])
    one, two = (measure("seen", Range(0.0, 1.0, parts)) for parts in (1, 2))
    assert two.moving < one.moving / 1e4
    assert two.moving < two.total <= one.total
