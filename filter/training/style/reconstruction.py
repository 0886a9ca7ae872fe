"""The new decoder's first training: photographs, renderings and paintings from their latents."""

from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor, nn

from turbolens.filter.diffusion.autoencoder import PatchedAutoencoderTiny
from turbolens.filter.networks import Autoencoder
from turbolens.filter.training.autoencoder_stage import LATENT_NOISE
from turbolens.filter.training.data import read_square
from turbolens.filter.training.loop import Losses

from .references import SIDES
from .stage import pixels_and_edges

BATCH, CROP = 8, 128
CHANNELS, BLOCKS, LAST_PATCH = (96, 64, 32), (2, 1, 0), 2


def with_upsampling_decoder(vae: Autoencoder, seed: int) -> Autoencoder:
    """An autoencoder with the encoder of `vae` and an untrained decoder that upsamples."""
    torch.manual_seed(seed)
    config = vae.config
    new: Autoencoder = PatchedAutoencoderTiny(
        patch_size=config.patch_size,
        decoder_patch_size=LAST_PATCH,
        encoder_block_out_channels=config.encoder_block_out_channels,
        num_encoder_blocks=config.num_encoder_blocks,
        decoder_block_out_channels=CHANNELS,
        num_decoder_blocks=BLOCKS,
        latent_channels=config.latent_channels,
    )
    new.encoder.load_state_dict(vae.encoder.state_dict())
    _same_for_every_pixel(new.decoder.layers[-1])
    new.to(device=vae.device, memory_format=torch.channels_last)
    return new


@torch.no_grad()
def _same_for_every_pixel(last: nn.Conv2d) -> None:
    """Give all pixels of a patch the same weights, so that it starts without a grid (Aitken et al.,
    2017)."""
    pixels = LAST_PATCH**2
    last.weight.copy_(last.weight[::pixels].repeat_interleave(pixels, 0))
    if last.bias is not None:
        last.bias.fill_(0.5)


class ReconstructionLosses:
    """The loss of one step of the decoder alone. pictures: files of photographs and art."""

    def __init__(self, vae: Autoencoder, pictures: Sequence[Path]) -> None:
        self.vae, self.pictures = vae, pictures
        self._loaded: dict[int, Tensor] = {}

    def __call__(self, generator: torch.Generator, _step: int) -> Losses:
        """By name: pixels."""
        crops = torch.stack([self._crop(generator) for _ in range(BATCH)])
        image = crops.to(self.vae.device).float() / 127.5 - 1
        with torch.no_grad():
            latents = self.vae.encode(image).latents
        noise = torch.randn(latents.shape, generator=generator).to(latents)
        latents = latents + LATENT_NOISE * noise
        decoded = self.vae.decode(latents).sample
        return {"pixels": pixels_and_edges(decoded, image).mean()}

    def _crop(self, generator: torch.Generator) -> Tensor:
        index = int(torch.randint(len(self.pictures), (1,), generator=generator))
        if index not in self._loaded:
            self._loaded[index] = read_square(self.pictures[index], SIDES[index % len(SIDES)])
        picture = self._loaded[index]
        span = picture.shape[-1] - CROP + 1
        top, left = (int(each) for each in torch.randint(span, (2,), generator=generator))
        return picture[:, top : top + CROP, left : left + CROP]
