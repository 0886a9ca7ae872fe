"""The memory between frames, on latents alone."""

import pytest
import torch

from turbolens.filter import FilterSettings
from turbolens.filter.coherence import Coherence, scene_change, stillness

SHAPE = (1, 4, 16, 16)


def _scene(seed: int) -> torch.Tensor:
    """Latents with large forms and fine texture, about unit variance."""
    generator = torch.Generator().manual_seed(seed)
    forms = torch.nn.functional.interpolate(
        torch.randn(1, 4, 4, 4, generator=generator), (16, 16), mode="bilinear"
    )
    return 1.3 * forms + 0.3 * torch.randn(SHAPE, generator=generator)


def _run(
    coherence: Coherence, frames: list[torch.Tensor], settings: FilterSettings
) -> torch.Tensor:
    """Every frame through both halves, with a doubling for a network."""
    results = []
    for latents in frames:
        blended, kept = coherence.before(latents, settings)
        results.append(coherence.after(2 * blended, kept, settings))
    return torch.cat(results)


def test_without_weights_nothing_is_touched() -> None:
    settings = FilterSettings(blend_before=0, blend_after=0)
    frames = [_scene(1), _scene(1) + 0.05]
    results = _run(Coherence(), frames, settings)
    assert torch.equal(results, 2 * torch.cat(frames))


def test_sensor_noise_on_a_still_picture_is_averaged() -> None:
    generator = torch.Generator().manual_seed(0)
    frames = [_scene(1) + 0.1 * torch.randn(SHAPE, generator=generator) for _ in range(30)]
    steady = _run(Coherence(), frames, FilterSettings())
    raw = 2 * torch.cat(frames)
    assert steady[10:].std(dim=0).mean() < 0.75 * raw[10:].std(dim=0).mean()


def test_what_moves_leaves_no_trail() -> None:
    before, after = _scene(1), _scene(1)
    after[..., 4:8, 4:8] += 3.0
    result = _run(Coherence(), [before, after], FilterSettings())[1:]
    moved = (result - 2 * after)[..., 4:8, 4:8].abs().max()
    assert moved < 1e-3


def test_a_place_that_changed_a_little_keeps_some_of_the_past() -> None:
    past = _scene(1)
    kept = [float(stillness(past + d, past, 0.5).mean()) for d in (0.0, 0.1, 0.3, 1.0)]
    assert kept[0] == 1.0
    assert kept == sorted(kept, reverse=True)
    assert kept[-1] < 1e-3


@pytest.mark.parametrize(("sensitivity", "share"), [(0.0, 1.0), (1.0, 0.0)])
def test_motion_sensitivity_goes_from_none_to_any(sensitivity: float, share: float) -> None:
    kept = stillness(_scene(1) + 0.2, _scene(1), sensitivity)
    assert kept.eq(share).all()


def test_the_first_frame_after_a_cut_is_that_of_a_fresh_stream() -> None:
    settings = FilterSettings(motion_sensitivity=0)
    cut = _run(Coherence(), [_scene(1), _scene(2), _scene(2) + 0.01], settings)
    fresh = _run(Coherence(), [_scene(2), _scene(2) + 0.01], settings)
    assert torch.equal(cut[1:], fresh)


def test_without_sensitivity_nothing_is_a_cut() -> None:
    settings = FilterSettings(motion_sensitivity=0, scene_cut_sensitivity=0)
    cut = _run(Coherence(), [_scene(1), _scene(2)], settings)[1:]
    assert not torch.allclose(cut, 2 * _scene(2), atol=0.1)


@pytest.mark.parametrize("seed", range(5))
def test_another_scene_is_a_cut_and_light_motion_and_noise_are_not(seed: int) -> None:
    scene = _scene(seed)
    noise = torch.randn(SHAPE, generator=torch.Generator().manual_seed(99))
    assert scene_change(_scene(seed + 50), scene) > 0.5
    assert scene_change(scene + 1.5, scene) < 1e-4
    assert scene_change(0.6 * scene, scene) < 0.3
    assert scene_change(scene.roll(1, dims=3), scene) < 0.3
    assert scene_change(scene + 0.3 * noise, scene) < 0.2


def test_noise_on_flat_pictures_is_no_cut() -> None:
    noise = 0.1 * torch.randn(2, 4, 16, 16, generator=torch.Generator().manual_seed(1))
    assert scene_change(noise[:1], noise[1:]) < 0.3


def test_all_befores_may_come_before_the_afters() -> None:
    settings, frames = FilterSettings(), [_scene(1) + 0.02 * step for step in range(4)]
    one_by_one = _run(Coherence(), frames, settings)
    coherence = Coherence()
    blended = [coherence.before(latents, settings) for latents in frames]
    batched = [coherence.after(2 * each, kept, settings) for each, kept in blended]
    assert torch.equal(torch.cat(batched), one_by_one)


def test_another_size_starts_anew() -> None:
    coherence, settings = Coherence(), FilterSettings()
    _run(coherence, [_scene(1)], settings)
    smaller = _scene(1)[..., :8]
    assert torch.equal(_run(coherence, [smaller], settings), 2 * smaller)


def test_reset_forgets() -> None:
    coherence, settings = Coherence(), FilterSettings(scene_cut_sensitivity=0, motion_sensitivity=0)
    _run(coherence, [_scene(1)], settings)
    coherence.reset()
    assert torch.equal(_run(coherence, [_scene(2)], settings), 2 * _scene(2))


def test_a_broken_frame_does_not_break_those_after_it() -> None:
    frames = [_scene(1), torch.full(SHAPE, torch.nan), _scene(1), _scene(1)]
    assert _run(Coherence(), frames, FilterSettings())[2:].isfinite().all()
