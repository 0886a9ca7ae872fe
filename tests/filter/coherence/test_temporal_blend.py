"""Temporal blending of latents and results."""

import pytest
import torch

from turbolens.filter import FilterSettings
from turbolens.filter.coherence.change import Change, InputView, MotionEstimator
from turbolens.filter.coherence.scene_cut import scene_change
from turbolens.filter.coherence.temporal_blend import Coherence, stillness
from turbolens.filter.coherence.warping import warped
from turbolens.filter.frames.luma import luma_of

SHAPE = (1, 4, 16, 16)
SIDE = 128
CPU = torch.device("cpu")


def _latents(seed: int) -> torch.Tensor:
    """With large forms and fine texture, about unit variance."""
    generator = torch.Generator().manual_seed(seed)
    forms = torch.nn.functional.interpolate(
        torch.randn(1, 4, 4, 4, generator=generator), (16, 16), mode="bilinear"
    )
    return 1.3 * forms + 0.3 * torch.randn(SHAPE, generator=generator)


def _image(seed: int) -> torch.Tensor:
    """(1, 3, SIDE, SIDE) in 0…255: forms of several sizes."""
    generator = torch.Generator().manual_seed(seed)
    image = torch.full((1, 3, SIDE, SIDE), 128.0)
    for cells, strength in ((4, 40.0), (16, 25.0), (32, 15.0)):
        forms = torch.randn(1, 3, cells, cells, generator=generator)
        image += strength * torch.nn.functional.interpolate(forms, (SIDE, SIDE), mode="bicubic")
    return image.clamp(0, 255)


def _view(image: torch.Tensor) -> InputView:
    return InputView(luma_of(image[0].permute(1, 2, 0).round().to(torch.uint8)), CPU)


def _encoded(image: torch.Tensor) -> torch.Tensor:
    """Latents as a patch autoencoder might make them: (1, 3, 16, 16), about unit variance."""
    return torch.nn.functional.avg_pool2d(image, 8) / 40 - 3


def _run(images: list[torch.Tensor], settings: FilterSettings) -> list[torch.Tensor]:
    """Each image through `before`, a network that inverts it, and `after`."""
    coherence, results = Coherence(), []
    for image in images:
        _, change = coherence.before(_view(image), _encoded(image), settings)
        results.append(coherence.after(1.0 - image / 127.5, change, settings))
    return results


