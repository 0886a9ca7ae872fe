"""The measures of coherence, on sequences with known results."""

import math

import numpy as np
import pytest
from numpy.typing import NDArray

from turbolens.pipelines.bench.coherence_measures import (
    Ages,
    laplacian_energy,
    luminance_flicker,
    response_frames,
    static_gain,
    sum_difference,
    warp,
    warp_error,
)
from turbolens.pipelines.bench.coherence_strips import strip

Rgb = NDArray[np.uint8]
HEIGHT, WIDTH = 40, 56


def _frame(seed: int = 0) -> Rgb:
    generator = np.random.default_rng(seed)
    return generator.integers(60, 180, (HEIGHT, WIDTH, 3), dtype=np.uint8)


def _noisy(deviation: float, count: int = 40) -> list[Rgb]:
    generator = np.random.default_rng(1)
    still = _frame().astype(np.float32)
    return [np.clip(still + deviation * generator.standard_normal(still.shape) + 0.5, 0, 255)
            .astype(np.uint8) for _ in range(count)]  # fmt: skip


def _flow(x: float, y: float) -> NDArray[np.float32]:
    return np.broadcast_to(np.asarray([x, y], np.float32), (HEIGHT, WIDTH, 2)).copy()


EVERYWHERE = np.ones((HEIGHT, WIDTH), bool)


def test_gain_is_the_ratio_of_deviations() -> None:
    assert static_gain(_noisy(2.0), _noisy(4.0)) == pytest.approx(0.5, rel=0.03)
    assert static_gain([_frame()] * 5, _noisy(4.0)) == 0.0


def test_a_frame_that_moves_with_the_flow_has_no_warp_error() -> None:
    past = _frame()
    now = np.roll(past, (2, -3), axis=(0, 1))  # the point at p was at p + (3, -2)
    inside = np.zeros_like(EVERYWHERE)
    inside[4:-4, 4:-4] = True
    assert warp_error(now, past, _flow(3, -2), inside) < 0.01
    assert warp_error(now, past, _flow(0, 0), inside) > 10


def test_a_brighter_frame_has_its_step_as_warp_error() -> None:
    assert warp_error(_frame() + 7, _frame(), _flow(0, 0), EVERYWHERE) == pytest.approx(7)


def test_pixels_that_are_not_visible_do_not_count() -> None:
    now = _frame()
    now[:10] = 255
    seen = EVERYWHERE.copy()
    seen[:10] = False
    assert warp_error(now, _frame(), _flow(0, 0), seen) < 1e-3
    assert math.isnan(warp_error(now, _frame(), _flow(0, 0), ~EVERYWHERE))


def test_warping_by_half_a_pixel_keeps_a_flat_frame() -> None:
    flat = np.full((HEIGHT, WIDTH, 3), 90, np.uint8)
    assert np.allclose(warp(flat, _flow(0.5, 0.5)), 90, atol=1e-3)


def test_ages_count_from_uncovering_and_move_with_the_frame() -> None:
    ages = Ages(HEIGHT, WIDTH)
    uncovered = EVERYWHERE.copy()
    uncovered[10:20, 10:20] = False
    ages.follow(_flow(0, 0), uncovered)
    ages.follow(_flow(-5, 0), EVERYWHERE)  # everything moves 5 to the right
    ages.follow(_flow(0, 0), EVERYWHERE)
    assert (ages.now[10:20, 15:25] == 2).all()
    assert (ages.now == 2).sum() == 100
    assert ages.now.max() == Ages.OLD


def test_the_summed_difference_is_a_share_of_the_range() -> None:
    white = np.full((HEIGHT, WIDTH, 3), 255, np.uint8)
    half = EVERYWHERE.copy()
    half[: HEIGHT // 2] = False
    total, count = sum_difference(white, np.zeros_like(white), half)
    assert total / count == pytest.approx(1.0)
    assert count == HEIGHT * WIDTH // 2


def test_the_laplacian_of_a_ramp_is_zero_and_that_of_a_dot_is_known() -> None:
    ramp = np.broadcast_to(np.arange(WIDTH, dtype=np.uint8)[None, :, None], (HEIGHT, WIDTH, 3))
    assert laplacian_energy(ramp) == pytest.approx(0, abs=1e-6)
    dot = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
    dot[20, 20] = 10
    assert laplacian_energy(dot) == pytest.approx((1600 + 4 * 100) / ((HEIGHT - 2) * (WIDTH - 2)))


def test_a_fade_is_no_flicker_but_alternating_brightness_is() -> None:
    assert luminance_flicker([float(value) for value in range(30)]) == pytest.approx(0)
    alternating = [100.0 + (-1) ** index for index in range(31)]
    assert luminance_flicker(alternating) == pytest.approx(1, abs=0.25)


def test_response_counts_frames_until_nine_tenths() -> None:
    before, target = _frame() * 0, np.full((HEIGHT, WIDTH, 3), 200, np.uint8)
    steps = [np.full_like(target, level) for level in (100, 150, 185, 200)]
    assert response_frames(steps, [target] * 4, before) == 3
    assert response_frames([target], [target], before) == 1
    assert response_frames([before] * 3, [target] * 3, before) == 4


def test_a_strip_shows_crops_above_a_row_over_time() -> None:
    frames = [np.full((200, 200, 3), 10 * index, np.uint8) for index in range(8)]
    made = strip(frames)
    assert made.shape[1] == 5 * 160 + 4 * 6
    assert made.shape[0] == 160 + 6 + 8 * 3
    assert made[0, 0, 0] == 30
    assert made[-1, 0, 0] == 70
