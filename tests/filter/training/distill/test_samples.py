"""What a teacher samples, and a student that learns it, on tiny models."""

from dataclasses import replace
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from turbolens.filter.networks import module_of
from turbolens.filter.training.captions import CaptionedPictures
from turbolens.filter.training.distill.trajectory import (
    Samples,
    Sampling,
    WarmUp,
    open_samples,
)
from turbolens.filter.training.folder import betas_of
from turbolens.filter.training.loop import Stage
from turbolens.filter.training.networks import Networks
from turbolens.filter.training.sampling import ddim_denoised

from .parts import distillation_of, frozen_parts, networks_of

diffusers: Any = import_module("diffusers")


def sampling_of(networks: Networks, data: CaptionedPictures, **changes: Any) -> Sampling:
    timesteps = torch.tensor([999, 499])
    return replace(Sampling(networks, data, timesteps, 2.0, batch=2), **changes)


def same(first: Samples, second: Samples) -> bool:
    pairs = ((first.noisy, second.noisy), (first.clean, second.clean))
    return first.captions == second.captions and all(torch.equal(a, b) for a, b in pairs)


@pytest.mark.slow
@pytest.mark.parametrize("steps", [25, 4])
def test_samples_equal_diffusers_ddim(folder: Path, steps: int) -> None:
    networks = networks_of(folder)
    teacher, text, empty = networks.teacher, networks.texts(["ink"]), networks.texts([""])
    noise = torch.randn(1, 4, 8, 8, generator=torch.manual_seed(0))
    scheduler = diffusers.DDIMScheduler(
        trained_betas=betas_of(teacher.schedule.alphas_cumprod), timestep_spacing="trailing",
        prediction_type="sample", clip_sample=False,
    )  # fmt: skip
    scheduler.set_timesteps(steps)
    noisy = noise
    with torch.no_grad():
        for timestep in scheduler.timesteps:
            clean = teacher.guided(noisy, timestep[None], text, empty, 3.0)
            noisy = scheduler.step(clean, timestep, noisy).prev_sample
        ours = ddim_denoised(teacher, noise, 999, text, empty, 3.0, steps)
    assert torch.equal(ours, noisy)


@pytest.mark.parametrize(
    ("timestep", "steps", "expected"),
    [
        (249, 25, [249, 209, 169, 129, 89, 49, 9]),
        (999, 30, list(range(999, 9, -33))),  # no divisor: no step more than was asked for
    ],
)
def test_the_teacher_samples_with_a_fixed_stride(
    sd_folder: Path, timestep: int, steps: int, expected: list[int]
) -> None:
    networks = networks_of(sd_folder)
    teacher, text, asked = networks.teacher, networks.texts(["ink"]), list[int]()

    def guided(noisy: torch.Tensor, timesteps: torch.Tensor, *_: Any) -> torch.Tensor:
        asked.extend(timesteps.tolist())
        return torch.full_like(noisy, 0.25)

    teacher.guided = guided  # type: ignore[method-assign,assignment]
    result = ddim_denoised(teacher, torch.randn(1, 4, 8, 8), timestep, text, text, 3.0, steps)
    assert asked == expected
    torch.testing.assert_close(result, torch.full_like(result, 0.25))


@pytest.mark.slow
def test_sampling_resumes_and_restarts_with_other_settings(
    sd_folder: Path, data: CaptionedPictures, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("turbolens.filter.training.distill.trajectory._SAVE_EVERY", 2)
    sampling = sampling_of(networks_of(sd_folder), data)
    assert list(sampling.make(tmp_path, 9)) == [2, 4, 6, 8, 10]
    whole = open_samples(tmp_path)
    for name in ("half", "other"):
        (tmp_path / name).mkdir()
        for done in sampling.make(tmp_path / name, 9):
            if done == 6:  # one batch more than was stored
                break
    assert list(sampling.make(tmp_path / "half", 9)) == [6, 8, 10]
    assert same(open_samples(tmp_path / "half"), whole)
    assert list(sampling.make(tmp_path / "half", 9)) == []
    other = replace(sampling, guidance=1.0)
    assert list(other.make(tmp_path / "other", 3)) == [2, 4]
    assert not same(open_samples(tmp_path / "other"), whole)


@pytest.mark.slow
def test_samples_start_from_pure_noise_or_noisy_pictures(
    sd_folder: Path, data: CaptionedPictures, tmp_path: Path
) -> None:
    networks = networks_of(sd_folder)
    white = replace(data, planes=np.full_like(data.planes, 255))
    found = []
    for number, pictures in enumerate((data, white)):
        (tmp_path / str(number)).mkdir()
        list(sampling_of(networks, pictures).make(tmp_path / str(number), 16))
        found.append(open_samples(tmp_path / str(number)))
    alike = (found[0].noisy == found[1].noisy).flatten(1).all(1)
    assert torch.equal(alike, found[0].timesteps == 999)
    assert set(found[0].timesteps.tolist()) == {999, 499}
    assert set(found[0].captions) == {"ink", "oil"}


@pytest.mark.slow
def test_samples_can_be_selected_by_timestep(
    sd_folder: Path, data: CaptionedPictures, tmp_path: Path
) -> None:
    list(sampling_of(networks_of(sd_folder), data).make(tmp_path, 16))
    samples = open_samples(tmp_path)
    last, rest = samples.at(999), samples.at(499)
    assert last is not None
    assert rest is not None
    assert set(last.timesteps.tolist()) == {999}
    assert sorted(last.captions + rest.captions) == sorted(samples.captions)
    first = samples.timesteps.tolist().index(999)
    assert torch.equal(last.noisy[0], samples.noisy[first])
    assert torch.equal(last.clean[0], samples.clean[first])
    assert last.captions[0] == samples.captions[first]
    assert samples.at(749) is None


@pytest.mark.slow
def test_a_student_learns_the_teachers_samples(
    sd_folder: Path, data: CaptionedPictures, tmp_path: Path
) -> None:
    networks = networks_of(sd_folder, "v_prediction")
    list(sampling_of(networks, data).make(tmp_path, 8))
    samples = open_samples(tmp_path)
    warm_up = WarmUp(networks, samples, batch=8)
    stage = Stage("warm-up", module_of(networks.student.unet), warm_up, tmp_path, 40, 3e-3)
    list(stage.run())
    assert stage.history[-1]["trajectory"] < 0.7 * stage.history[0]["trajectory"]
    losses = distillation_of(networks, data)
    assert "trajectory" not in losses(torch.Generator().manual_seed(0), 0)
    losses.samples = samples
    found = losses(torch.Generator().manual_seed(0), 0)["trajectory"]
    found.backward()  # type: ignore[no-untyped-call]
    assert any(weight.grad is not None for weight in networks.student.unet.parameters())
    assert all(weight.grad is None for weight in networks.discriminator.parameters())
    assert all(weight.grad is None for weight in frozen_parts(networks).parameters())
