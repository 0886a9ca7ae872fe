"""The network that finds persons: its file, the test scene, still cameras, and INT8."""

from pathlib import Path
from statistics import mean

import numpy as np
import pytest
import torch

from turbolens.filter import ModelError
from turbolens.filter.region.finder import PersonFinder, with_edges
from turbolens.filter.region.masks import is_sure
from turbolens.filter.region.weights import FOLDER, load_segmenter
from turbolens.pipelines.bench.region import halved, jitter, overlap
from turbolens.pipelines.scene.frames import TestScene


@pytest.fixture(scope="module")
def finder() -> PersonFinder:
    return PersonFinder(torch.device("cpu"), "none")


def test_it_ships_in_less_than_a_megabyte_with_a_range_for_every_layer() -> None:
    assert sum(path.stat().st_size for path in FOLDER.iterdir()) < 1_000_000
    network = load_segmenter()
    layers = {name for name, each in network.named_modules() if isinstance(each, torch.nn.Conv2d)}
    assert layers == set(network.activation_ranges)
    assert sum(each.numel() for each in network.parameters()) < 500_000


def test_damaged_weights_are_one_clear_line(tmp_path: Path) -> None:
    (tmp_path / "model.safetensors").write_bytes(b"{}")
    with pytest.raises(ModelError, match="must hold the network that finds persons"):
        load_segmenter(tmp_path)


def test_the_figure_of_the_scene_is_found(finder: PersonFinder) -> None:
    scene, agreements = TestScene(640, 360, seed=1), []
    for index in (10, 110, 200, 290):
        mask = finder(scene[index].picture)
        assert is_sure(mask)
        agreements.append(overlap(mask > 0.5, halved(scene[index].person)))
    assert mean(agreements) > 0.9


def test_a_doubtful_mask_stays_doubtful() -> None:
    """Fitted to the colours it would look sure, and then show what is behind the person."""
    doubtful = np.full((256, 256), 0.5, np.float32)
    doubtful[64:192, 64:192] = 0.7
    picture = np.full((256, 256, 3), 40, np.uint8)
    picture[64:192, 64:192] = 200
    assert np.array_equal(with_edges(doubtful, picture), doubtful)


def test_nobody_is_found_in_an_empty_room(finder: PersonFinder) -> None:
    wall = np.full((180, 320, 3), 180, np.uint8)
    assert (finder(wall) > 0.5).mean() < 0.005


def test_the_edge_stands_still_before_a_still_and_noisy_camera(finder: PersonFinder) -> None:
    assert jitter(finder, TestScene(640, 360)[20].picture) < 1.0


@pytest.mark.slow
def test_int8_gives_the_same_mask() -> None:
    pytest.importorskip("openvino")
    quick = PersonFinder(torch.device("cpu"), "int8", wait=True)
    plain = PersonFinder(torch.device("cpu"), "none")
    for index in (10, 100, 200):
        picture = TestScene(320, 180, seed=2)[index].picture
        both = [each(picture) > 0.5 for each in (quick, plain)]
        assert overlap(both[0], both[1]) > 0.97
