"""The schedule against closed forms and against diffusers' own schedulers."""

import math
from importlib import import_module
from typing import Any

import pytest
import torch

from tests.filter.pipeline_grid import diffusers_timesteps, pipeline_steps
from turbolens.filter import SettingsError, UnsupportedModelError
from turbolens.filter.diffusion.schedule import Schedule, add_noise, denoised, next_noisy
from turbolens.filter.diffusion.timesteps import (
    direct_timesteps,
    lcm_timesteps,
    timestep_from_strength,
    trailing_timesteps,
)

diffusers: Any = import_module("diffusers")

SD: dict[str, Any] = {
    "_class_name": "EulerDiscreteScheduler",
    "beta_schedule": "scaled_linear",
    "beta_start": 0.00085,
    "beta_end": 0.012,
    "timestep_spacing": "trailing",
}


@pytest.mark.parametrize(
    ("timestep", "kept", "noise"),
    [(999, 0.068265, 0.997667), (499, 0.526944, 0.849900), (99, 0.946289, 0.323323)],
)
def test_the_sd_schedule_has_its_published_values(timestep: int, kept: float, noise: float) -> None:
    alpha = float(Schedule.from_config(SD).alphas_cumprod[timestep])
    assert math.sqrt(alpha) == pytest.approx(kept, abs=1e-6)
    assert math.sqrt(1 - alpha) == pytest.approx(noise, abs=1e-6)


@pytest.mark.parametrize("kind", ["linear", "scaled_linear", "squaredcos_cap_v2"])
def test_every_kind_of_betas_equals_diffusers(kind: str) -> None:
    config = {**SD, "beta_schedule": kind}
    theirs = diffusers.EulerDiscreteScheduler.from_config(config).alphas_cumprod
    assert torch.equal(Schedule.from_config(config).alphas_cumprod, theirs)


def test_trained_betas_go_before_the_formula() -> None:
    betas = torch.linspace(1e-4, 5e-3, 1000).tolist()
    theirs = diffusers.DDIMScheduler(trained_betas=betas).alphas_cumprod
    schedule = Schedule.from_config({**SD, "trained_betas": betas})
    assert torch.equal(schedule.alphas_cumprod, theirs)
    assert schedule.alphas_cumprod.dtype == torch.float32


@pytest.mark.parametrize(
    "change",
    [
        {"_class_name": "FlowMatchEulerDiscreteScheduler"},
        {"prediction_type": "sample"},
        {"beta_schedule": "sigmoid"},
        {"trained_betas": [0.1, 0.2]},
        {"trained_betas": [1.5] * 1000},
        {"rescale_betas_zero_snr": True},
        {"_class_name": "DDIMScheduler"},
        {"_class_name": "LCMScheduler", "thresholding": True},
        {"final_sigmas_type": "sigma_min"},
    ],
)
def test_what_is_not_known_is_refused(change: dict[str, Any]) -> None:
    with pytest.raises(UnsupportedModelError):
        Schedule.from_config({**SD, **change})


@pytest.mark.parametrize(
    ("strength", "timestep"),
    [(0.0, 0), (0.001, 0), (0.002, 1), (0.25, 249), (0.5, 499), (0.7501, 749), (1.0, 999)],
)
def test_strength_is_a_continuous_dial(strength: float, timestep: int) -> None:
    assert timestep_from_strength(strength) == timestep


@pytest.mark.parametrize("strength", [0.0, 0.001, 0.003, 0.3, 0.5, 0.999, 1.0])
@pytest.mark.parametrize("steps", [1, 2, 3, 4])
def test_direct_timesteps_descend_from_that_of_strength(strength: float, steps: int) -> None:
    timesteps = direct_timesteps(strength, steps)
    assert timesteps[0] == timestep_from_strength(strength)
    assert timesteps == sorted(set(timesteps), reverse=True)
    assert timesteps[-1] >= 0
    assert len(timesteps) == min(steps, timesteps[0] + 1)


def test_direct_timesteps_meet_the_grid_of_diffusers() -> None:
    assert direct_timesteps(1.0, 4) == trailing_timesteps(4)
    assert direct_timesteps(0.5, 2) == [499, 249]


@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")  # diffusers
def test_trailing_timesteps_equal_diffusers_for_every_length() -> None:
    scheduler = diffusers.EulerDiscreteScheduler.from_config(SD)
    broken = 0
    for number in range(1, 1001):
        scheduler.set_timesteps(number)
        theirs = scheduler.timesteps.tolist()
        if len(theirs) != number or theirs[-1] < 0:
            broken += 1
            with pytest.raises(SettingsError, match="breaks trailing spacing"):
                trailing_timesteps(number)
        else:
            assert trailing_timesteps(number) == theirs
    assert broken == 62


