"""Composition: exact where one of both is shown, in every format, and what is shown outside."""

from typing import Any

import av
import numpy as np
import pytest
from numpy.typing import NDArray

from turbolens.filter.region.composition import Composer

Array = NDArray[np.uint8]
FORMATS = (
    "yuv420p", "yuvj420p", "yuv444p", "nv12", "yuyv422", "rgb24", "gray", "yuv420p10le", "rgba",
)  # fmt: skip


def picture(seed: int) -> Array:
    generator = np.random.default_rng(seed)
    return np.kron(generator.integers(0, 256, (6, 8, 3)), np.ones((8, 8, 1))).astype(np.uint8)


def frame(array: Array, name: str) -> av.VideoFrame:
    return av.VideoFrame.from_ndarray(array, format="rgb24").reformat(format=name)


def rgb(given: av.VideoFrame) -> NDArray[np.int64]:
    return given.to_ndarray(format="rgb24").astype(np.int64)


def left_half() -> Array:
    coverage = np.zeros((48, 64), np.uint8)
    coverage[:, :32] = 255
    return coverage


@pytest.mark.parametrize("name", FORMATS)
def test_each_side_shows_its_own_frame(name: str) -> None:
    result, original = frame(picture(0), name), frame(picture(1), name)
    expected = np.where(left_half()[..., None] == 255, rgb(result), rgb(original))
    composed = Composer().compose(result, original, left_half(), "original")
    assert composed.format.name == name
    apart = np.abs(rgb(composed) - expected)
    apart[:, 28:36] = 0  # chroma across the border
    assert apart.max() <= (4 if name == "rgba" else 0)


@pytest.mark.parametrize("name", ["yuv420p", "yuv420p10le", "yuyv422", "rgb24"])
@pytest.mark.parametrize("outside", ["#20c060", "navy"])
def test_a_colour_fills_what_is_outside(name: str, outside: str) -> None:
    result, original = frame(picture(0), name), frame(picture(1), name)
    composed = rgb(Composer().compose(result, original, left_half(), outside))
    colour = (0x20, 0xC0, 0x60) if outside.startswith("#") else (0, 0, 0x80)
    assert np.abs(composed[:, 40:] - colour).max() <= 4


@pytest.mark.parametrize("name", ["yuv420p", "yuv420p10le", "rgba"])
def test_blur_keeps_the_mean_and_removes_detail(name: str) -> None:
    noise = np.random.default_rng(2).integers(0, 256, (48, 64, 3)).astype(np.uint8)
    original = frame(noise, name)
    composed = rgb(Composer().compose(frame(picture(0), name), original, left_half(), "blur"))
    before, after = rgb(original)[:, 36:], composed[:, 36:]
    assert after.std() < 0.4 * before.std()
    assert abs(after.mean() - before.mean()) < 12


def test_arrays_are_composed_too() -> None:
    first, second = picture(0), picture(1)
    composed = Composer().compose(first.copy(), second, left_half(), "original")
    assert np.array_equal(composed[:, :30], first[:, :30])
    assert np.array_equal(composed[:, 34:], second[:, 34:])


def test_a_half_covered_pixel_is_half_of_both() -> None:
    first, second = np.full((8, 8, 3), 200, np.uint8), np.full((8, 8, 3), 100, np.uint8)
    composed = Composer().compose(first, second, np.full((1, 1), 128, np.uint8), "original")
    assert np.abs(composed.astype(int) - 150).max() <= 1


@pytest.mark.parametrize("outside", ["blur", "black"])
def test_a_frame_without_result_keeps_its_format(outside: str) -> None:
    original: Any = frame(picture(1), "yuv420p")
    original.pts = 7
    shown = Composer().outside_only(original, outside)
    assert (shown.format.name, shown.width, shown.height, shown.pts) == ("yuv420p", 64, 48, 7)
    assert not np.array_equal(rgb(shown), rgb(original))
