"""The networks of one step as modules whose inputs and results are tensors, for backends."""

from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from turbolens.filter.networks import Autoencoder, LayerRanges, UNet


class Encoder(nn.Module):
    """RGB uint8 (B, H, W, 3) → scaled latents (B, C, h, w) in float32."""

    def __init__(self, vae: Autoencoder, scaling_factor: float) -> None:
        super().__init__()
        self.vae, self.scaling_factor = vae, scaling_factor

    def forward(self, rgb: torch.Tensor) -> torch.Tensor:
        image = rgb.permute(0, 3, 1, 2).to(self.vae.dtype).div(127.5).sub(1.0)
        return self.from_image(image)

    def from_image(self, image: torch.Tensor) -> torch.Tensor:
        """Image (B, 3, H, W) in −1…1 → the same. AutoencoderKL gives the mode."""
        encoded = self.vae.encode(image.to(self.vae.dtype))
        distribution = getattr(encoded, "latent_dist", None)
        latents = encoded.latents if distribution is None else distribution.mode()
        return latents.float() * self.scaling_factor  # type: ignore[no-any-return]


class Predictor(nn.Module):
    """Noisy latents (B, C, h, w) float32 → model_output of the same shape: one pass of the UNet.

    timestep: (1,). prompt_embeds: (B, tokens, width). SDXL also takes text_embeds (B, width) and
    time_ids (B, 6).
    """

    def __init__(self, unet: UNet) -> None:
        super().__init__()
        self.unet = unet

    def forward(
        self,
        noisy: torch.Tensor,
        timestep: torch.Tensor,
        prompt_embeds: torch.Tensor,
        text_embeds: torch.Tensor | None = None,
        time_ids: torch.Tensor | None = None,
    ) -> torch.Tensor:
        added = {"text_embeds": text_embeds, "time_ids": time_ids} if time_ids is not None else {}
        output = self.unet(
            noisy.to(self.unet.dtype),
            timestep,
            encoder_hidden_states=prompt_embeds,
            added_cond_kwargs=added,
            return_dict=False,
        )
        return output[0]  # type: ignore[no-any-return]


class Decoder(nn.Module):
    """Scaled latents (B, C, h, w) float32 → image (B, 3, H, W) about −1…1, not clamped."""

    def __init__(self, vae: Autoencoder, scaling_factor: float) -> None:
        super().__init__()
        self.vae, self.scaling_factor = vae, scaling_factor

    def forward(self, latents: torch.Tensor) -> torch.Tensor:
        unscaled = (latents / self.scaling_factor).to(self.vae.dtype)
        return self.vae.decode(unscaled, return_dict=False)[0]  # type: ignore[no-any-return]


@dataclass(frozen=True)
class NetworkModules:
    """Encoder, predictor and decoder of one model."""

    encoder: Encoder
    predictor: Predictor
    decoder: Decoder

    @classmethod
    def from_networks(cls, vae: Autoencoder, unet: UNet) -> "NetworkModules":
        """The modules of these networks, which are not copied."""
        scaling_factor = float(vae.config.scaling_factor)
        return cls(Encoder(vae, scaling_factor), Predictor(unet), Decoder(vae, scaling_factor))

    @property
    def calibrated(self) -> bool:
        """True if a module has activation ranges."""
        modules: tuple[Any, ...] = self.encoder, self.predictor, self.decoder
        return any(getattr(each, "activation_ranges", {}) for each in modules)

    def set_activation_ranges(self, ranges: LayerRanges) -> None:
        """Set the attribute that calibrated backends need."""
        for name, layers in ranges.items():
            getattr(self, name).activation_ranges = dict(layers)
