"""The measures of the evaluation find what they are named after, and nothing where it is not."""

import pytest
import torch
from torch import Tensor

from turbolens.filter.training.evaluation.motion import (
    CAMERA_NOISE,
    FRAMES,
    STEP,
    pan,
    static_gain,
    texture_shares,
    warp_error,
    with_camera_noise,
)
from turbolens.filter.training.evaluation.spectrum import grid_ratio, structure, texture_change
from turbolens.filter.training.references.operators import blur

SIDE = 128


def noise(seed: int, *shape: int) -> Tensor:
    """White noise of deviation 1."""
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def picture(seed: int = 0, height: int = SIDE, width: int = SIDE) -> Tensor:
    """A picture with forms and texture (3, height, width) in 0…1."""
    forms = blur(noise(seed, 1, 3, height, width), 6.0) * 3
    texture = blur(noise(seed + 1, 1, 3, height, width), 0.7) * 0.08
    return (0.5 + forms[0] + texture[0]).clamp(0, 1)


def wide(seed: int = 0) -> Tensor:
    return picture(seed, SIDE, SIDE + STEP * (FRAMES - 1))


def test_a_grid_of_patches_is_found() -> None:
    plain = picture()
    lines = torch.zeros(SIDE)
    lines[::8] = 0.05
    gridded = (plain + lines + lines[:, None]).clamp(0, 1)
    assert grid_ratio(gridded) > 1.5
    assert grid_ratio(plain) == pytest.approx(1, abs=0.25)


def test_texture_that_is_added_counts_and_blur_is_negative() -> None:
    plain = picture()
    assert texture_change(plain, plain) == pytest.approx(0)
    assert texture_change(plain + 0.1 * noise(5, 3, SIDE, SIDE), plain) > 0.3
    assert texture_change(blur(plain[None], 3.0)[0], plain) < -0.5


def test_structure_is_one_for_the_same_picture_and_low_for_another() -> None:
    plain = picture()
    assert structure(1 - plain, plain) == pytest.approx(1, abs=1e-3)
    assert structure(picture(40), plain) < 0.4


def test_texture_of_a_pan_moves_with_it() -> None:
    shares = texture_shares(pan(wide(), SIDE))
    assert shares.moves > 0.95
    assert shares.stays < 0.03
    assert shares.new < 0.03


def test_a_static_overlay_is_texture_that_stays() -> None:
    overlay = blur(0.3 * noise(9, 1, 3, SIDE, SIDE), 0.7)
    shares = texture_shares(pan(wide(), SIDE) + overlay)
    assert shares.stays > 0.6
    assert shares.new < 0.05


def test_noise_of_every_frame_is_texture_that_is_new() -> None:
    shares = texture_shares(pan(wide(), SIDE) + 0.2 * noise(9, FRAMES, 3, SIDE, SIDE))
    assert shares.new > 0.6
    assert shares.stays < 0.05


def test_the_warp_error_is_zero_for_a_clean_pan_and_counts_flicker() -> None:
    frames = pan(wide(), SIDE)
    assert warp_error(frames) == 0
    flicker = frames + torch.tensor([0.0, 0.04]).repeat(FRAMES // 2).view(-1, 1, 1, 1)
    assert warp_error(flicker) == pytest.approx(0.04 * 255, rel=0.01)


def test_static_gain_is_the_share_of_the_noise_that_is_left() -> None:
    still = picture().expand(FRAMES, -1, -1, -1) * 0.8 + 0.1
    noisy = with_camera_noise(still)
    assert float((noisy - still).std()) == pytest.approx(CAMERA_NOISE, rel=0.02)
    assert static_gain(still + 0.25 * (noisy - still), noisy) == pytest.approx(0.25, rel=0.01)


def test_a_pan_over_a_narrow_photograph_is_refused() -> None:
    with pytest.raises(ValueError, match="width of 170"):
        pan(picture(), SIDE)
