"""The second stage: UNet and text encoder, trained on latents to give a look in one step."""

from copy import deepcopy

import torch
from diffusers import UNet2DConditionModel
from torch import Tensor, nn
from transformers import CLIPTextModel, CLIPTokenizer

from turbolens.filter.networks import UNet

from .autoencoder_stage import LATENT_CHANNELS
from .data import RENDERED, LatentRenders
from .loop import Losses, StepLosses
from .references.phrases import phrase
from .text import WIDTH, embeds_of, new_text_encoder

BATCH = 24
LATENT_CROP = 16  # latents a side: 128 pixels
MAX_NOISE = 0.03  # noise over signal at the last timestep
MIN_NOISE = 0.004  # and at the first
OUTPUT_SCALE = 48.0  # of the model_output: little noise must become a large change of latents
FULL_LOOK_AT = 0.8  # the strength from which on the target is the look alone
MIXED_SHARE = 0.3  # of the batch has two looks at once


def new_betas() -> list[float]:
    """1,000 betas: noise over signal is 0.004 + 0.026 ((t + 1) / 1000)², 0.01 at strength 0.5.

    With Stable Diffusion's schedule it is 1.6 there, too much for a small network to restore a
    face; with three times these values the remaining noise showed as the grid of the latents. The
    minimum stays well above float32's resolution, since samplers divide by it.
    Follows from ᾱ = 1 / (1 + σ²) and β_t = 1 − ᾱ_t / ᾱ_(t−1).
    """
    share = (torch.arange(1, 1001, dtype=torch.float64) / 1000) ** 2
    sigma = MIN_NOISE + (MAX_NOISE - MIN_NOISE) * share
    alphas_cumprod = 1 / (1 + sigma**2)
    before = torch.cat([torch.ones(1, dtype=torch.float64), alphas_cumprod[:-1]])
    return [float(beta) for beta in 1 - alphas_cumprod / before]


def look_share(strength: Tensor) -> Tensor:
    """The share of the look in the target: smoothstep of strength from 0 to `FULL_LOOK_AT`."""
    x = (strength / FULL_LOOK_AT).clamp(0, 1)
    return x * x * (3 - 2 * x)


def new_unet() -> UNet:
    """6.4 M parameters; text conditions every block through the time embedding, and the middle
    block by cross-attention."""
    return UNet2DConditionModel(  # type: ignore[no-untyped-call,return-value]
        sample_size=64,
        in_channels=LATENT_CHANNELS,
        out_channels=LATENT_CHANNELS,
        block_out_channels=(80, 112, 160),
        layers_per_block=1,
        down_block_types=("DownBlock2D",) * 3,
        mid_block_type="UNetMidBlock2DCrossAttn",
        up_block_types=("UpBlock2D",) * 3,
        cross_attention_dim=WIDTH,
        attention_head_dim=(5, 7, 10),
        norm_num_groups=16,
        use_linear_projection=True,
        resnet_time_scale_shift="scale_shift",
        addition_embed_type="text",
        addition_embed_type_num_heads=8,
    )


class Denoiser(nn.Module):
    """The modules of the second stage: `unet` (if `None`, untrained) and `text_encoder`."""

    alphas_cumprod: Tensor

    def __init__(
        self, tokenizer: CLIPTokenizer, in_bfloat16: bool = False, unet: UNet | None = None
    ) -> None:
        super().__init__()
        self.in_bfloat16 = in_bfloat16  # of the UNet's arithmetic, not of its weights
        self.unet = new_unet() if unet is None else unet
        self.text_encoder: CLIPTextModel = new_text_encoder(tokenizer)
        self.tokenizer = tokenizer
        betas = torch.tensor(new_betas(), dtype=torch.float32)  # as samplers have them
        self.register_buffer("alphas_cumprod", torch.cumprod(1 - betas, 0), False)

    def embed(self, prompts: list[str]) -> Tensor:
        """(B, tokens, width) prompt_embeds."""
        return embeds_of(self.tokenizer, self.text_encoder, prompts)

    def forward(self, latents: Tensor, noise: Tensor, strength: Tensor, embeds: Tensor) -> Tensor:
        """Clean latents, noise and strength (B,) → denoised latents, in one step."""
        timesteps = (strength * 1000).round().long().sub(1).clamp(0, 999)
        alpha = self.alphas_cumprod[timesteps].view(-1, 1, 1, 1)
        signal, spread = alpha.sqrt(), (1 - alpha).sqrt()
        noisy = signal * latents + spread * noise
        with torch.autocast(noisy.device.type, torch.bfloat16, self.in_bfloat16):
            output = self.unet(noisy, timesteps, encoder_hidden_states=embeds, return_dict=False)[0]
        denoised: Tensor = (noisy - spread * OUTPUT_SCALE * output.float()) / signal
        return denoised

    def scaled_unet(self) -> UNet:
        """The UNet with `OUTPUT_SCALE` in its last layer, for use in pipelines.

        With so little noise the outputs must be large; weights of that size would take most of the
        training to grow.
        """
        with torch.no_grad():
            unet: UNet = deepcopy(self.unet)
            for weight in unet.conv_out.parameters():
                weight.mul_(OUTPUT_SCALE)
        return unet


