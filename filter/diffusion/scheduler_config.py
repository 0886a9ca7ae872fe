"""Reads the scheduler config of a model in diffusers' format."""

import math
from collections.abc import Mapping
from typing import Any, Literal, cast, get_args

import torch

from turbolens.filter.errors import UnsupportedModelError

PredictionType = Literal["epsilon", "v_prediction"]
Sampler = Literal["euler", "euler_ancestral", "lcm", "ddim"]

# Schedulers of higher order equal Euler for one step; for several, Euler replaces them.
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


def sampler_of(config: Mapping[str, Any]) -> Sampler:
    """The sampler for the scheduler class. Raises `UnsupportedModelError` for unknown classes."""
    name = config.get("_class_name", "EulerDiscreteScheduler")
    if name not in _SAMPLERS:
        raise UnsupportedModelError(
            f"the scheduler must be one of {', '.join(_SAMPLERS)}, got {name!r}"
        )
    return _SAMPLERS[name]


def prediction_type_of(config: Mapping[str, Any]) -> PredictionType:
    """What the UNet predicts. Raises `UnsupportedModelError` for other predictions."""
    prediction_type = config.get("prediction_type", "epsilon")
    if prediction_type not in get_args(PredictionType):
        raise UnsupportedModelError(
            f"prediction_type must be epsilon or v_prediction, got {prediction_type!r}"
        )
    return cast(PredictionType, prediction_type)


def refuse_unsupported_options(config: Mapping[str, Any], sampler: Sampler) -> None:
    """Raises `UnsupportedModelError` for options that would change the result."""
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


def betas_of(config: Mapping[str, Any]) -> torch.Tensor:
    """The betas, float32 (T,). `trained_betas` take precedence over a formula."""
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
