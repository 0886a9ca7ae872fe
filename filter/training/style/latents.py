"""New looks and phrases first on latents: three times as many crops in the time of images."""

import torch
from torch import Tensor

from turbolens.filter.networks import Autoencoder
from turbolens.filter.training.data import LatentRenders, channel_importance
from turbolens.filter.training.denoiser_stage import Denoiser, latent_loss
from turbolens.filter.training.loop import Losses

from .draws import draw_plain
from .references import References

BATCH, CROP = 24, 128


class StyleLatentLosses:
    """The loss of one step of UNet and text encoder, without the decoder.

    The target is the latents of photograph and rendering, mixed by strength, as in the second
    stage; but the looks are those of the recipes, with painters as photographs in their palettes.
    """

    def __init__(self, vae: Autoencoder, denoiser: Denoiser, references: References) -> None:
        self.vae, self.denoiser, self.references = vae, denoiser, references
        pictures = [
            references.photograph(index) for index in range(len(references.photographs))[:8]
        ]
        images = torch.stack([each[:, :256, :256] for each in pictures]).float() / 127.5 - 1
        latents = self._encode(images.to(vae.device))[:, None].half().cpu().numpy()
        self.importance = channel_importance(vae, LatentRenders(latents))

    def __call__(self, generator: torch.Generator, step: int) -> Losses:
        """By name: latents."""
        drawn = draw_plain(self.references, generator, step, rows=BATCH, size=CROP)
        drawn = drawn.to(self.vae.device)
        latents, wanted = self._encode(drawn.photographs), self._encode(drawn.target)
        noise = torch.randn(latents.shape, generator=generator).to(latents)
        first, second = (self.denoiser.embed(e) for e in (drawn.prompts, drawn.second_prompts))
        embeds = torch.lerp(first, second, drawn.weight.view(-1, 1, 1))
        denoised = self.denoiser(latents, noise, drawn.strength, embeds)
        return {"latents": latent_loss(denoised, wanted, self.importance)}

    @torch.no_grad()
    def _encode(self, images: Tensor) -> Tensor:
        latents: Tensor = self.vae.encode(images).latents
        return latents
