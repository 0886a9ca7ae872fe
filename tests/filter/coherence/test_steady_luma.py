"""Luma without the noise of the camera."""

import numpy as np
import pytest
from numpy.typing import NDArray

from turbolens.filter.coherence.steady_luma import SteadyLuma
from turbolens.filter.frames.detail import FrameLuma

Array = NDArray[np.uint8]


def noisy(level: int, generator: np.random.Generator, sigma: float = 3.0) -> Array:
    return np.rint(generator.normal(level, sigma, (48, 64))).clip(0, 255).astype(np.uint8)


def filtered(steady: SteadyLuma, levels: Array) -> Array:
    return steady(FrameLuma(levels, limited=True)).levels


def test_noise_is_reduced_over_time() -> None:
    generator, steady = np.random.default_rng(0), SteadyLuma()
    frames = [noisy(100, generator) for _ in range(20)]
    results = [filtered(steady, frame) for frame in frames]
    assert np.std(results[10:], 0).mean() < 0.4 * np.std(frames[10:], 0).mean()
    assert abs(np.mean(results[-1]) - 100) < 1


@pytest.mark.parametrize("level", [0, 60, 255])
def test_a_change_is_followed_at_once(level: int) -> None:
    steady = SteadyLuma()
    filtered(steady, np.full((48, 64), 130, np.uint8))
    changed = np.full((48, 64), level, np.uint8)
    assert np.array_equal(filtered(steady, changed), changed)
    assert np.array_equal(filtered(steady, changed), changed)


def test_a_slow_change_is_followed_within_its_size_in_frames() -> None:
    steady = SteadyLuma()
    filtered(steady, np.full((48, 64), 100, np.uint8))
    for _ in range(7):
        last = filtered(steady, np.full((48, 64), 107, np.uint8))
    assert np.abs(last.astype(int) - 107).max() <= 1


def test_the_past_is_forgotten_with_a_new_size_range_or_reset() -> None:
    steady = SteadyLuma()
    filtered(steady, np.full((48, 64), 100, np.uint8))
    larger = np.full((96, 64), 103, np.uint8)
    assert np.array_equal(filtered(steady, larger), larger)
    full = steady(FrameLuma(larger + np.uint8(3), limited=False)).levels
    assert np.array_equal(full, larger + 3)
    steady.reset()
    assert np.array_equal(filtered(steady, larger), larger)


def test_the_result_has_its_own_memory() -> None:
    levels = np.full((48, 64), 100, np.uint8)
    first = filtered(SteadyLuma(), levels)
    levels[:] = 0
    assert first.min() == 100
