"""Distillation on tiny models: gradients, sampling, and a small run of the command."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from turbolens.filter import FrameFilter, SettingsError, TurboModel
from turbolens.filter.loading.folders import load_components
from turbolens.filter.training.captions import (
    CaptionedPictures,
    captions_of,
    open_pictures,
    read_pictures,
)
from turbolens.filter.training.command import app
from turbolens.filter.training.diffusion import Diffusion
from turbolens.filter.training.distill.command import distill
from turbolens.filter.training.distill.stage import Distillation
from turbolens.filter.training.distill.trajectory import (
    FILE,
    open_samples,
)
from turbolens.filter.training.features import encoder_features, image_feature
from turbolens.filter.training.folder import betas_of
from turbolens.filter.training.loop import Stage

from .parts import distillation_of, frozen_parts, networks_of, stage_of


@pytest.mark.parametrize("prediction_type", ["epsilon", "v_prediction"])
def test_denoising_with_the_true_output_gives_the_clean_latents(
    sd_folder: Path, prediction_type: str
) -> None:
    diffusion = networks_of(sd_folder, prediction_type).teacher
    clean, noise = (torch.randn(2, 4, 8, 8, generator=torch.manual_seed(s)) for s in range(2))
    timesteps = torch.tensor([10, 999])
    alpha = diffusion.alphas_cumprod(timesteps)
    velocity = alpha.sqrt() * noise - (1 - alpha).sqrt() * clean
    answer = noise if prediction_type == "epsilon" else velocity
    diffusion._predictor = lambda *_, **__: answer  # type: ignore[assignment]
    noisy = diffusion.noisy(clean, noise, timesteps)
    text = networks_of(sd_folder).texts(["a", "b"])
    torch.testing.assert_close(diffusion.denoised(noisy, timesteps, text), clean, atol=1e-4, rtol=0)


@pytest.mark.slow
def test_features_equal_those_of_the_teachers_forward_pass(folder: Path) -> None:
    networks = networks_of(folder)
    unet, text = networks.teacher.unet, networks.texts(["ink", "oil"])
    noisy, timesteps = torch.randn(2, 4, 8, 8), torch.tensor([500, 3])
    seen: list[torch.Tensor] = []
    for block in (unet.conv_in, *unet.down_blocks, unet.mid_block):
        block.register_forward_hook(lambda _module, _inputs, output: seen.append(output))
    features = encoder_features(networks.teacher, noisy, timesteps, text)
    seen.clear()
    networks.teacher.denoised(noisy, timesteps, text)
    ours, grids = iter(features), []
    for output in seen:
        feature = next(ours)
        grids.append(feature.shape[-1])
        among = output[1] if isinstance(output, tuple) else (output,)
        assert any(each.shape == feature.shape and torch.equal(each, feature) for each in among)
    assert next(ours, None) is None
    assert grids[:2] == [8, 8]  # as fine as the latents are


def test_the_image_feature_has_neither_noise_nor_timestep(sd_folder: Path) -> None:
    networks = networks_of(sd_folder)
    clean, empty = torch.randn(2, 4, 8, 8), networks.texts(["", ""])
    first = image_feature(networks.teacher, clean, empty)
    assert first.shape == (2, 16)
    assert torch.equal(first, image_feature(networks.teacher, clean, empty))
    assert not torch.allclose(first[0], first[1])


def test_guidance_extrapolates_from_the_unconditional_output(sd_folder: Path) -> None:
    networks = networks_of(sd_folder)
    text, empty = networks.texts(["ink"]), networks.texts([""])
    noisy, timesteps = torch.randn(1, 4, 8, 8), torch.tensor([700])
    teacher: Diffusion = networks.teacher
    plain, without = (teacher.denoised(noisy, timesteps, each) for each in (text, empty))
    guided = teacher.guided(noisy, timesteps, text, empty, 3.0)
    torch.testing.assert_close(guided, 3 * plain - 2 * without)


def test_the_student_starts_as_the_teacher_and_trains_at_the_last_timestep(
    sd_folder: Path, data: CaptionedPictures
) -> None:
    networks = networks_of(sd_folder)
    losses = distillation_of(networks, data, student_steps=4)
    assert losses.student_timesteps.tolist() == [999, 749, 499, 249]
    pairs = zip(networks.student.unet.parameters(), networks.teacher.unet.parameters(), strict=True)
    assert all(torch.equal(a, b) and a is not b for a, b in pairs)


@pytest.mark.slow
def test_every_loss_has_gradients_for_the_student_or_the_heads_only(
    folder: Path, data: CaptionedPictures
) -> None:
    networks = networks_of(folder)
    losses = distillation_of(networks, data)(torch.Generator().manual_seed(0), 0)
    students = list(networks.student.unet.parameters())
    heads = list(networks.discriminator.parameters())
    for name, loss in losses.items():
        of_student, of_heads = (
            any(each is not None and bool(each.any()) for each in
                torch.autograd.grad(loss, weights, retain_graph=True, allow_unused=True))
            for weights in (students, heads)
        )  # fmt: skip
        assert of_heads == (name in ("discriminator", "r1")), name
        assert of_student != of_heads, name


@pytest.mark.slow
def test_only_the_heads_are_trained_at_first(sd_folder: Path, data: CaptionedPictures) -> None:
    networks = networks_of(sd_folder)
    losses = distillation_of(networks, data, heads_first=3)
    early = losses(torch.Generator().manual_seed(0), 2)
    assert set(early) == {"discriminator", "r1"}
    torch.stack(list(early.values())).sum().backward()  # type: ignore[no-untyped-call]
    assert all(weight.grad is None for weight in networks.student.unet.parameters())
    assert any(weight.grad is not None for weight in networks.discriminator.parameters())
    assert "adversarial" in losses(torch.Generator().manual_seed(0), 3)
    without = distillation_of(networks, data, heads_first=3, adversarial=0.0)
    assert "distillation" in without(torch.Generator().manual_seed(0), 0)


@pytest.mark.parametrize("steps", [1, 4])
def test_three_rows_of_ten_are_at_the_last_timestep(
    sd_folder: Path, data: CaptionedPictures, steps: int
) -> None:
    losses = distillation_of(networks_of(sd_folder), data, student_steps=steps)
    drawn = losses._student_timesteps(torch.Generator().manual_seed(0), 4000).tolist()
    shares = [drawn.count(each) / 4000 for each in losses.student_timesteps.tolist()]
    assert shares == pytest.approx(
        [1.0] if steps == 1 else [0.3, 0.7 / 3, 0.7 / 3, 0.7 / 3], abs=0.03
    )


def timesteps_asked(losses: Distillation, monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Fills up with the timesteps that the student is asked at from now on."""
    student, seen = losses.networks.student, list[int]()
    plain = student.denoised

    def denoised(noisy: torch.Tensor, timesteps: torch.Tensor, text: Any) -> torch.Tensor:
        seen.extend(timesteps.tolist())
        return plain(noisy, timesteps, text)

    monkeypatch.setattr(student, "denoised", denoised)
    return seen


