"""Renderings in a material: size, range, repeatability, and what each material is made of."""

import numpy as np
import pytest
import torch
from torch import Tensor

from turbolens.filter.training.materials import MATERIALS
from turbolens.filter.training.materials.canvas import curve, generator
from turbolens.filter.training.materials.flow import stripes, tensor_angles
from turbolens.filter.training.materials.hatching import hatch
from turbolens.filter.training.materials.screen import dots


def picture(seed: int = 0, height: int = 72, width: int = 88) -> Tensor:
    """A smooth random colour picture (1, 3, height, width) in 0…1."""
    coarse = torch.rand(1, 3, 6, 6, generator=torch.Generator().manual_seed(seed))
    smooth = torch.nn.functional.interpolate(coarse, (height, width), mode="bicubic")
    return smooth.clamp(0, 1)


@pytest.mark.parametrize("name", MATERIALS)
def test_a_material_keeps_size_and_range_and_is_bold(name: str) -> None:
    image = picture()
    drawn = MATERIALS[name](image)
    assert drawn.shape == image.shape
    assert drawn.dtype == torch.float32
    assert 0 <= float(drawn.min()) <= float(drawn.max()) <= 1
    assert (drawn - image).abs().mean() > 0.04


@pytest.mark.parametrize("name", MATERIALS)
def test_a_material_is_the_same_for_the_same_picture_in_any_batch(name: str) -> None:
    both = torch.cat([picture(1), picture(2)])
    torch.testing.assert_close(MATERIALS[name](both)[1:], MATERIALS[name](picture(2)))


@pytest.mark.parametrize("name", ["oil painting", "pencil sketch", "mosaic"])
def test_strokes_stay_where_the_picture_stays(name: str) -> None:
    """A change on the right leaves the far left as it was."""
    image, changed = picture(3, 64, 192), picture(3, 64, 192)
    changed[..., 176:] = changed[..., 176:].flip(1)
    first, second = (MATERIALS[name](each)[..., :80] for each in (image, changed))
    assert (first - second).abs().mean() < 0.02


def test_halftone_dots_cover_the_share_that_is_dark() -> None:
    for share in (0.1, 0.3, 0.5):
        covered = dots(np.full((240, 240), share, np.float32), 8.0, 30)
        assert abs(float(covered.mean()) - share) < 0.3 * share + 0.01


def test_hatching_is_denser_where_it_is_darker_and_follows_the_angle() -> None:
    darkness = np.tile(np.linspace(0, 1, 128, dtype=np.float32), (128, 1))
    level = np.zeros((128, 128), np.float32)
    drawn = hatch(darkness, level, spacing=3, length=16, random=generator((128, 128), "test"))
    assert drawn[:, 96:].mean() > 1.4 * drawn[:, 32:64].mean()
    across, down = (np.abs(np.diff(drawn, axis=axis)).mean() for axis in (1, 0))
    assert down > 1.5 * across


def test_stripes_run_along_the_angle_at_their_spacing() -> None:
    pattern = stripes(np.zeros((128, 128), np.float32), 6.0, "test")
    power = np.abs(np.fft.rfft(pattern - pattern.mean(), axis=0)) ** 2
    strongest = 128 / (1 + int(power.mean(1)[1:].argmax()))
    assert 4.5 < strongest < 9
    assert np.abs(np.diff(pattern, axis=1)).mean() < 0.3 * np.abs(np.diff(pattern, axis=0)).mean()


def test_the_angle_of_an_edge_runs_along_it() -> None:
    rows = np.arange(64, dtype=np.float32)[:, None] + np.zeros((64, 64), np.float32)
    angle, sure = tensor_angles(curve(rows, 28, 36), 3.0)
    assert abs(np.sin(angle[32, 32])) < 0.05
    assert sure[32, 32] > 0.8
