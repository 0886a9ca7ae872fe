"""Training of the network that finds persons: its pictures, labels and losses."""

from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from turbolens.filter import SettingsError
from turbolens.filter.region.network import Segmenter
from turbolens.filter.training.segmenter.labels import Labelled, read_labelled
from turbolens.filter.training.segmenter.light import relit
from turbolens.filter.training.segmenter.rooms import room, with_furniture
from turbolens.filter.training.segmenter.scenes import scene
from turbolens.filter.training.segmenter.stage import SegmenterLosses
from turbolens.filter.training.segmenter.start import continue_from


@pytest.fixture
def folders(tmp_path: Path) -> tuple[Path, Path]:
    """Pictures with a bright square as the person, transparent elsewhere, and dark pictures."""
    people, backgrounds = tmp_path / "people", tmp_path / "backgrounds"
    people.mkdir()
    backgrounds.mkdir()
    for number in range(16):
        cutout = np.zeros((64, 64, 4), np.uint8)
        cutout[16:, 16:48] = 230
        cutout[16:, 16:48, 3] = 255
        cv2.imwrite(str(people / f"{number}.png"), cutout)
        cv2.imwrite(str(backgrounds / f"{number}.png"), np.full((64, 64, 3), 3 * number, np.uint8))
    return people, backgrounds


@pytest.fixture
def data(folders: tuple[Path, Path], tmp_path: Path) -> Labelled:
    return read_labelled(*folders, tmp_path / "labels", None)


def test_transparency_is_the_mask_and_some_pictures_are_held_out(
    folders: tuple[Path, Path], data: Labelled, tmp_path: Path
) -> None:
    held_out = read_labelled(*folders, tmp_path / "labels", None, held_out=True)
    assert data.is_exact.all()
    assert len(data.people) + len(held_out.people) == 16
    assert 0.2 < (data.people[0, ..., 3] > 127).mean() < 0.5


def test_a_picture_without_mask_needs_the_teacher(
    folders: tuple[Path, Path], tmp_path: Path
) -> None:
    for number in range(16):
        cv2.imwrite(str(folders[0] / f"{number}.png"), np.zeros((64, 64, 3), np.uint8))
    with pytest.raises(SettingsError, match="--teacher is needed to label"):
        read_labelled(*folders, tmp_path / "labels", None)


def test_the_same_seed_gives_the_same_scenes(data: Labelled) -> None:
    first, second = (scene(np.random.default_rng(3), data) for _ in range(2))
    assert np.array_equal(first[0], second[0])
    assert first[0].shape == (256, 256, 3)
    assert first[1].shape == (256, 256)
    assert 0 <= first[1].min() <= first[1].max() <= 1


def test_a_step_has_gradients_for_all_weights(data: Labelled) -> None:
    network = Segmenter()
    losses = SegmenterLosses(network, data, batch=2)(torch.Generator().manual_seed(0), 0)
    torch.stack(list(losses.values())).sum().backward()  # type: ignore[no-untyped-call]
    assert all(each.grad is not None for each in network.parameters())


def test_fusing_keeps_the_result() -> None:
    torch.manual_seed(0)
    network = Segmenter().eval()
    image = torch.randn(1, 3, 256, 256)
    before = network.logits(image)
    assert torch.allclose(network.fuse().logits(image), before, atol=1e-4)


def test_training_goes_on_from_other_weights_with_the_same_results() -> None:
    torch.manual_seed(0)
    images = torch.randn(4, 3, 256, 256)
    trained, network = Segmenter(), Segmenter()
    with torch.no_grad():
        for _ in range(3):
            trained.logits(images)
        fused = trained.fuse().state_dict()
        expected = trained.logits(images)
        continue_from(network, fused, images)
        assert torch.allclose(network.logits(images), expected, atol=1e-3)
        assert torch.allclose(network.eval().logits(images), expected, atol=0.02)


def test_a_new_layer_changes_little_at_first() -> None:
    torch.manual_seed(0)
    images = torch.randn(2, 3, 256, 256)
    trained, network = Segmenter().fuse(), Segmenter()
    fused = {name: each for name, each in trained.state_dict().items() if "down4.2" not in name}
    continue_from(network, fused, images)
    with torch.no_grad():
        trained.down4[2] = torch.nn.Identity()
        expected = trained.logits(images)
        assert (network.logits(images) - expected).std() < 0.2 * expected.std()


def test_rooms_are_full_pictures_with_things_in_them() -> None:
    rng = np.random.default_rng(0)
    rooms = [room(rng) for _ in range(8)]
    assert all(each.shape == (256, 256, 3) and each.dtype == np.uint8 for each in rooms)
    assert min(each.std() for each in rooms) > 2
    plain = np.full((256, 256, 3), 90, np.uint8)
    painted = [(with_furniture(rng, plain) != 90).any(-1).mean() for _ in range(8)]
    assert np.median(painted) > 0.05
    assert (plain == 90).all()


def test_pictures_are_seen_in_much_and_in_little_light() -> None:
    rng = np.random.default_rng(0)
    grey = np.full((64, 64, 3), 150, np.uint8)
    levels = [relit(rng, grey).mean() for _ in range(60)]
    assert min(levels) < 50
    assert max(levels) > 150
