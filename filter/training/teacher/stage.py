"""The losses of a latent diffusion model with text conditioning, trained at all timesteps."""

from dataclasses import dataclass

import torch
from diffusers import UNet2DConditionModel
from torch import Tensor, nn
from transformers import CLIPTextModel, CLIPTokenizer

from turbolens.filter.acceleration.modules import Encoder
from turbolens.filter.diffusion.schedule import Schedule
from turbolens.filter.loading.folders import Components
from turbolens.filter.networks import Autoencoder, UNet
from turbolens.filter.training.captions import CaptionedPictures
from turbolens.filter.training.data import LatentRenders, channel_importance
from turbolens.filter.training.loop import Losses
from turbolens.filter.training.text import WIDTH, embeds_of, new_text_encoder

DROPPED = 0.1  # of the captions, for classifier-free guidance
WIDTHS = (80, 112, 160)
SCHEDULE = {
    "_class_name": "DDIMScheduler",
    "beta_schedule": "scaled_linear",
    "beta_start": 0.00085,
    "beta_end": 0.012,
    "prediction_type": "v_prediction",
    "clip_sample": False,
    "set_alpha_to_one": False,
    "steps_offset": 1,
}  # of Stable Diffusion 2.1


def new_teacher_unet(latent_channels: int, sample_size: int) -> UNet:
    """8.5 M parameters; text conditions every block, by cross-attention on the coarser levels."""
    return UNet2DConditionModel(  # type: ignore[no-untyped-call,return-value]
        sample_size=sample_size,
        in_channels=latent_channels,
        out_channels=latent_channels,
        block_out_channels=WIDTHS,
        layers_per_block=1,
        down_block_types=("DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D"),
        up_block_types=("CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"),
        cross_attention_dim=WIDTH,
        attention_head_dim=(5, 7, 10),
        norm_num_groups=16,
        use_linear_projection=True,
        addition_embed_type="text",
        addition_embed_type_num_heads=8,
    )


class Teacher(nn.Module):
    """The trained modules: `unet` and `text_encoder`."""

    def __init__(self, tokenizer: CLIPTokenizer, latent_channels: int, sample_size: int) -> None:
        super().__init__()
        self.unet = new_teacher_unet(latent_channels, sample_size)
        self.text_encoder: CLIPTextModel = new_text_encoder(tokenizer)
        self.tokenizer = tokenizer

    def forward(self, noisy: Tensor, timesteps: Tensor, captions: list[str]) -> Tensor:
        """v̂(x_t, t, c) of noisy latents (B, C, h, w), timesteps (B,) and a caption each."""
        embeds = embeds_of(self.tokenizer, self.text_encoder, captions)
        predicted: Tensor = self.unet(
            noisy, timesteps, encoder_hidden_states=embeds, return_dict=False
        )[0]
        return predicted

    def components(self, vae: Autoencoder) -> Components:
        """The model as `Components`."""
        return Components(
            vae=vae, unet=self.unet, tokenizers=(self.tokenizer,),
            text_encoders=(self.text_encoder,), schedule=Schedule.from_config(SCHEDULE),
        )  # fmt: skip


@dataclass
class TeacherLosses:
    """The loss of one step: E_t,ε[‖v − v̂(x_t, t, c)‖²], v = α_t·ε − σ_t·x₀ (Salimans and Ho, 2022).

    x_t = α_t·x₀ + σ_t·ε at t drawn uniformly from all timesteps. Latent channels are weighted by
    `channel_importance`. All random numbers come from the stage's generator.
    """

    teacher: Teacher
    vae: Autoencoder
    data: CaptionedPictures
    batch: int

    def __post_init__(self) -> None:
        self.vae.requires_grad_(False).eval()
        self._encoder = Encoder(self.vae, float(self.vae.config.scaling_factor))
        self._alphas = Schedule.from_config(SCHEDULE).alphas_cumprod.to(self.vae.device)
        few = self._encode(self.data.images(torch.Generator().manual_seed(0), 8))
        latents = LatentRenders(few[:, None].half().cpu().numpy())
        importance = channel_importance(self.vae, latents)
        self._weight = (importance / importance.mean()).view(1, -1, 1, 1)

    def __call__(self, generator: torch.Generator, _step: int) -> Losses:
        """The loss, by its name."""
        images, captions = self.data.draw(generator, self.batch)
        kept = torch.rand(self.batch, generator=generator) >= DROPPED
        captions = [text if keep else "" for text, keep in zip(captions, kept, strict=True)]
        clean = self._encode(images)
        timesteps = torch.randint(len(self._alphas), (self.batch,), generator=generator)
        noise = torch.randn(clean.shape, generator=generator).to(clean)
        alpha = self._alphas[timesteps.to(clean.device)].view(-1, 1, 1, 1)
        signal, spread = alpha.sqrt(), (1 - alpha).sqrt()
        noisy, velocity = signal * clean + spread * noise, signal * noise - spread * clean
        predicted = self.teacher(noisy, timesteps.to(clean.device), captions)
        return {"velocity": (self._weight * (predicted - velocity).square()).mean()}

    @torch.no_grad()
    def _encode(self, images: Tensor) -> Tensor:
        return self._encoder.from_image(images.to(self.vae.device))
