"""The noise schedule, and the mathematics of one denoising step.

Noisy latents are variance-preserving, `√ᾱ · clean + √(1-ᾱ) · noise`, as the network expects them
with every sampler. After DDIM (Song et al. 2021), k-diffusion's ancestral Euler, and the
consistency models of LCM (Luo et al. 2023). Numbers agree with diffusers' schedulers.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch

from .scheduler_config import (
    PredictionType,
    Sampler,
    betas_of,
    prediction_type_of,
    refuse_unsupported_options,
    sampler_of,
)
from .timesteps import direct_timesteps, lcm_timesteps, shortest_number, trailing_timesteps


@dataclass(frozen=True)
class Step:
    """One denoising step, from `timestep` with ᾱ = `alpha` to ᾱ = `next_alpha`."""

    timestep: int
    alpha: float
    next_alpha: float
    last: bool


@dataclass(frozen=True, eq=False)
class Schedule:
    """The noise schedule of a model.

    alphas_cumprod: float32 (T,), ᾱ of each timestep 0…T-1. final_alpha: ᾱ after the last step of
    DDIM: 1, or ᾱ of timestep 0. original_steps, timestep_scaling: the grid and the boundary
    condition of LCM.
    """

    alphas_cumprod: torch.Tensor
    prediction_type: PredictionType = "epsilon"
    sampler: Sampler = "euler"
    final_alpha: float = 1.0
    original_steps: int = 50
    timestep_scaling: float = 10.0

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> "Schedule":
        """The schedule of a scheduler config of diffusers.

        Raises `UnsupportedModelError` for unknown classes, betas, prediction types and options.
        """
        sampler = sampler_of(config)
        refuse_unsupported_options(config, sampler)
        alphas_cumprod = torch.cumprod(1.0 - betas_of(config), dim=0)
        to_one = config.get("set_alpha_to_one", True)
        return cls(
            alphas_cumprod=alphas_cumprod,
            prediction_type=prediction_type_of(config),
            sampler=sampler,
            final_alpha=1.0 if to_one or sampler != "ddim" else float(alphas_cumprod[0]),
            original_steps=int(config.get("original_inference_steps", 50)),
            timestep_scaling=float(config.get("timestep_scaling", 10.0)),
        )

    def __len__(self) -> int:
        return len(self.alphas_cumprod)

    def direct_steps(self, strength: float, steps: int = 1) -> tuple[Step, ...]:
        """Steps evenly from the timestep of strength (0…1) down to clean."""
        timesteps = direct_timesteps(strength, steps, count=len(self))
        return self._steps(timesteps, [self._alpha(target) for target in (*timesteps[1:], -1)])

    def diffusers_steps(self, strength: float, steps: int = 1) -> tuple[Step, ...]:
        """The steps of diffusers' image-to-image pipelines with the smallest `num_inference_steps`
        for which they run this many steps at this strength.

        If no number is large enough, the last steps of the largest.
        """
        longest, count = (self.original_steps, None) if self._is_lcm else (len(self), len(self))
        number = shortest_number(strength, steps, longest, count)
        return self.last_pipeline_steps(number, steps)

    def last_pipeline_steps(self, number: int, executed: int) -> tuple[Step, ...]:
        """The last `executed` of the `number` steps of a pipeline.

        Raises `SettingsError` if `number` is not usable with this schedule.
        """
        if self._is_lcm:
            timesteps = lcm_timesteps(number, len(self), self.original_steps)[-executed:]
        else:
            timesteps = trailing_timesteps(number, len(self))[-executed:]
        # DDIM steps by ⌊T/N⌋, which is not always the distance between its timesteps.
        stride = len(self) // number
        targets = (
            [t - stride for t in timesteps] if self.sampler == "ddim" else [*timesteps[1:], -1]
        )
        return self._steps(timesteps, [self._alpha(target) for target in targets])

    def error_gain(self, timestep: int) -> float:
        """The factor from an error of model_output to that of the clean estimate."""
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
    """Noisy latents and their clean estimate → the noisy latents of the next step, or the result.

    noise: a new draw, which the samplers "lcm" and "euler_ancestral" add before each further step.
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
    """c_out · clean + c_skip · noisy of a consistency model, with sigma_data 0.5."""
    size = scaled_timestep**2 + 0.25
    return scaled_timestep / math.sqrt(size) * clean + 0.25 / size * noisy


def _ancestral(step: Step) -> tuple[float, float]:
    """σ_up and σ_down: the new and the kept share of the noise."""
    before, after = _sigma(step.alpha), _sigma(step.next_alpha)
    up = math.sqrt(max(after**2 * (before**2 - after**2) / before**2, 0.0))
    return up, math.sqrt(max(after**2 - up**2, 0.0))


def _sigma(alpha: float) -> float:
    return math.sqrt((1.0 - alpha) / alpha)


def _required(noise: torch.Tensor | None) -> torch.Tensor:
    if noise is None:
        raise ValueError("this sampler needs a draw of noise before every further step, got none")
    return noise
