"""Edges as OpenCV finds them, to the pixel."""

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from turbolens.filter import SettingsError
from turbolens.filter.adapters.canny import Canny


def _drawn(seed: int, sigma: float, *, grey: bool = False) -> NDArray[np.uint8]:
    """Shapes over noise, blurred."""
    generator = np.random.default_rng(seed)
    picture = generator.integers(0, 256, (47, 61, 3)).astype(np.uint8)
    cv2.circle(picture, (20, 22), 14, (250, 40, 10), -1)
    cv2.line(picture, (0, 40), (60, 3), (0, 0, 255), 3)
    blurred = cv2.GaussianBlur(picture, (0, 0), sigma)
    return np.asarray(blurred[..., 0] if grey else blurred, dtype=np.uint8)


@pytest.mark.parametrize("thresholds", [(100, 200), (20.5, 60.5), (0, 0), (150, 150)])
@pytest.mark.parametrize("sigma", [0.1, 1.0, 3.0])
def test_edges_equal_opencv(thresholds: tuple[float, float], sigma: float) -> None:
    for seed in range(4):
        picture = _drawn(seed, sigma)
        assert np.array_equal(Canny(*thresholds)(picture), cv2.Canny(picture, *thresholds))


def test_grey_images_have_edges() -> None:
    grey = np.ascontiguousarray(_drawn(0, 1.0, grey=True))
    edges = Canny()(grey)
    assert edges.any()
    assert np.array_equal(edges, cv2.Canny(grey, 100, 200))


def test_a_constant_image_has_no_edges() -> None:
    assert not Canny(0, 0)(np.full((16, 16, 3), 90, np.uint8)).any()


@pytest.mark.parametrize("thresholds", [(200, 100), (-1, 50)])
def test_the_low_threshold_must_not_exceed_the_high_one(thresholds: tuple[float, float]) -> None:
    with pytest.raises(SettingsError, match="0 ≤ low ≤ high"):
        Canny(*thresholds)
