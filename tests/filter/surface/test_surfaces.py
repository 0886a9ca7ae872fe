"""Surfaces of looks: what they do to one picture."""

import numpy as np
import pytest

from turbolens.filter.surface.canvas import Canvas
from turbolens.filter.surface.looks import SURFACES
from turbolens.filter.surface.planes import Plane, blur, luma_of, noise

FLAT = {"ukiyo-e", "hokusai"}


def drawn(height: int = 160, width: int = 208) -> Plane:
    """A disc and a bar in front of a gradient."""
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    picture = np.dstack([0.2 + 0.6 * x / width, 0.3 + 0.3 * y / height, 0.5 + 0 * x])
    picture[np.hypot(y - 80, x - 90) < 45] = (0.8, 0.6, 0.5)
    picture[110:125, 20:180] = (0.1, 0.1, 0.2)
    return np.ascontiguousarray(picture, np.float32)


def fine_energy(picture: Plane) -> float:
    """The energy of structures of some pixels."""
    luma = luma_of(picture)
    return float(np.square(luma - blur(luma, 3.0)).mean())


@pytest.mark.parametrize("name", SURFACES)
def test_a_surface_has_the_pictures_size_and_levels(name: str) -> None:
    picture = drawn()
    result = SURFACES[name](Canvas(picture))
    assert result.shape == picture.shape
    assert result.dtype == np.float32
    assert np.isfinite(result).all()
    assert np.abs(np.clip(result, 0, 1) - result).mean() < 0.05


@pytest.mark.parametrize("name", SURFACES)
def test_a_surface_is_the_same_each_time_and_leaves_its_picture(name: str) -> None:
    picture = drawn()
    first, again = SURFACES[name](Canvas(picture)), SURFACES[name](Canvas(picture))
    np.testing.assert_array_equal(first, again)
    np.testing.assert_array_equal(picture, drawn())


@pytest.mark.parametrize("name", sorted(SURFACES.keys() - FLAT))
def test_a_surface_has_fine_structure(name: str) -> None:
    shaded = blur(drawn(), 6.0)
    assert fine_energy(SURFACES[name](Canvas(shaded))) > 1.2 * fine_energy(shaded)


@pytest.mark.parametrize("name", SURFACES)
def test_a_surface_works_on_small_and_uniform_pictures(name: str) -> None:
    for shape in ((33, 47), (64, 64)):
        grey = np.full((*shape, 3), 0.5, np.float32)
        assert np.isfinite(SURFACES[name](Canvas(grey))).all()


def test_noise_tiles_and_is_normalised() -> None:
    plane = noise((96, 128), 2.0, "test")
    assert abs(float(plane.mean())) < 1e-5
    assert float(plane.std()) == pytest.approx(1.0, abs=1e-3)
    across_the_edge = np.abs(plane[:, 0] - plane[:, -1]).mean()
    inside = np.abs(plane[:, 64] - plane[:, 63]).mean()
    assert across_the_edge < 1.5 * inside


def test_strokes_follow_the_forms() -> None:
    """On stripes the bristles run along them: neighbours along a stripe are alike."""
    x = np.arange(192, dtype=np.float32)
    stripes = np.broadcast_to(0.5 + 0.2 * np.sin(x / 6)[None, :, None], (192, 192, 3))
    picture = np.ascontiguousarray(stripes, np.float32)
    strokes = luma_of(SURFACES["oil painting"](Canvas(picture)) - picture)[16:-16, 16:-16]
    along, across = np.abs(np.diff(strokes, axis=0)).mean(), np.abs(np.diff(strokes, axis=1)).mean()
    assert along < 0.6 * across
