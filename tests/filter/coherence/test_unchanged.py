"""Unchanged frames under unknown noise."""

import pytest
import torch

from turbolens.filter.coherence.unchanged import UnchangedDetector


def _luma(seed: int = 1) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    forms = torch.randn(1, 1, 12, 16, generator=generator)
    return 128 + 40 * torch.nn.functional.interpolate(forms, (96, 128), mode="bicubic")


def _frames(count: int, noise: float, luma: torch.Tensor | None = None) -> list[torch.Tensor]:
    still, generator = _luma() if luma is None else luma, torch.Generator().manual_seed(9)
    return [still + noise * torch.randn(still.shape, generator=generator) for _ in range(count)]


@pytest.mark.parametrize("noise", [0.0, 0.5, 1.5, 4.0])
def test_a_still_image_is_unchanged_with_any_noise(noise: float) -> None:
    detector = UnchangedDetector()
    repeated = [detector(luma) for luma in _frames(20, noise)]
    assert repeated[0] is False
    assert all(repeated[1:])


@pytest.mark.parametrize("noise", [0.5, 2.0, 4.0])
def test_the_noise_is_measured(noise: float) -> None:
    detector = UnchangedDetector()
    for luma in _frames(10, noise):
        detector(luma)
    assert detector.noise == pytest.approx(noise, rel=0.15)


@pytest.mark.parametrize("noise", [0.0, 2.0])
def test_a_small_change_is_detected(noise: float) -> None:
    detector, frames = UnchangedDetector(), _frames(12, noise)
    frames[-1] = frames[-1].clone()
    frames[-1][..., 40:48, 56:64] += 12.0
    assert [detector(luma) for luma in frames][-2:] == [True, False]


def test_a_slow_fade_is_detected_eventually() -> None:
    detector = UnchangedDetector()
    repeated = [detector(_luma() + 0.1 * step) for step in range(30)]
    assert 5 <= repeated.count(False) <= 15


def test_a_slow_pan_is_never_taken_for_noise() -> None:
    wide = _luma()
    detector = UnchangedDetector()
    repeated = [detector(wide.roll(step, dims=-1)) for step in range(15)]
    assert not any(repeated)


def test_a_cut_is_new() -> None:
    detector = UnchangedDetector()
    assert not any([detector(_luma(1)), detector(_luma(2))])


def test_another_size_is_new() -> None:
    detector = UnchangedDetector()
    detector(_luma())
    assert not detector(_luma()[..., :64, :64])


def test_after_invalidate_the_next_frame_is_new() -> None:
    detector = UnchangedDetector()
    detector(_luma())
    detector.invalidate()
    assert [detector(_luma()), detector(_luma())] == [False, True]


def test_after_reset_the_noise_is_unknown() -> None:
    detector = UnchangedDetector()
    for luma in _frames(3, 2.0):
        detector(luma)
    detector.reset()
    assert detector.noise is None
    assert not detector(_luma())