@pytest.mark.slow
@pytest.mark.parametrize(("steps", "expected"), [(4, {749, 499, 249}), (1, {999})])
def test_pairs_of_frames_are_at_timesteps_with_visible_input(
    sd_folder: Path, data: CaptionedPictures, monkeypatch: pytest.MonkeyPatch,
    steps: int, expected: set[int],
) -> None:  # fmt: skip
    losses = distillation_of(networks_of(sd_folder), data, student_steps=steps, temporal=1.0)
    batch = losses._draw(torch.Generator().manual_seed(0))
    seen = timesteps_asked(losses, monkeypatch)
    for seed in range(12):
        losses._warp_error(batch, torch.Generator().manual_seed(seed))
    assert set(seen) == expected


def test_image_to_image_losses_are_weighted_by_the_visible_signal(
    sd_folder: Path, data: CaptionedPictures
) -> None:
    losses = distillation_of(networks_of(sd_folder), data, student_steps=4)
    timesteps = losses.student_timesteps
    signal = losses.networks.student.alphas_cumprod(timesteps).sqrt()
    weight = losses._weight(timesteps)
    assert weight[0] == 0
    assert torch.equal(weight[1:], signal[1:])
    assert signal[0] > 0
    alone = distillation_of(losses.networks, data, student_steps=1, batch=40)
    assert torch.equal(alone._weight(timesteps[:1]), signal[:1])
    batch = alone._draw(torch.Generator().manual_seed(0))
    hidden = (batch.shown == 0).all((1, 2, 3))
    assert torch.equal(batch.weight.flatten() == 0, hidden)
    assert 0 < int(hidden.sum()) < 40


def test_the_noise_loss_uses_rows_with_visible_input(
    sd_folder: Path, data: CaptionedPictures, monkeypatch: pytest.MonkeyPatch
) -> None:
    losses = distillation_of(networks_of(sd_folder), data, batch=16)
    generator = torch.Generator().manual_seed(0)
    batch = losses._draw(generator)
    denoised = torch.zeros_like(batch.clean)
    seen = timesteps_asked(losses, monkeypatch)
    losses._noise_difference(denoised, batch, generator)
    sighted = [each for each in batch.timesteps.tolist() if each != 999]
    assert 1 < len(sighted) < 16
    assert seen[: len(sighted)] == sighted[:8]
    assert len(seen) == 8


