"""A UNet with its noise schedule for training: one timestep per row, with gradients."""

from collections.abc import Sequence

import torch
from torch import Tensor

from turbolens.filter.acceleration.modules import Predictor
from turbolens.filter.diffusion.prompts import PromptEmbeds, PromptEncoder
from turbolens.filter.diffusion.schedule import Schedule
from turbolens.filter.networks import UNet


class Diffusion:
    """Adds noise to latents and denoises them with `unet`, at any timestep of `schedule`.

    Epsilon and v prediction, SD 1, 2 and XL. vae_scale_factor: pixels per latent pixel along each
    side, for SDXL's size condition. in_bfloat16: of the arithmetic, not of the weights.
    """

    def __init__(
        self, unet: UNet, schedule: Schedule, vae_scale_factor: int, in_bfloat16: bool = False
    ) -> None:
        self.unet, self.schedule = unet, schedule
        self.vae_scale_factor, self.in_bfloat16 = vae_scale_factor, in_bfloat16
        self._predictor = Predictor(unet)
        self._alphas_cumprod = schedule.alphas_cumprod.to(unet.device)

    @property
    def device(self) -> torch.device:
        """The device of the UNet."""
        return self.unet.device

    def __len__(self) -> int:
        return len(self.schedule)

    def alphas_cumprod(self, timesteps: Tensor) -> Tensor:
        """ᾱ of timesteps (B,) as (B, 1, 1, 1) float32."""
        return self._alphas_cumprod[timesteps].view(-1, 1, 1, 1)

    def noisy(self, clean: Tensor, noise: Tensor, timesteps: Tensor) -> Tensor:
        """x_t = α_t·x₀ + σ_t·ε, with α_t = √ᾱ_t and σ_t = √(1 − ᾱ_t); timesteps (B,)."""
        alpha = self.alphas_cumprod(timesteps)
        return alpha.sqrt() * clean + (1 - alpha).sqrt() * noise

    def denoised(self, noisy: Tensor, timesteps: Tensor, text: PromptEmbeds) -> Tensor:
        """The clean estimate x̂(x_t, t, c) of noisy latents (B, C, h, w), in float32.

        Of ε it is (x_t − σ_t·ε) / α_t; of v it is α_t·x_t − σ_t·v. `text` has one row for each.
        """
        alpha = self.alphas_cumprod(timesteps)
        signal, spread = alpha.sqrt(), (1 - alpha).sqrt()
        added = self.added(noisy, text)
        with torch.autocast(self.device.type, torch.bfloat16, self.in_bfloat16):
            output = self._predictor(
                noisy, timesteps, text.prompt_embeds.to(self.unet.dtype), **added
            ).float()
        clean: Tensor = (noisy - spread * output) / signal
        if self.schedule.prediction_type == "v_prediction":
            clean = signal * noisy - spread * output
        return clean

    def guided(
        self, noisy: Tensor, timesteps: Tensor, text: PromptEmbeds, empty: PromptEmbeds,
        guidance: float,
    ) -> Tensor:  # fmt: skip
        """x̂(∅) + g·(x̂(c) − x̂(∅)): classifier-free guidance (Ho and Salimans, 2022).

        The same for ε, v and x̂, which are linear in each other. A guidance of 1 is none, and
        costs one pass instead of two.
        """
        with_text = self.denoised(noisy, timesteps, text)
        if guidance == 1:
            return with_text
        without = self.denoised(noisy, timesteps, empty)
        return without + guidance * (with_text - without)

    def added(self, noisy: Tensor, text: PromptEmbeds) -> dict[str, Tensor]:
        """SDXL's added conditions, else none: pooled text, and the size of the whole image."""
        if self.unet.config.addition_embed_type != "text_time" or text.pooled_prompt_embeds is None:
            return {}
        height, width = (self.vae_scale_factor * n for n in noisy.shape[-2:])
        size = torch.tensor([height, width, 0, 0, height, width], device=noisy.device)
        return {
            "text_embeds": text.pooled_prompt_embeds.to(self.unet.dtype),
            "time_ids": size.expand(len(noisy), -1).to(self.unet.dtype),
        }


class Texts:
    """Captions → `PromptEmbeds` with one row each, usable in a backward pass."""

    def __init__(self, encoder: PromptEncoder) -> None:
        self._encoder = encoder

    def __call__(self, captions: Sequence[str]) -> PromptEmbeds:
        """prompt_embeds (B, tokens, width), pooled_prompt_embeds (B, width) or None."""
        every = [self._encoder.encode(_plain(caption)) for caption in captions]
        pooled = [each.pooled_prompt_embeds for each in every]
        # cat makes new tensors outside of inference mode, which autograd can save.
        return PromptEmbeds(
            torch.cat([each.prompt_embeds for each in every]).clone(),
            torch.cat([each for each in pooled if each is not None]) if pooled[0] is not None
            else None,
        )  # fmt: skip


def _plain(caption: str) -> str:
    """Escape brackets: in a caption they are text, not weights."""
    return "".join(f"\\{each}" if each in "()[]" else each for each in caption)
