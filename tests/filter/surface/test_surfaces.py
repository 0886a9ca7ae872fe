"""Surfaces of looks: what they do to one picture."""

import numpy as np
import pytest

from turbolens.filter.surface.canvas import Canvas
from turbolens.filter.surface.looks import SURFACES
from turbolens.filter.surface.media.glass import pieces
from turbolens.filter.surface.planes import Plane, blur, cv2, luma_of, noise
from turbolens.filter.surface.seeds import numbers_of
from turbolens.filter.surface.simplify import evened, firmed, to_levels

FLAT = {"ukiyo-e", "hokusai", "neon", "thermal"}
"""Surfaces without a texture of their own."""
GREATEST_CHANGE = 3.0  # levels, by noise of one level


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


@pytest.mark.parametrize("name", SURFACES)
def test_a_little_noise_changes_a_surface_little(name: str) -> None:
    random = np.random.default_rng(1)
    noisy = (drawn() + random.normal(0, 1 / 255, drawn().shape)).astype(np.float32)
    change = SURFACES[name](Canvas(noisy)) - SURFACES[name](Canvas(drawn()))
    assert np.abs(change).mean() * 255 < GREATEST_CHANGE


def disc(noise_levels: float = 0.0) -> Plane:
    """A dark disc on a lighter ground, its rim at a radius of 45 pixels, around (80, 104)."""
    y, x = np.mgrid[0:160, 0:208].astype(np.float32)
    luma = np.where(np.hypot(y - 80, x - 104) < 45, 0.35, 0.6)
    luma = luma + np.random.default_rng(2).normal(0, noise_levels / 255, luma.shape)
    return blur(np.ascontiguousarray(np.dstack([luma] * 3), np.float32), 0.8)


def test_a_contour_has_no_gaps() -> None:
    contours = Canvas(disc(noise_levels=14)).contours(1.5, 0.25, 0.5)
    angles = np.linspace(0, 2 * np.pi, 240, endpoint=False)
    radii = np.arange(40, 48)[:, None]
    rows = np.rint(80 + radii * np.sin(angles)).astype(int)
    columns = np.rint(104 + radii * np.cos(angles)).astype(int)
    along_the_rim = contours[rows, columns].max(axis=0)
    assert (along_the_rim > 0.5).mean() > 0.99
    inside = contours[60:100, 84:124]
    assert inside.mean() < 0.1


def test_pieces_of_glass_follow_the_edges() -> None:
    picture = np.full((128, 160, 3), 0.75, np.float32)
    x, y = np.meshgrid(np.arange(160), np.arange(128))
    dark = x + 0.4 * y > 105
    picture[dark] = (0.15, 0.2, 0.4)
    numbers = numbers_of(pieces(Canvas(picture).ground)).ravel()
    share = np.bincount(numbers, dark.ravel()) / np.maximum(np.bincount(numbers), 1)
    of_both = np.minimum(share, 1 - share)[numbers].mean()
    assert of_both < 0.02


def test_pieces_of_glass_stay_where_they_are_in_noise() -> None:
    random, soft = np.random.default_rng(5), blur(drawn(), 6.0)
    noisy = [soft + random.normal(0, 10 / 255, soft.shape).astype(np.float32) for _ in "ab"]
    first, second = (pieces(Canvas(each).ground) for each in noisy)
    assert (first != second).mean() < 0.01


def test_areas_become_even_and_edges_stay() -> None:
    noisy = to_levels(disc(noise_levels=10))
    even = evened(noisy, 3.0)
    assert even[70:90, 94:114].std() < 0.5 * noisy[70:90, 94:114].std()
    steps = [abs(int(each[80, 62, 0]) - int(each[80, 55, 0])) for each in (even, noisy)]
    assert steps[0] > 0.8 * steps[1]


def test_a_soft_edge_becomes_firm() -> None:
    soft = to_levels(blur(disc(), 3.0))
    firm = firmed(soft, rounds=3)
    steepest = [np.abs(np.diff(each[80, :, 0].astype(int))).max() for each in (soft, firm)]
    assert steepest[1] > 1.5 * steepest[0]


def test_neon_glows_along_the_contours_in_the_dark() -> None:
    glowing = luma_of(SURFACES["neon"](Canvas(disc())))
    y, x = np.mgrid[0:160, 0:208]
    from_the_rim = np.abs(np.hypot(y - 80, x - 104) - 44)
    assert glowing[from_the_rim < 3].mean() > 2 * glowing[from_the_rim > 30].mean()
    assert np.median(glowing) < 0.35


def test_thermal_shows_skin_warmer_than_cloth_of_the_same_brightness() -> None:
    y, x = np.mgrid[0:160, 0:208]
    skin, cloth = (np.hypot(y - 80, x - middle) < 30 for middle in (60, 150))
    picture = np.full((160, 208, 3), 0.8, np.float32)
    picture[skin], picture[cloth] = (0.62, 0.44, 0.36), (0.42, 0.49, 0.60)
    heat = cv2.resize(Canvas(picture).heat, (208, 160))
    assert heat[skin].mean() > heat[cloth].mean() + 0.2