def test_half_of_the_rows_at_the_last_timestep_are_pure_noise(
    sd_folder: Path, data: CaptionedPictures
) -> None:
    losses = distillation_of(networks_of(sd_folder), data, batch=1200)
    batch = losses._draw(torch.Generator().manual_seed(0))
    hidden = (batch.shown == 0).all((1, 2, 3))
    last = batch.timesteps == 999
    assert 0.4 < float(hidden[last].float().mean()) < 0.6
    assert not hidden[~last].any()
    assert not batch.own[hidden].any()
    assert torch.equal(batch.shown[~hidden], batch.clean[~hidden])


def test_a_loss_of_weight_zero_is_omitted(sd_folder: Path, data: CaptionedPictures) -> None:
    networks = networks_of(sd_folder)
    losses = distillation_of(networks, data, adversarial=0.0, temporal=0.0, noise=0.0)
    found = losses(torch.Generator().manual_seed(0), 0)
    assert set(found) == {"distillation", "identity", "structure"}


def on_one_batch(losses: Distillation, folder: Path, *, student: float, heads: float) -> Stage:
    """A dozen steps on the same random numbers, with a rate for each side."""
    networks = losses.networks
    stage = Stage(
        "toy", networks.trained, lambda _generator, step: losses(torch.manual_seed(7), step),
        folder, 12, 0.1, rates={"heads": heads, "student": student},
    )  # fmt: skip
    list(stage.run())
    return stage


# An untrained network's ε at the last timestep is amplified 14.6 times: no teacher to learn from.
@pytest.mark.slow
@pytest.mark.parametrize(
    ("prediction_type", "taught", "share"), [("epsilon", 0.0, 0.97), ("v_prediction", 2.5, 0.9)]
)
def test_a_student_lowers_its_losses_without_an_adversary(
    sd_folder: Path, data: CaptionedPictures, tmp_path: Path,
    prediction_type: str, taught: float, share: float,
) -> None:  # fmt: skip
    networks = networks_of(sd_folder, prediction_type)
    losses = distillation_of(networks, data, adversarial=0.0, identity=0.0, distillation=taught)
    history = on_one_batch(losses, tmp_path, student=0.2, heads=0).history
    assert sum(history[-1].values()) < share * sum(history[0].values())
    assert history[-1]["temporal"] < history[0]["temporal"]


@pytest.mark.slow
def test_heads_learn_to_discriminate_and_a_student_to_fool_frozen_heads(
    sd_folder: Path, data: CaptionedPictures, tmp_path: Path
) -> None:
    game = {"distillation": 0.0, "identity": 0.0, "structure": 0.0, "noise": 0.0, "temporal": 0.0}
    losses = distillation_of(networks_of(sd_folder), data, **game)
    telling = on_one_batch(losses, tmp_path / "heads", student=0, heads=1).history
    assert telling[-1]["discriminator"] < 0.5 * telling[0]["discriminator"]
    deceiving = on_one_batch(losses, tmp_path / "student", student=0.2, heads=0).history
    assert deceiving[-1]["adversarial"] < deceiving[0]["adversarial"] - 1


@pytest.mark.slow
def test_training_leaves_the_teacher_bit_identical_and_without_gradients(
    sd_folder: Path, data: CaptionedPictures, tmp_path: Path
) -> None:
    networks = networks_of(sd_folder)
    frozen = frozen_parts(networks)
    before = {name: weight.clone() for name, weight in frozen.state_dict().items()}
    first = networks.student.unet.conv_in.weight.clone()
    list(stage_of(distillation_of(networks, data), tmp_path, 3).run())
    assert all(torch.equal(before[name], weight) for name, weight in frozen.state_dict().items())
    assert all(weight.grad is None for weight in frozen.parameters())
    assert not torch.equal(first, networks.student.unet.conv_in.weight)


