"""Masks: what is taken for one, which are sure, and the soft edges made of them."""

from typing import Any

import av
import numpy as np
import pytest
from numpy.typing import NDArray

from turbolens.filter import FilterSettings, FrameError
from turbolens.filter.region.coverage import coverage_of
from turbolens.filter.region.masks import is_sure, mask_from, without_islands

SIZE = (64, 64)


def square(side: int = 64) -> NDArray[np.float32]:
    mask = np.zeros((side, side), np.float32)
    mask[side // 4 : side * 3 // 4, side // 4 : side * 3 // 4] = 1
    return mask


@pytest.mark.parametrize("kind", ["bool", "uint8", "float64", "frame", "limited"])
def test_a_mask_may_be_an_array_or_a_grey_frame(kind: str) -> None:
    mask: NDArray[np.float32] = square()
    given: Any
    if kind in ("frame", "limited"):
        levels = (mask * 255).astype(np.uint8)
        given = av.VideoFrame.from_ndarray(levels, format="gray")
        given = given.reformat(format="yuv420p") if kind == "limited" else given
    elif kind == "uint8":
        given = (mask * 255).astype(np.uint8)
    else:
        given = mask.astype(kind)
    assert np.abs(mask_from(given) - mask).max() < 0.01


@pytest.mark.parametrize(
    "given", [np.zeros((4, 4, 3)), np.zeros(4), np.full((4, 4), 2.0), np.full((4, 4), np.nan)]
)
def test_anything_else_is_refused(given: NDArray[np.float64]) -> None:
    with pytest.raises(FrameError, match="mask"):
        mask_from(given)


def test_an_empty_and_a_clear_mask_are_sure_but_not_a_doubtful_one() -> None:
    assert is_sure(np.zeros((64, 64), np.float32))
    assert is_sure(square())
    assert not is_sure(square() * 0.6)
    assert not is_sure(square() * np.float32(np.nan))


def test_what_is_small_or_doubtful_beside_a_person_is_left_out() -> None:
    person = square()
    speckled, second = person.copy(), person.copy()
    speckled[2:6, 2:6] = 1  # 16 of 1,024 pixels
    speckled[52:62, 2:62] = 0.4
    second[2:12, 2:12] = 1
    assert np.array_equal(without_islands(speckled), person)
    assert not is_sure(speckled)
    assert is_sure(without_islands(speckled))
    assert np.array_equal(without_islands(second), second)


def test_a_doubtful_edge_belongs_to_the_person() -> None:
    mask = square()
    mask[48:52, 16:48] = 0.4
    assert np.array_equal(without_islands(mask), mask)


@pytest.mark.parametrize("value", [0.0, 0.4, np.nan])
def test_a_mask_without_any_person_stays_as_doubtful_as_it_is(value: float) -> None:
    mask = np.full(SIZE, value, np.float32)
    assert np.array_equal(without_islands(mask), mask, equal_nan=True)
    assert is_sure(without_islands(mask)) == (value == 0)


def test_the_edge_of_a_person_is_soft_on_both_sides() -> None:
    mask = square()
    coverage = coverage_of(mask, mask, FilterSettings(region="person", feather=0.1), SIZE)
    assert (coverage[32, 32], coverage[2, 2]) == (255, 0)
    assert 0 < coverage[32, 14] < 128 < coverage[32, 17] < 255


def test_the_background_is_covered_whole_and_its_edge_is_soft_on_the_person() -> None:
    settings = FilterSettings(region="background", feather=0.1)
    mask = square()
    inside = mask == 0
    coverage = coverage_of(mask, mask, settings, SIZE)
    assert coverage[inside].min() == 255
    assert 0 < (~inside & (coverage > 0)).sum() < (~inside).sum()
    assert coverage[~inside].min() == 0


def test_without_feather_the_edge_is_hard() -> None:
    coverage = coverage_of(square(), square(), FilterSettings(region="person", feather=0), SIZE)
    assert set(np.unique(coverage)) == {0, 255}


def test_the_background_is_covered_where_either_mask_says_so() -> None:
    now = square()
    late = np.roll(now, 10, axis=1)
    coverage = coverage_of(late, now, FilterSettings(region="background", feather=0), SIZE)
    assert coverage[now == 0].min() == 255
    assert coverage[late == 0].min() == 255
