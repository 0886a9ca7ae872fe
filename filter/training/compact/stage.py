"""The losses of the smaller model: its latents and pictures against those of the larger one."""

import math
from collections.abc import Sequence
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn

from turbolens.filter.errors import SettingsError
from turbolens.filter.networks import Autoencoder, module_of
from turbolens.filter.training.autoencoder_stage import edge_loss, pixel_loss
from turbolens.filter.training.data import read_square
from turbolens.filter.training.denoiser_stage import Denoiser, Request
from turbolens.filter.training.loop import Losses

from .blocks import compact_autoencoder, compact_unet

SIDE = 256  # pixels of a picture's sides
CROPS = ((8, 128), (8, 128), (8, 128), (2, 256))  # rows and their size in pixels, drawn in turn
SENSOR_NOISE = 0.04  # the largest deviation of a camera's noise, of images in −1…1
LATENTS, EDGES = 0.2, 0.5  # weights of these losses beside that of the pixels


@dataclass(frozen=True)
class Pair:
    """The larger model, which is frozen, and the smaller one. Both read text alike."""

    vae: Autoencoder
    denoiser: Denoiser
    small_vae: Autoencoder
    small_denoiser: Denoiser

    @property
    def trained(self) -> nn.Module:
        """The modules that the stage updates."""
        return nn.ModuleDict({
            "encoder": self.small_vae.encoder, "unet": module_of(self.small_denoiser.unet),
            "decoder": self.small_vae.decoder,
        })  # fmt: skip


def compact_pair(vae: Autoencoder, denoiser: Denoiser) -> Pair:
    """The model and its smaller copy, on the same device.

    Raises `SettingsError` if the UNet has one level, so that there is nothing to leave out.
    """
    if len(denoiser.unet.config.block_out_channels) < 2:
        raise SettingsError("the model must have a UNet of two levels or more, this one has one")
    for frozen in (module_of(vae), denoiser):
        frozen.requires_grad_(False)
    small_vae = compact_autoencoder(vae)
    small = deepcopy(denoiser)
    small.unet = compact_unet(denoiser.unet)
    small.unet.requires_grad_(True)
    small.in_bfloat16 = False  # it learns small differences
    module_of(small_vae).to(vae.device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    small.to(vae.device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    return Pair(vae, denoiser, small_vae, small)


class CompactLosses:
    """The losses of one step. pictures: files of photographs, read once and kept."""

    def __init__(self, pair: Pair, pictures: Sequence[Path]) -> None:
        self.pair, self.pictures = pair, pictures
        self._read: dict[int, Tensor] = {}

    def __call__(self, generator: torch.Generator, step: int) -> Losses:
        """By name: encoded, latents, pixels, edges."""
        pair = self.pair
        rows, size = CROPS[step % len(CROPS)]
        request = Request(generator, rows)
        given = torch.stack([self._crop(size, generator) for _ in range(rows)])
        given = (given + _sensor_noise(given, generator)).to(pair.vae.device)
        given = given.contiguous(memory_format=torch.channels_last)
        noise = torch.randn(rows, *self._latent_shape(size), generator=generator).to(given)
        with torch.no_grad():
            words = request.embed(pair.denoiser)
            encoded = pair.vae.encode(given).latents
            strength = request.strength.to(encoded)
            latents = pair.denoiser(encoded, noise, strength, words)
            image = pair.vae.decode(latents).sample
        own_encoded = pair.small_vae.encode(given).latents
        own_latents = pair.small_denoiser(own_encoded, noise, strength, words)
        own_image = pair.small_vae.decode(own_latents).sample
        return {
            "encoded": LATENTS * (own_encoded - encoded).abs().mean(),
            "latents": LATENTS * (own_latents - latents).abs().mean(),
            "pixels": pixel_loss(own_image, image),
            "edges": EDGES * edge_loss(own_image, image),
        }

    def _latent_shape(self, size: int) -> tuple[int, int, int]:
        config = self.pair.vae.config
        side = size // self.pair.vae.spatial_scale_factor
        return config.latent_channels, side, side

    def _crop(self, size: int, generator: torch.Generator) -> Tensor:
        """A random crop (3, size, size) of a random picture in −1…1, perhaps mirrored."""
        index, top, left, mirrored = (
            int(torch.randint(below, (1,), generator=generator))
            for below in (len(self.pictures), SIDE - size + 1, SIDE - size + 1, 2)
        )
        if index not in self._read:
            self._read[index] = read_square(self.pictures[index], SIDE)
        crop = self._read[index][:, top : top + size, left : left + size].float() / 127.5 - 1
        return crop.flip(-1) if mirrored else crop


def _sensor_noise(images: Tensor, generator: torch.Generator) -> Tensor:
    """A camera's noise, of a random strength for each image."""
    spread = SENSOR_NOISE * torch.rand(len(images), 1, 1, 1, generator=generator) ** 2
    return spread * torch.randn(images.shape, generator=generator)


@torch.no_grad()
def agreement(
    pair: Pair, pictures: Sequence[Path], looks: Sequence[str], strength: float
) -> dict[str, float]:
    """The PSNR in dB of the smaller model's pictures against the larger one's, by look."""
    images = torch.stack([read_square(path, SIDE) for path in pictures]).float() / 127.5 - 1
    images = images.to(pair.vae.device).contiguous(memory_format=torch.channels_last)
    strengths = torch.full((len(images),), strength, device=images.device)
    found = {}
    for look in looks:
        both = []
        for vae, denoiser in (
            (pair.vae, pair.denoiser), (pair.small_vae, pair.small_denoiser)
        ):  # fmt: skip
            encoded = vae.encode(images).latents
            noise = torch.randn(encoded.shape, generator=torch.Generator().manual_seed(0)).to(
                images
            )
            words = denoiser.embed([look] * len(images))
            both.append(vae.decode(denoiser(encoded, noise, strengths, words)).sample.clamp(-1, 1))
        error = (both[0] - both[1]).square().mean().item()
        found[look] = 10 * math.log10(4 / error) if error else math.inf
    return found