@pytest.mark.slow
def test_a_stopped_distillation_resumes_bit_for_bit(
    sd_folder: Path, data: CaptionedPictures, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("turbolens.filter.training.loop.SAVE_EVERY", 2)
    whole, stopped, resumed = (
        stage_of(distillation_of(networks_of(sd_folder), data), tmp_path / name, 4)
        for name in ("whole", "half", "half")
    )
    list(whole.run())
    for step in stopped.run():
        if step == 3:  # one more than was saved
            break
    assert next(iter(resumed.run())) == 3
    list(resumed.run())
    ends = (stage.module.state_dict() for stage in (whole, resumed))
    assert all(torch.equal(a, b) for a, b in zip(*(end.values() for end in ends), strict=True))
    assert whole.history == resumed.history


def test_captions_come_from_the_text_file_or_the_folder_name(
    pictures_folder: Path,
) -> None:
    painting, sketch = pictures_folder / "oil_painting", pictures_folder / "pencil-sketch"
    assert captions_of(painting / "oil_painting0.png") == ("a (wet) oil", "old oil")
    assert captions_of(painting / "oil_painting1.png") == ("oil painting",)
    assert captions_of(sketch / "pencil-sketch1.png") == ("pencil sketch",)


def test_brackets_in_a_caption_are_not_weights(sd_folder: Path) -> None:
    texts = networks_of(sd_folder).texts
    plain, bracketed = texts(["wet oil"]), texts(["(wet) oil"])
    assert not torch.equal(plain.prompt_embeds, bracketed.prompt_embeds)  # the brackets are words
    assert bracketed.prompt_embeds.requires_grad is False
    assert not bracketed.prompt_embeds.is_inference()


def test_pictures_are_read_once_and_again_after_a_change(
    pictures_folder: Path, tmp_path: Path
) -> None:
    paths = sorted(pictures_folder.rglob("*.png"))
    assert list(read_pictures(paths, tmp_path, 14)) == list(range(1, 13))
    assert list(read_pictures(paths, tmp_path, 14)) == []
    images, captions = open_pictures(paths, tmp_path, 14).draw(torch.Generator().manual_seed(0), 5)
    assert images.shape == (5, 3, 14, 14)
    assert set(captions) <= {"a (wet) oil", "old oil", "oil painting", "pencil sketch"}
    assert list(read_pictures(paths[1:], tmp_path, 14)) == list(range(1, 12))


def test_betas_reproduce_their_schedule(sd_folder: Path) -> None:
    alphas = load_components(sd_folder).schedule.alphas_cumprod
    again = torch.cumprod(1 - torch.tensor(betas_of(alphas), dtype=torch.float64), 0).float()
    torch.testing.assert_close(again, alphas, rtol=1e-6, atol=0)


@pytest.mark.slow
def test_the_command_makes_a_model_that_filters_a_frame(
    folder: Path, pictures_folder: Path, tmp_path: Path,
    pictures: Callable[..., list[NDArray[np.uint8]]],
) -> None:  # fmt: skip
    out = tmp_path / "out"
    arguments = ["distill", "--teacher", str(folder), "--data", str(pictures_folder),
                 "--out", str(out), "--steps", "2", "--batch", "3", "--samples", "4",
                 "--warm-up", "2", "--device", "cpu"]  # fmt: skip
    app(arguments, standalone_mode=False)
    assert len(open_samples(out)) == 6
    assert set(json.loads((out / "distillation.json").read_text())["history"][0]) == {
        "discriminator", "r1",
    }  # fmt: skip
    assert len(json.loads((out / "warm-up.json").read_text())["history"]) == 2
    assert (out / "samples-00002.png").is_file()
    assert (out / "distillation.png").is_file()
    model = TurboModel.load(out / "model", device="cpu", dtype="float32")
    assert model.looks == ("oil painting", "pencil sketch")
    frame = pictures(1)[0]
    assert FrameFilter(model, prompt="pencil sketch")(frame).shape == frame.shape


def test_too_few_pictures_and_an_impossible_size_are_usage_errors(
    sd_folder: Path, pictures_folder: Path, tmp_path: Path
) -> None:
    with pytest.raises(SettingsError, match="at least 8 pictures"):
        distill(teacher=str(sd_folder), data=tmp_path / "none", out=tmp_path)
    with pytest.raises(SettingsError, match="multiple of 4"):
        distill(teacher=str(sd_folder), data=pictures_folder, out=tmp_path, size=18)


@pytest.mark.slow
def test_with_trajectory_weight_zero_no_samples_are_made(
    sd_folder: Path, pictures_folder: Path, tmp_path: Path
) -> None:
    distill(teacher=str(sd_folder), data=pictures_folder, out=tmp_path / "out", steps=1, batch=2,
            trajectory=0.0, device="cpu")  # fmt: skip
    assert not (tmp_path / "out" / FILE).exists()
    assert not (tmp_path / "out" / "warm-up.json").exists()
