"""Pictures of little contrast are stretched before they are painted, and slowly."""

import numpy as np
import pytest

from turbolens.filter.surface.canvas import Canvas
from turbolens.filter.surface.planes import Plane

SIDE = 96


def _picture(dark: float, light: float) -> Plane:
    ramp = np.linspace(dark, light, SIDE, dtype=np.float32)
    return np.repeat(np.tile(ramp[:, None, None], (1, SIDE, 1)), 3, axis=2)


def _span(picture: Plane, figures: dict[str, float] | None = None) -> float:
    levels = Canvas(picture, figures=figures).lively
    return float(np.ptp(levels)) / 255


@pytest.mark.parametrize(("dark", "light"), [(0.3, 0.6), (0.6, 0.95), (0.05, 0.4)])
def test_a_picture_of_little_contrast_gets_more(dark: float, light: float) -> None:
    assert _span(_picture(dark, light)) > 1.2 * (light - dark)


@pytest.mark.parametrize(("dark", "light"), [(0.0, 1.0), (0.5, 0.54)])
def test_full_contrast_and_a_covered_camera_stay(dark: float, light: float) -> None:
    assert _span(_picture(dark, light)) == pytest.approx(light - dark, abs=0.02)


def test_contrast_follows_slowly() -> None:
    figures: dict[str, float] = {}
    first = _span(_picture(0.2, 0.5), figures)
    stretched = Canvas(_picture(0.0, 1.0), figures=figures).lively
    assert np.mean(stretched == 255) > 0.1, "the gain is still that of the pictures before"
    for _ in range(80):
        last = _span(_picture(0.0, 1.0), figures)
    assert first > 1.2 * 0.3
    assert last == pytest.approx(1.0, abs=0.02)
    assert np.mean(Canvas(_picture(0.0, 1.0), figures=figures).lively == 255) < 0.05
