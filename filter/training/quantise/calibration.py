"""The inputs of the modules when pictures are filtered, to calibrate on."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from turbolens.filter import TurboModel
from turbolens.filter.diffusion.schedule import add_noise, denoised

MODULES = ("encoder", "predictor", "decoder")
STRENGTHS = (0.3, 0.5, 0.6, 0.7, 0.8, 0.9)


@dataclass(frozen=True)
class ModuleInputs:
    """What each module gets for some pictures: one tuple of tensors for each picture."""

    encoder: list[tuple[Tensor, ...]]
    predictor: list[tuple[Tensor, ...]]
    decoder: list[tuple[Tensor, ...]]


@torch.inference_mode()
def module_inputs(model: TurboModel, pictures: Sequence[Tensor], seed: int) -> ModuleInputs:
    """The inputs of the modules when pictures (H, W, 3) uint8 are filtered.

    Each picture gets a random look and a random strength of `STRENGTHS`.
    """
    generator = torch.Generator().manual_seed(seed)
    prompts = model.looks or ("",)
    inputs = ModuleInputs([], [], [])
    for picture in pictures:
        prompt, strength = (_drawn(each, generator) for each in (prompts, STRENGTHS))
        _append_inputs(inputs, model, picture, prompt=prompt, strength=strength)
    return inputs


def _append_inputs(
    inputs: ModuleInputs, model: TurboModel, picture: Tensor, *, prompt: str, strength: float
) -> None:
    modules, schedule, embeds = model.modules, model.schedule, model.prompts.encode(prompt)
    step = schedule.direct_steps(strength)[0]
    rgb = picture[None].to(model.device)
    latents = modules.encoder(rgb)
    noisy = add_noise(latents, fixed_noise(latents), step.alpha)
    timestep = torch.tensor([step.timestep], device=model.device)
    for_unet = noisy, timestep, embeds.prompt_embeds, *model.added_conditions(noisy, embeds)
    output = modules.predictor(*for_unet)
    inputs.encoder.append((rgb,))
    inputs.predictor.append(for_unet)
    inputs.decoder.append((denoised(noisy, output, step.alpha, schedule.prediction_type),))


def fixed_noise(latents: Tensor) -> Tensor:
    """The noise of a filter with seed 0."""
    return torch.randn(latents.shape, generator=torch.Generator().manual_seed(0)).to(latents)


def _drawn(choices: Sequence[Any], generator: torch.Generator) -> Any:
    return choices[int(torch.randint(len(choices), (1,), generator=generator))]
