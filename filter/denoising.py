"""Denoises the latents of several frames, in as few passes of the UNet as possible."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch

from .adapters.control_images import control_image
from .adapters.lora import Weights
from .coherence.change import Change
from .diffusion.conditions import Conditions
from .diffusion.prompts import PromptEmbeds
from .diffusion.schedule import Schedule, Step
from .model import TurboModel
from .settings import FilterSettings, WeightedPrompt
from .stream import Stream


class UNetPass(NamedTuple):
    """What frames must have in common to go through the UNet as one batch.

    memory_of: the stream whose cross-frame memory is used, if any. The scales are `None` without a
    control image or an image prompt.
    """

    steps: tuple[Step, ...]
    memory_of: Stream | None
    lora_weights: Weights
    control_scale: float | None
    image_prompt_scale: float | None

    @classmethod
    def of(cls, stream: Stream, settings: FilterSettings, *, has_control: bool) -> "UNetPass":
        """The pass for a frame of this stream. has_control: there is a control image."""
        uses_control = has_control and settings.control_scale > 0
        uses_image = stream.image_embeds is not None and settings.image_prompt_scale > 0
        return cls(
            steps=_steps(stream.model.schedule, settings),
            memory_of=None if settings.cross_frame == "off" else stream,
            lora_weights=stream.model.adapters.loras.weights(settings.lora_weights),
            control_scale=settings.control_scale if uses_control else None,
            image_prompt_scale=settings.image_prompt_scale if uses_image else None,
        )


@dataclass(frozen=True, eq=False)
class Encoded:
    """The clean latents of a frame, blended with the last ones, and what the UNet needs besides.

    latents: (1, C, h, w). noise: one draw (1, C, h, w) for each step. change: since the last frame.
    control: the control image, RGB uint8 (H, W, 3), if there is one.
    """

    stream: Stream
    settings: FilterSettings
    latents: torch.Tensor
    noise: tuple[torch.Tensor, ...]
    change: Change | None
    prompts: tuple[WeightedPrompt, ...]
    control: torch.Tensor | None
    unet_pass: UNetPass


def denoised(model: TurboModel, encoded: Sequence[Encoded]) -> torch.Tensor:
    """Clean latents → noisy → clean (B, C, h, w), in the order of `encoded`."""
    clean: dict[Encoded, torch.Tensor] = {}
    batches: dict[tuple[UNetPass, int], list[Encoded]] = {}
    for each in encoded:
        count = model.prompts.window_count(each.prompts)  # prompt embeds of one length
        batches.setdefault((each.unet_pass, count), []).append(each)
    for (unet_pass, _), batch in batches.items():
        latents = _denoised_together(model, unet_pass, batch)
        clean |= dict(zip(batch, torch.split(latents, 1), strict=True))
    return joined([clean[each] for each in encoded])


def joined(tensors: Sequence[torch.Tensor]) -> torch.Tensor:
    """The tensors as one batch; a single one is not copied."""
    return tensors[0] if len(tensors) == 1 else torch.cat(list(tensors))


def _steps(schedule: Schedule, settings: FilterSettings) -> tuple[Step, ...]:
    diffusers = settings.timesteps == "diffusers"
    steps_for = schedule.diffusers_steps if diffusers else schedule.direct_steps
    return steps_for(settings.strength, settings.steps)


def _denoised_together(
    model: TurboModel, unet_pass: UNetPass, batch: Sequence[Encoded]
) -> torch.Tensor:
    model.adapters.loras.use(unet_pass.lora_weights)
    with batch[0].stream.cross_frame(batch[0].settings):
        return model.denoise(
            joined([each.latents for each in batch]),
            steps=unet_pass.steps,
            noise=[joined(draws) for draws in zip(*(each.noise for each in batch), strict=True)],
            embeds=_conditions(model, unet_pass, batch),
        )


def _conditions(model: TurboModel, unet_pass: UNetPass, batch: Sequence[Encoded]) -> PromptEmbeds:
    """Text, and the control images and image prompts of this pass, if there are any."""
    text = _prompt_embeds(model, batch)
    control_scale, image_scale = unet_pass.control_scale, unet_pass.image_prompt_scale
    if control_scale is None and image_scale is None:
        return text
    controls = _given(each.control for each in batch) if control_scale is not None else []
    images = _given(each.stream.image_embeds for each in batch) if image_scale is not None else []
    return Conditions(
        text.prompt_embeds,
        text.pooled_prompt_embeds,
        image_embeds=joined(images) if images else None,
        image_scale=image_scale or 0.0,
        control_image=control_image(controls, model.device, model.dtype) if controls else None,
        control_scale=control_scale or 0.0,
    )


def _prompt_embeds(model: TurboModel, batch: Sequence[Encoded]) -> PromptEmbeds:
    """The embeds (1 or B, tokens, width); 1 if all frames have the same prompts."""
    embeds = [model.prompts(each.prompts) for each in batch]
    if all(each is embeds[0] for each in embeds):
        return embeds[0]
    pooled = _given(each.pooled_prompt_embeds for each in embeds)
    return PromptEmbeds(
        torch.cat([each.prompt_embeds for each in embeds]), torch.cat(pooled) if pooled else None
    )


def _given(tensors: Iterable[torch.Tensor | None]) -> list[torch.Tensor]:
    return [tensor for tensor in tensors if tensor is not None]