def test_lcm_timesteps_equal_diffusers_for_every_length() -> None:
    scheduler = diffusers.LCMScheduler()
    for number in range(1, 51):
        scheduler.set_timesteps(number)
        assert lcm_timesteps(number) == scheduler.timesteps.tolist()


@pytest.mark.parametrize(
    ("number", "strength", "executed"),
    [(100, 0.29, 28), (100, 0.57, 56), (50, 0.58, 28), (2, 0.5, 1), (4, 1.0, 4)],
)
def test_the_pipelines_truncate_binary_fractions(
    number: int, strength: float, executed: int
) -> None:
    assert diffusers_timesteps(number, strength) == trailing_timesteps(number)[-executed:]


@pytest.mark.parametrize(("number", "strength"), [(1, 0.5), (0, 1.0), (1001, 1.0), (10, 0.05)])
def test_a_schedule_that_runs_nothing_is_refused(number: int, strength: float) -> None:
    with pytest.raises(SettingsError):
        diffusers_timesteps(number, strength)


@pytest.mark.parametrize("sampler", ["EulerDiscreteScheduler", "LCMScheduler"])
@pytest.mark.parametrize("strength", [0.0001, 0.02, 0.0163, 0.1, 0.33, 0.5, 0.77, 1.0])
@pytest.mark.parametrize("steps", [1, 2, 3, 4])
def test_the_diffusers_mode_runs_as_many_steps_as_asked(
    sampler: str, strength: float, steps: int
) -> None:
    schedule = Schedule.from_config({**SD, "_class_name": sampler})
    assert len(schedule.diffusers_steps(strength, steps)) == steps


def test_the_diffusers_mode_of_half_strength_is_that_of_two_steps() -> None:
    schedule = Schedule.from_config(SD)
    assert schedule.diffusers_steps(0.5) == pipeline_steps(schedule, 2, 0.5)
    assert [step.timestep for step in schedule.diffusers_steps(0.5, 2)] == [499, 249]


@pytest.mark.parametrize("timestep", [0, 1, 49, 250, 499, 998, 999])
def test_the_true_noise_restores_the_clean_latents(timestep: int) -> None:
    alpha = float(Schedule.from_config(SD).alphas_cumprod[timestep])
    clean, noise = torch.randn(2, 1, 4, 8, 8, generator=torch.manual_seed(timestep))
    noisy = add_noise(clean, noise, alpha)
    velocity = math.sqrt(alpha) * noise - math.sqrt(1 - alpha) * clean
    assert denoised(noisy, noise, alpha).allclose(clean, atol=2e-5)
    assert denoised(noisy, velocity, alpha, "v_prediction").allclose(clean, atol=2e-5)


def test_half_precision_is_combined_in_float32() -> None:
    clean, noise = torch.ones(2, 1, 4, 2, 2, dtype=torch.bfloat16)
    noisy = add_noise(clean, noise, 0.00466)
    assert noisy.dtype == torch.float32
    assert denoised(noisy, noise, 0.00466).allclose(clean.float(), atol=1e-5)


@pytest.mark.parametrize("name", ["EulerAncestralDiscreteScheduler", "LCMScheduler"])
def test_a_sampler_that_adds_noise_requires_it(name: str) -> None:
    schedule = Schedule.from_config({**SD, "_class_name": name})
    step = schedule.direct_steps(0.5, 2)[0]
    with pytest.raises(ValueError, match="draw of noise"):
        next_noisy(schedule, step, clean=torch.ones(1), noisy=torch.ones(1))


@pytest.mark.parametrize("prediction_type", ["epsilon", "v_prediction"])
def test_an_error_of_the_network_grows_by_the_gain(prediction_type: Any) -> None:
    schedule = Schedule.from_config({**SD, "prediction_type": prediction_type})
    noisy, output, error = torch.randn(3, 1, 4, 8, 8)
    for timestep in (99, 499, 999):
        alpha = float(schedule.alphas_cumprod[timestep])
        clean = denoised(noisy, output, alpha, prediction_type)
        off = denoised(noisy, output + error, alpha, prediction_type) - clean
        assert off.norm().item() == pytest.approx(
            schedule.error_gain(timestep) * error.norm().item(), rel=1e-4
        )
