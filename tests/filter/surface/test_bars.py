"""Black bars around a picture have no outline, and do not weaken the lines between them."""

import numpy as np
import pytest

from turbolens.filter.surface.ground import Ground
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