def latent_losses(denoiser: Denoiser, latents: LatentRenders, importance: Tensor) -> StepLosses:
    """The loss of one step on precomputed latents.

    importance: (channels,), as from `channel_importance`. The target does not depend on the noise,
    so the network learns to remove all of it.
    """

    def losses(generator: torch.Generator, _step: int) -> Losses:
        request = Request(generator, BATCH)
        clean, looks = latents.draw(generator, BATCH, LATENT_CROP, [request.first, request.second])
        wanted = request.target(clean, *looks)
        noise = torch.randn(clean.shape, generator=generator)
        device = importance.device
        denoised = request.denoise(denoiser, clean.to(device), noise.to(device))
        return {"latents": latent_loss(denoised, wanted.to(device), importance)}

    return losses


def latent_loss(denoised: Tensor, wanted: Tensor, importance: Tensor) -> Tensor:
    """Mean absolute difference of latents (B, C, h, w), the channels weighted to a mean of 1.

    Channels of fine detail count more here than in a pixel loss, in which a missing line costs half
    of a line in the wrong place.
    """
    scale = (importance / importance.mean()).view(1, -1, 1, 1)
    return ((denoised - wanted) * scale).abs().mean()


class Request:
    """The random conditions of a batch: strengths, one or two looks each, and their prompts."""

    def __init__(self, generator: torch.Generator, batch: int) -> None:
        uniform = torch.rand(3, batch, generator=generator)
        self.strength = 1 - 0.98 * uniform[0] ** 1.3
        self.first = self._looks(generator, batch)
        mixed = uniform[1] < MIXED_SHARE
        self.second = torch.where(mixed, self._looks(generator, batch), self.first)
        self.weight = (uniform[2] * mixed).view(-1, 1, 1, 1)
        self.first_prompts = self._prompts(self.first, generator)
        self.second_prompts = self._prompts(self.second, generator)

    def target(self, photographs: Tensor, first: Tensor, second: Tensor) -> Tensor:
        """The target, from photographs and looks as images or as latents."""
        look = torch.lerp(first, second, self.weight)
        return torch.lerp(photographs, look, look_share(self.strength).view(-1, 1, 1, 1))

    def denoise(self, denoiser: Denoiser, latents: Tensor, noise: Tensor) -> Tensor:
        """The denoiser's output for these conditions."""
        embeds, strength = self.embed(denoiser), self.strength.to(latents)
        denoised: Tensor = denoiser(latents, noise, strength, embeds)
        return denoised

    def embed(self, denoiser: Denoiser) -> Tensor:
        """(B, tokens, width) prompt_embeds, interpolated by weight for two looks."""
        first, second = (denoiser.embed(each) for each in (self.first_prompts, self.second_prompts))
        return torch.lerp(first, second, self.weight[..., 0].to(first))

    @staticmethod
    def _looks(generator: torch.Generator, batch: int) -> Tensor:
        return torch.randint(len(RENDERED), (batch,), generator=generator)

    @staticmethod
    def _prompts(looks: Tensor, generator: torch.Generator) -> list[str]:
        names = [RENDERED[int(look)] for look in looks]
        return [phrase(None if n == RENDERED[0] else n, generator) for n in names]