def _noisy(image: torch.Tensor, deviation: float, count: int) -> list[torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    return [
        (image + deviation * torch.randn(image.shape, generator=generator)).clamp(0, 255)
        for _ in range(count)
    ]


def _moved(image: torch.Tensor, x: float, y: float) -> torch.Tensor:
    flow = torch.tensor([x, y]).view(1, 2, 1, 1).expand(1, 2, SIDE, SIDE)
    return warped(image, flow, "bicubic").clamp(0, 255)


def test_without_weights_nothing_changes() -> None:
    images = _noisy(_image(1), 4.0, 3)
    results = _run(images, FilterSettings(steadiness=0))
    for image, result in zip(images, results, strict=True):
        assert torch.equal(result, 1.0 - image / 127.5)


@pytest.mark.parametrize("noise", [2.0, 4.0])
def test_a_still_image_is_stable_under_sensor_noise(noise: float) -> None:
    images = _noisy(_image(1), noise, 30)
    results = torch.cat(_run(images, FilterSettings())[10:])
    raw = torch.cat(images[10:]) / 127.5
    assert results.std(dim=0).mean() < 0.4 * raw.std(dim=0).mean()


def test_more_steadiness_is_steadier() -> None:
    images = _noisy(_image(1), 3.0, 25)
    unrest = [
        float(torch.cat(_run(images, FilterSettings(steadiness=steadiness))[10:]).std(dim=0).mean())
        for steadiness in (0.0, 0.2, 0.5, 1.0)
    ]
    assert unrest == sorted(unrest, reverse=True)


def test_latents_are_stabilised_where_nothing_moves() -> None:
    coherence, seen = Coherence(), []
    for image in _noisy(_image(1), 4.0, 20):
        latents, _ = coherence.before(_view(image), _encoded(image), FilterSettings())
        seen.append(latents)
    alone = torch.cat([_encoded(image) for image in _noisy(_image(1), 4.0, 20)])
    assert torch.cat(seen)[8:].std(dim=0).mean() < 0.8 * alone[8:].std(dim=0).mean()


def test_a_pan_keeps_its_detail_and_loses_its_noise() -> None:
    wide = _image(2)
    pan = [_moved(wide, 1.5 * step, 0.7 * step) for step in range(12)]
    noisy = [image + _noisy(image, 4.0, 1)[0] - image for image in pan]
    generator = torch.Generator().manual_seed(3)
    noisy = [image + 4.0 * torch.randn(image.shape, generator=generator) for image in pan]
    held = _run([image.clamp(0, 255) for image in noisy], FilterSettings())[-1]
    truth, alone = 1.0 - pan[-1] / 127.5, 1.0 - noisy[-1] / 127.5
    inside = (..., slice(16, -24), slice(8, -32))
    error = (held - truth)[inside].square().mean().sqrt()
    assert error < 0.75 * (alone - truth)[inside].square().mean().sqrt()


def test_an_appearing_object_leaves_no_trail() -> None:
    before, after = _image(1), _image(1)
    after[..., 40:72, 40:72] = 255 - after[..., 40:72, 40:72]
    result = _run([before, after], FilterSettings())[-1]
    trail = (result - (1.0 - after / 127.5))[..., 44:68, 44:68].abs()
    assert trail.mean() < 0.05  # of a range of 2


def test_a_slow_fade_does_not_lag() -> None:
    fade = [_image(1) * (0.4 + 0.02 * step) for step in range(25)]
    result = _run(fade, FilterSettings())[-1]
    lag = (result - (1.0 - fade[-1] / 127.5)).abs().mean() * 127.5
    assert lag < 8  # levels; the fade is 2.5 a frame


def test_a_flash_is_shown_at_once() -> None:
    image = _image(1) * 0.5
    result = _run([image, image, image * 1.8], FilterSettings())[-1]
    assert (result - (1.0 - image * 1.8 / 127.5)).abs().mean() < 0.05


def test_a_slightly_changed_place_keeps_some_of_the_past() -> None:
    past = _latents(1)
    kept = [float(stillness(past + d, past, 0.5).mean()) for d in (0.0, 0.1, 0.3, 1.0)]
    assert kept[0] == 1.0
    assert kept == sorted(kept, reverse=True)
    assert kept[-1] < 1e-3


@pytest.mark.parametrize(("sensitivity", "share"), [(0.0, 1.0), (1.0, 0.0)])
def test_motion_sensitivity_ranges_from_none_to_any(sensitivity: float, share: float) -> None:
    assert stillness(_latents(1), _latents(2), sensitivity).mean() == pytest.approx(share)
    change = _view(_image(1)).change_from(_view(_image(1)), sensitivity)
    assert change.past_weight.mean() == pytest.approx(share, abs=1e-3)


def test_the_first_frame_after_a_cut_is_that_of_a_fresh_stream() -> None:
    before, after = _noisy(_image(1), 2.0, 4), _noisy(_image(7), 2.0, 1)
    assert torch.equal(_run([*before, *after], FilterSettings())[-1],
                       _run(after, FilterSettings())[-1])  # fmt: skip


def _cut(before: torch.Tensor, after: torch.Tensor, **changes: float) -> bool:
    coherence, settings = Coherence(), FilterSettings(**changes)
    coherence.before(_view(before), _encoded(before), settings)
    _, change = coherence.before(_view(after), _encoded(after), settings)
    assert change is not None
    return change.is_cut


def test_without_sensitivity_nothing_is_a_cut() -> None:
    assert _cut(_image(1), _image(7))
    assert not _cut(_image(1), _image(7), scene_cut_sensitivity=0)


@pytest.mark.parametrize("seed", range(5))
def test_another_scene_is_a_cut_and_light_motion_and_noise_are_not(seed: int) -> None:
    image = _image(seed)
    assert _cut(image, _image(seed + 20))
    assert not _cut(image, (image * 1.6).clamp(0, 255))
    assert not _cut(image, image * 0.6)
    assert not _cut(image, _moved(image, 12.0, -6.0))
    assert not _cut(image, _noisy(image, 8.0, 1)[0])


def test_noise_on_flat_pictures_is_no_cut() -> None:
    flat = torch.full((1, 3, SIDE, SIDE), 100.0)
    assert not _cut(_noisy(flat, 3.0, 1)[0], _noisy(flat, 3.0, 2)[1])


def test_a_change_of_exposure_is_little_change_of_structure() -> None:
    latents = _latents(3)
    assert scene_change(0.8 * latents + 0.5, latents) < 0.1
    assert scene_change(_latents(4), latents) > 0.4


def test_all_calls_of_before_may_precede_those_of_after() -> None:
    images, settings = _noisy(_image(1), 3.0, 4), FilterSettings()
    coherence = Coherence()
    changes = [coherence.before(_view(i), _encoded(i), settings)[1] for i in images]
    results = [
        coherence.after(1.0 - image / 127.5, change, settings)
        for image, change in zip(images, changes, strict=True)
    ]
    assert all(torch.equal(a, b) for a, b in zip(results, _run(images, settings), strict=True))


def test_a_new_size_resets() -> None:
    coherence, settings = Coherence(), FilterSettings()
    coherence.before(_view(_image(1)), _latents(1), settings)
    small = _image(1)[..., :64, :64]
    _, change = coherence.before(_view(small), _encoded(small), settings)
    assert change is None


def test_reset_forgets() -> None:
    coherence, settings = Coherence(), FilterSettings()
    coherence.before(_view(_image(1)), _latents(1), settings)
    coherence.after(_image(1) / 127.5 - 1, None, settings)
    coherence.reset()
    blended, change = coherence.before(_view(_image(2)), _latents(2), settings)
    assert change is None
    assert torch.equal(blended, _latents(2))


def test_a_new_look_stands_alone_while_motion_goes_on() -> None:
    coherence, settings = Coherence(), FilterSettings()
    coherence.before(_view(_image(1)), _latents(1), settings)
    coherence.after(_image(1) / 127.5 - 1, None, settings)
    coherence.forget_results()
    _, change = coherence.before(_view(_image(1)), _latents(1), settings)
    assert change is not None
    other = -(_image(1) / 127.5 - 1)
    assert torch.equal(coherence.after(other, change, settings), other)


def test_a_broken_frame_does_not_break_those_after_it() -> None:
    coherence, settings = Coherence(), FilterSettings()
    for latents in (_latents(1), torch.full(SHAPE, float("nan")), _latents(1)):
        blended, change = coherence.before(_view(_image(1)), latents, settings)
        result = coherence.after(torch.zeros(1, 3, SIDE, SIDE) + latents.mean(), change, settings)
    assert blended.isfinite().all()
    assert result.isfinite().all()


def test_feedback_takes_a_share_of_the_last_result() -> None:
    coherence, settings = Coherence(), FilterSettings(feedback=0.5, blend_before=0, blend_after=0.5)
    encode = _encoded
    first, _ = coherence.before(_view(_image(1)), _encoded(_image(1)), settings, encode)
    coherence.after(torch.zeros(1, 3, SIDE, SIDE), None, settings)
    second, _ = coherence.before(_view(_image(1)), _encoded(_image(1)), settings, encode)
    assert torch.equal(first, _encoded(_image(1)))
    expected = torch.lerp(first, _encoded(torch.zeros(1, 3, SIDE, SIDE)), 0.5)
    assert (second - expected).abs().mean() < 0.02


def test_the_static_weight_is_zero_where_something_moves() -> None:
    image = _image(5)
    change: Change = _view(_moved(image, 3.0, 0.0)).change_from(_view(image), 0.5)
    assert change.static_past_weight(16, 16)[..., 4:-4, 4:-4].max() < 0.01
    still = _view(image).change_from(_view(image), 0.5)
    assert still.static_past_weight(16, 16).min() > 0.99


def test_a_glow_goes_with_what_it_glowed_around() -> None:
    """The look reaches further than the input: beneath the glow nothing has changed."""
    coherence, settings, image = Coherence(), FilterSettings(), _image(1)
    plain = torch.zeros(1, 3, SIDE, SIDE)
    glowing = plain.clone()
    glowing[..., 40:80, 40:80] = 0.9
    for result in (glowing, glowing, plain):
        _, change = coherence.before(_view(image), _encoded(image), settings)
        shown = coherence.after(result, change, settings)
    assert shown.abs().max() < 0.1


def test_the_motion_estimator_gives_the_same_change() -> None:
    torch.manual_seed(0)
    scene = torch.nn.functional.avg_pool2d(255 * torch.rand(1, 1, 104, 168), 9, stride=1)
    past, now = scene[..., :64, :96], scene[..., 3:67, 2:98]
    plain = InputView(now, CPU).change_from(InputView(past, CPU), 0.5)
    fast = InputView(now, CPU, MotionEstimator()).change_from(InputView(past, CPU), 0.5)
    for name in ("past_weight", "warped_luma"):
        assert torch.equal(getattr(plain, name), getattr(fast, name))
    assert torch.equal(plain.motion.flow, fast.motion.flow)
    sensitive = InputView(now, CPU, MotionEstimator()).change_from(InputView(past, CPU), 1.0)
    assert not sensitive.past_weight.any()
