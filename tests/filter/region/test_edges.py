"""The edges of a mask are moved to those of the picture."""

import numpy as np
import pytest
from numpy.typing import NDArray

from turbolens.filter.region.edges import refined

SIDE = 96
Array = NDArray[np.uint8]
Floats = NDArray[np.float32]


def disc(radius: float) -> Floats:
    rows, columns = np.mgrid[:SIDE, :SIDE] - SIDE / 2
    return np.asarray(np.hypot(rows, columns) < radius, np.float32)


def picture(person: Floats) -> Array:
    """A reddish person before a bluish room of the same brightness, both with noise."""
    rng = np.random.default_rng(0)
    colours = np.where(person[..., None] > 0.5, (170, 110, 90), (90, 120, 160))
    return np.asarray((colours + rng.normal(0, 5, colours.shape)).clip(0, 255), np.uint8)


def wrong(mask: Floats, person: Floats) -> int:
    """Pixels that are on the wrong side."""
    return int(((mask > 0.5) != (person > 0.5)).sum())


@pytest.mark.parametrize("radius", [27.0, 33.0])
def test_an_edge_that_runs_beside_that_of_the_picture_is_moved_there(radius: float) -> None:
    person = disc(30)
    assert wrong(refined(disc(radius), picture(person)), person) < 0.2 * wrong(disc(radius), person)


def test_an_edge_that_is_right_stays() -> None:
    person = disc(30)
    assert wrong(refined(person, picture(person)), person) < 0.005 * person.sum()


@pytest.mark.parametrize("value", [0.0, 1.0])
def test_a_mask_without_an_edge_stays(value: float) -> None:
    mask = np.full((SIDE, SIDE), value, np.float32)
    assert np.abs(refined(mask, picture(disc(30))) - mask).max() < 1e-3


def test_a_picture_without_an_edge_nearly_keeps_that_of_the_mask() -> None:
    flat = np.full((SIDE, SIDE, 3), 120, np.uint8)
    mask = disc(30)
    assert wrong(refined(mask, flat), mask) < 0.15 * mask.sum()
    assert refined(mask, flat).min() >= 0
    assert refined(mask, flat).max() <= 1
