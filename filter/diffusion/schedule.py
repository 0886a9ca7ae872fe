"""The noise schedule: betas, strength → timesteps, and the arithmetic of one denoising step.

Noisy latents are kept variance-preserving, `√ᾱ·clean + √(1-ᾱ)·noise`, which is what the network
sees whatever the sampler. Maths: DDIM (Song et al. 2021), k-diffusion's ancestral Euler, and the
consistency boundary of LCM (Luo et al. 2023); numbers agree with diffusers' schedulers.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, cast, get_args

import torch

from turbolens.filter.errors import UnsupportedModelError

from .timesteps import (
    direct_timesteps,
    executed_steps,
    lcm_timesteps,
    shortest_number,
    trailing_timesteps,
)

PredictionType = Literal["epsilon", "v_prediction"]
Sampler = Literal["euler", "euler_ancestral", "lcm", "ddim"]

# Schedulers of higher order agree with Euler in one step, and are replaced by it in several.
_SAMPLERS: dict[str, Sampler] = {
    "DDIMScheduler": "ddim",
    "LCMScheduler": "lcm",
    "EulerAncestralDiscreteScheduler": "euler_ancestral",
    **dict.fromkeys(
        (
            "EulerDiscreteScheduler", "PNDMScheduler", "DDPMScheduler", "LMSDiscreteScheduler",
            "HeunDiscreteScheduler", "DPMSolverMultistepScheduler", "DPMSolverSinglestepScheduler",
            "KDPM2DiscreteScheduler", "KDPM2AncestralDiscreteScheduler", "DEISMultistepScheduler",
            "UniPCMultistepScheduler",
        ),
        "euler",
    ),
}  # fmt: skip


@dataclass(frozen=True)
class Step:
    """One denoising step: at `timestep` (ᾱ = `alpha`) predict, then go on to ᾱ = `next_alpha`."""

    timestep: int
    alpha: float
    next_alpha: float
    last: bool


@dataclass(frozen=True, eq=False)
class Schedule:
    """What a scheduler config says about noise.

    alphas_cumprod: float32 (T,), ᾱ of every timestep 0…T-1.
    final_alpha: ᾱ that DDIM goes to after its last step: 1, or ᾱ of timestep 0.
    original_steps, timestep_scaling: the grid and the boundary condition of LCM.
    """

    alphas_cumprod: torch.Tensor
    prediction_type: PredictionType = "epsilon"
    sampler: Sampler = "euler"
    final_alpha: float = 1.0
    original_steps: int = 50
    timestep_scaling: float = 10.0

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> "Schedule":
        """The schedule of a diffusers scheduler config.

        Raises `UnsupportedModelError` for classes, betas, predictions and options not known here.
        """
        sampler = _sampler(config)
        _refuse_unknown_options(config, sampler)
        alphas_cumprod = torch.cumprod(1.0 - _betas(config), dim=0)
        to_one = config.get("set_alpha_to_one", True)
        return cls(
            alphas_cumprod=alphas_cumprod,
            prediction_type=_prediction_type(config),
            sampler=sampler,
            final_alpha=1.0 if to_one or sampler != "ddim" else float(alphas_cumprod[0]),
            original_steps=int(config.get("original_inference_steps", 50)),
            timestep_scaling=float(config.get("timestep_scaling", 10.0)),
        )

    def __len__(self) -> int:
        return len(self.alphas_cumprod)

    def direct_steps(self, strength: float, steps: int = 1) -> tuple[Step, ...]:
        """The steps from the timestep that strength (0…1) itself means, evenly down to clean."""
        timesteps = direct_timesteps(strength, steps, count=len(self))
        return self._steps(timesteps, [self._alpha(target) for target in (*timesteps[1:], -1)])

    def diffusers_steps(self, strength: float, steps: int = 1) -> tuple[Step, ...]:
        """The steps of the shortest schedule of which strength leaves this many.

        This is what diffusers' image-to-image pipelines run with that `num_inference_steps` and
        strength; where no schedule is long enough, the last steps of the longest one.
        """
        longest, count = (self.original_steps, None) if self._is_lcm else (len(self), len(self))
        number = shortest_number(strength, steps, longest, count)
        return self._pipeline_steps(number, steps)

    def pipeline_steps(self, num_inference_steps: int, strength: float) -> tuple[Step, ...]:
        """Exactly the steps of diffusers' pipelines: trailing spacing, or LCM's own grid.

        Raises `SettingsError` where they run none, or the schedule's length is not usable.
        """
        executed = executed_steps(num_inference_steps, strength)
        return self._pipeline_steps(num_inference_steps, executed)

    def _pipeline_steps(self, number: int, executed: int) -> tuple[Step, ...]:
        if self._is_lcm:
            timesteps = lcm_timesteps(number, len(self), self.original_steps)[-executed:]
        else:
            timesteps = trailing_timesteps(number, len(self))[-executed:]
        # DDIM walks in strides of ⌊T/N⌋, which are not always the timesteps that it visits.
        stride = len(self) // number
        targets = (
            [t - stride for t in timesteps] if self.sampler == "ddim" else [*timesteps[1:], -1]
        )
        return self._steps(timesteps, [self._alpha(target) for target in targets])

    def error_gain(self, timestep: int) -> float:
        """By how much an error of model_output is larger in the clean estimate."""
        alpha = self._alpha(timestep)
        return math.sqrt(1.0 - alpha) if self.prediction_type == "v_prediction" else _sigma(alpha)

    @property
    def _is_lcm(self) -> bool:
        return self.sampler == "lcm"

    def _alpha(self, timestep: int) -> float:
        return float(self.alphas_cumprod[timestep]) if timestep >= 0 else self.final_alpha

    def _steps(self, timesteps: list[int], next_alphas: list[float]) -> tuple[Step, ...]:
        last = len(timesteps) - 1
        return tuple(
            Step(timestep, self._alpha(timestep), next_alpha, index == last)
            for index, (timestep, next_alpha) in enumerate(zip(timesteps, next_alphas, strict=True))
        )


def add_noise(latents: torch.Tensor, noise: torch.Tensor, alpha: float) -> torch.Tensor:
    """Clean latents and noise → noisy latents at ᾱ = alpha, in float32."""
    return math.sqrt(alpha) * latents.float() + math.sqrt(1.0 - alpha) * noise.float()


def denoised(
    noisy: torch.Tensor,
    model_output: torch.Tensor,
    alpha: float,
    prediction_type: PredictionType = "epsilon",
) -> torch.Tensor:
    """The clean estimate, in float32: at t = 999 of SD an error is amplified 14.6 times."""
    noisy, model_output = noisy.float(), model_output.float()
    if prediction_type == "v_prediction":
        return math.sqrt(alpha) * noisy - math.sqrt(1.0 - alpha) * model_output
    return (noisy - math.sqrt(1.0 - alpha) * model_output) / math.sqrt(alpha)


def next_noisy(
    schedule: Schedule,
    step: Step,
    *,
    clean: torch.Tensor,
    noisy: torch.Tensor,
    noise: torch.Tensor | None = None,
) -> torch.Tensor:
    """Noisy latents and their clean estimate → the noisy latents of the next step.

    After the last step these are the result. `noise` is a fresh draw, which "lcm" and
    "euler_ancestral" add before every further step.
    """
    if schedule.sampler == "lcm":
        clean = _at_boundary(clean, noisy, step.timestep * schedule.timestep_scaling)
    if step.next_alpha == 1.0 or (step.last and schedule.sampler == "lcm"):
        return clean
    if schedule.sampler == "lcm":
        return add_noise(clean, _required(noise), step.next_alpha)
    residual = (noisy - math.sqrt(step.alpha) * clean) / math.sqrt(1.0 - step.alpha)
    if schedule.sampler != "euler_ancestral":
        return add_noise(clean, residual, step.next_alpha)
    up, down = _ancestral(step)
    return math.sqrt(step.next_alpha) * (clean + down * residual + up * _required(noise))


def _at_boundary(clean: torch.Tensor, noisy: torch.Tensor, scaled_timestep: float) -> torch.Tensor:
    """c_out · clean + c_skip · noisy of the consistency model (its sigma_data is 0.5)."""
    size = scaled_timestep**2 + 0.25
    return scaled_timestep / math.sqrt(size) * clean + 0.25 / size * noisy


def _ancestral(step: Step) -> tuple[float, float]:
    """σ_up and σ_down: the fresh and the kept share of the next noise."""
    before, after = _sigma(step.alpha), _sigma(step.next_alpha)
    up = math.sqrt(max(after**2 * (before**2 - after**2) / before**2, 0.0))
    return up, math.sqrt(max(after**2 - up**2, 0.0))


def _sigma(alpha: float) -> float:
    return math.sqrt((1.0 - alpha) / alpha)


def _required(noise: torch.Tensor | None) -> torch.Tensor:
    if noise is None:
        raise ValueError("this sampler needs a draw of noise before every further step, got none")
    return noise


def _sampler(config: Mapping[str, Any]) -> Sampler:
    name = config.get("_class_name", "EulerDiscreteScheduler")
    if name not in _SAMPLERS:
        raise UnsupportedModelError(
            f"the scheduler must be one of {', '.join(_SAMPLERS)}, got {name!r}"
        )
    return _SAMPLERS[name]


def _prediction_type(config: Mapping[str, Any]) -> PredictionType:
    prediction_type = config.get("prediction_type", "epsilon")
    if prediction_type not in get_args(PredictionType):
        raise UnsupportedModelError(
            f"prediction_type must be epsilon or v_prediction, got {prediction_type!r}"
        )
    return cast(PredictionType, prediction_type)


def _refuse_unknown_options(config: Mapping[str, Any], sampler: Sampler) -> None:
    clips_by_default = config.get("_class_name") == "DDIMScheduler"
    clips = config.get("clip_sample", clips_by_default) and sampler in ("ddim", "lcm")
    refused = {
        "rescale_betas_zero_snr": bool(config.get("rescale_betas_zero_snr")),
        "thresholding": bool(config.get("thresholding")),
        "clip_sample": bool(clips),
        "final_sigmas_type": sampler == "euler"
        and config.get("final_sigmas_type", "zero") != "zero",
    }
    for name, is_set in refused.items():
        if is_set:
            raise UnsupportedModelError(
                f"a scheduler with {name} is not supported, got {config.get(name, True)!r}: "
                "switch it off in scheduler/scheduler_config.json"
            )


def _betas(config: Mapping[str, Any]) -> torch.Tensor:
    """float32 (T,). `trained_betas` go before any formula."""
    count = int(config.get("num_train_timesteps", 1000))
    trained = config.get("trained_betas")
    if trained is not None:
        betas = torch.tensor(trained, dtype=torch.float32)
    else:
        betas = _betas_by_formula(config, count)
    if betas.shape != (count,) or not bool(((betas >= 0) & (betas < 1)).all()):
        raise UnsupportedModelError(
            f"betas must be {count} numbers from 0 to below 1, got {tuple(betas.shape)} "
            f"between {float(betas.min())} and {float(betas.max())}"
        )
    return betas


def _betas_by_formula(config: Mapping[str, Any], count: int) -> torch.Tensor:
    kind = config.get("beta_schedule", "linear")
    start, end = float(config.get("beta_start", 1e-4)), float(config.get("beta_end", 0.02))
    if kind == "linear":
        return torch.linspace(start, end, count, dtype=torch.float32)
    if kind == "scaled_linear":
        return torch.linspace(start**0.5, end**0.5, count, dtype=torch.float32) ** 2
    if kind == "squaredcos_cap_v2":
        kept = [math.cos((t / count + 0.008) / 1.008 * math.pi / 2) ** 2 for t in range(count + 1)]
        betas = [min(1 - kept[t + 1] / kept[t], 0.999) for t in range(count)]
        return torch.tensor(betas, dtype=torch.float32)
    raise UnsupportedModelError(
        "beta_schedule must be linear, scaled_linear or squaredcos_cap_v2 (or give trained_betas), "
        f"got {kind!r}"
    )
