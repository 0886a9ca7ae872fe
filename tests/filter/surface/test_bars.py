"""Black bars around a picture have no outline, and do not weaken the lines between them."""

import numpy as np
import pytest
import torch

from turbolens.filter.diffusion.vocabulary import Vocabulary
from turbolens.filter.settings import WeightedPrompt
from turbolens.filter.surface.bars import inside_of
from turbolens.filter.surface.ground import Ground
from turbolens.filter.surface.layer import SurfaceLayer
from turbolens.filter.surface.media.contour import found
from turbolens.filter.surface.seen import Seen

WIDTH = 3.0


def _grounded(luma: np.ndarray) -> Ground:
    rgb = np.repeat(np.rint(255 * luma).astype(np.uint8)[..., None], 3, axis=2)
    return Ground(Seen(rgb, luma.astype(np.float32)))


def _disc(height: int = 128, width: int = 256) -> np.ndarray:
    rows, columns = np.mgrid[:height, :width]
    inside = np.hypot(rows - height / 2, columns - width / 2) < 40
    return np.where(inside, 0.45, 0.6)


def _with_bars(picture: np.ndarray, thickness: int, axis: int) -> np.ndarray:
    around = [(0, 0), (0, 0)]
    around[axis] = (thickness, thickness)
    return np.pad(picture, around, constant_values=0.02)


@pytest.mark.parametrize("axis", [0, 1])
def test_bars_do_not_count_as_contrast_and_get_no_outline(axis: int) -> None:
    plain = found(_grounded(_disc()), WIDTH)
    barred = found(_grounded(_with_bars(_disc(), 32, axis)), WIDTH)
    assert barred.strongest == pytest.approx(plain.strongest, rel=0.5)
    contrast = barred.contrast.swapaxes(0, axis)
    assert contrast[:40].max() < 0.05 * barred.contrast.max()
    assert contrast[-40:].max() < 0.05 * barred.contrast.max()


def test_a_dark_picture_has_no_bars() -> None:
    night = np.full((160, 160), 0.03)
    night[100:140, 40:120] = 0.5
    assert found(_grounded(night), WIDTH).contrast.max() > 0


def _pictured(luma: np.ndarray) -> np.ndarray:
    return np.repeat(luma[..., None].astype(np.float32), 3, axis=2)


@pytest.mark.parametrize("axis", [0, 1])
def test_the_inside_is_between_bars_of_one_width(axis: int) -> None:
    barred = _with_bars(_disc(), 32, axis).astype(np.float32)
    part = slice(32, 32 + _disc().shape[axis])
    assert inside_of(barred)[axis] == part
    assert inside_of(barred)[1 - axis] == slice(0, barred.shape[1 - axis])
    tones = _grounded(barred).tones()
    assert tones == pytest.approx(_grounded(_disc()).tones(), abs=0.01)


def test_one_bar_and_a_dark_picture_are_a_picture() -> None:
    beside = np.pad(_disc(), ((40, 0), (0, 0)), constant_values=0.02).astype(np.float32)
    assert inside_of(beside) == (slice(0, beside.shape[0]), slice(0, beside.shape[1]))
    rows = np.abs(np.linspace(-1, 1, 200))[:, None]
    vignette = np.repeat((0.5 - 0.5 * rows).astype(np.float32), 100, axis=1)
    assert inside_of(vignette)[0] == slice(0, 200)
    night = np.full((64, 64), 0.01, np.float32)
    assert inside_of(night) == (slice(0, 64), slice(0, 64))


@pytest.mark.parametrize("look", ["pencil sketch", "oil painting", "stained glass"])
def test_bars_stay_black(look: str) -> None:
    barred = _with_bars(_disc(), 32, 0)
    rgb = torch.from_numpy(np.rint(255 * _pictured(barred)).astype(np.uint8))
    seen = Seen(rgb.numpy(), barred.astype(np.float32))
    layer = SurfaceLayer(Vocabulary({look: (look,)}, surfaces={look: look}))
    laid = layer(rgb, [WeightedPrompt(look, 1.0)], 1.0, 1.0, lambda: seen).numpy()
    assert laid[:31].max() <= 6
    assert laid[-31:].max() <= 6
    assert np.abs(laid[40:-40].astype(int) - rgb.numpy()[40:-40]).mean() > 3
