"""The networks of a distillation: teacher, student, heads, autoencoder, texts."""

from copy import deepcopy
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from turbolens.filter.acceleration.modules import Decoder, Encoder
from turbolens.filter.diffusion.autoencoder import vae_scale_factor
from turbolens.filter.diffusion.prompts import PromptEmbeds, PromptEncoder
from turbolens.filter.errors import SettingsError
from turbolens.filter.loading.folders import Components
from turbolens.filter.networks import module_of

from .diffusion import Diffusion, Texts
from .discriminator import Discriminator
from .features import feature_channels


@dataclass(frozen=True)
class Networks:
    """The networks; student and discriminator are trained, all others are frozen."""

    teacher: Diffusion
    student: Diffusion
    discriminator: Discriminator
    encoder: Encoder
    decoder: Decoder
    texts: Texts

    @property
    def trained(self) -> nn.Module:
        """The modules that a training stage updates, averages and stores."""
        return nn.ModuleDict({"student": module_of(self.student.unet), "heads": self.discriminator})

    @torch.no_grad()
    def encode(self, images: Tensor) -> Tensor:
        """Images (B, 3, H, W) in −1…1 on any device → scaled latents on the networks' device."""
        return self.encoder.from_image(images.to(self.teacher.device))


def new_networks(components: Components, device: torch.device, *, seed: int = 0) -> Networks:
    """Make the networks of a distillation; `components` become the teacher.

    On a GPU the teacher's weights and all arithmetic are in bfloat16; the student's weights stay in
    float32, since its updates are small. seed: for the heads.
    """
    on_gpu = device.type != "cpu"
    student, teacher = _on(deepcopy(components.unet), device), _on(components.unet, device)
    student.train()
    if on_gpu:
        nn.Module.to(teacher, torch.bfloat16)  # the network's own `to` warns of every dtype
    for frozen in (teacher, components.vae, *components.text_encoders):
        _on(frozen, device).requires_grad_(False).eval()
    factor, schedule = vae_scale_factor(components.vae), components.schedule
    teacher_diffusion = Diffusion(teacher, schedule, factor, on_gpu)
    scaling = float(components.vae.config.scaling_factor)
    prompts = PromptEncoder(components.tokenizers, components.text_encoders, torch.float32)
    return Networks(
        teacher=teacher_diffusion,
        student=Diffusion(student, schedule, factor, on_gpu),
        discriminator=_new_heads(teacher_diffusion, seed).to(device),
        encoder=Encoder(components.vae, scaling),
        decoder=Decoder(components.vae, scaling),
        texts=Texts(prompts),
    )


def _on(network: Any, device: torch.device) -> Any:
    return nn.Module.to(network, device)


def _new_heads(teacher: Diffusion, seed: int) -> Discriminator:
    channels, config = feature_channels(teacher), teacher.unet.config
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return Discriminator(
            channels, text=config.cross_attention_dim, image=channels[-1],
            time=config.block_out_channels[0],
        )  # fmt: skip


def rows_of(text: PromptEmbeds, rows: Tensor | slice) -> PromptEmbeds:
    """Select rows of embeds, in that order."""
    pooled = text.pooled_prompt_embeds
    return PromptEmbeds(text.prompt_embeds[rows], None if pooled is None else pooled[rows])


def working_size(components: Components, size: int) -> int:
    """The working size in pixels; 0: the model's own. Raises `SettingsError` for an invalid one."""
    factor, config = vae_scale_factor(components.vae), components.unet.config
    native = config.sample_size if isinstance(config.sample_size, int) else 64
    multiple = factor * 2 ** (len(config.block_out_channels) - 1)
    if size % multiple:
        raise SettingsError(f"--size must be a multiple of {multiple} for this model, got {size}")
    return size or native * factor
