"""The first stage: a tiny autoencoder whose latents have mean 0 and variance 1 in every channel."""

import torch
from diffusers.models.autoencoders.vae import (  # type: ignore[attr-defined]
    AutoencoderTinyBlock,
)
from torch import Tensor, nn
from torch.nn import functional as F

from turbolens.filter.diffusion.autoencoder import PatchedAutoencoderTiny
from turbolens.filter.networks import Autoencoder

from .data import RENDERED, Renders
from .loop import Losses, StepLosses

BATCH, CROP = 8, 128
LATENT_NOISE = 0.06  # makes the decoder robust to the denoiser's errors


PATCH, WIDTH, LATENT_CHANNELS = 8, 96, 32


def new_autoencoder(images: Tensor) -> Autoencoder:
    """1.1 M parameters, 32 channels at 1/8 resolution, initialised with principal components.

    images: (N, 3, H, W) in −1…1, whose patches give the components. Every residual block starts as
    the identity and each component is passed as a positive and a negative part, so the untrained
    network is already the best linear code with 32 values per patch.
    """
    vae: Autoencoder = PatchedAutoencoderTiny(
        patch_size=PATCH,
        encoder_block_out_channels=(WIDTH,),
        num_encoder_blocks=(1,),
        decoder_block_out_channels=(WIDTH,),
        num_decoder_blocks=(2,),
        latent_channels=LATENT_CHANNELS,
    )
    for module in vae.modules():
        if isinstance(module, AutoencoderTinyBlock):
            nn.init.zeros_(module.conv[-1].weight)
            nn.init.zeros_(module.conv[-1].bias)
    with torch.no_grad():
        _initialise_with_components(vae, images)
    return vae


def _initialise_with_components(vae: Autoencoder, images: Tensor) -> None:
    patches = F.pixel_unshuffle((images + 1) / 2, PATCH).permute(0, 2, 3, 1).flatten(0, 2)
    mean = patches.mean(0)
    _, spread, axes = torch.pca_lowrank(patches - mean, q=WIDTH // 2, center=False, niter=4)
    spread = spread / len(patches) ** 0.5
    half, kept = WIDTH // 2, LATENT_CHANNELS
    signs = torch.cat([axes, -axes], 1).t()
    first, last = vae.encoder.layers[0], vae.encoder.layers[-1]
    _set_middle_tap(first, signs, -signs @ mean)
    recombine = torch.zeros(kept, WIDTH)
    recombine[range(kept), range(kept)] = 1 / spread[:kept]
    recombine[range(kept), range(half, half + kept)] = -1 / spread[:kept]
    _set_middle_tap(last, recombine, torch.zeros(kept))
    first, last = vae.decoder.layers[0], vae.decoder.layers[-1]
    split = torch.randn(WIDTH, kept) * 0.2
    split[:kept], split[half : half + kept] = torch.eye(kept), -torch.eye(kept)
    _set_middle_tap(first, split, torch.zeros(WIDTH))
    scaled = torch.zeros(signs.shape[1], WIDTH)
    scaled[:, :kept] = axes[:, :kept] * spread[:kept]
    scaled[:, half : half + kept] = -scaled[:, :kept]
    _set_middle_tap(last, scaled, mean)


def _set_middle_tap(conv: nn.Conv2d, matrix: Tensor, bias: Tensor) -> None:
    """Set the middle tap of a 3×3 convolution to a matrix, and scale the other taps down."""
    conv.weight.mul_(0.02)
    conv.weight[..., 1, 1] = matrix
    if conv.bias is not None:
        conv.bias.copy_(bias)


def autoencoder_losses(vae: Autoencoder, renders: Renders) -> StepLosses:
    """The losses of one step: pixels, their gradients, and the statistics of the latents."""

    def losses(generator: torch.Generator, _step: int) -> Losses:
        looks = torch.randint(1, len(RENDERED), (BATCH,), generator=generator)
        photographs, (styled,) = renders.draw(generator, BATCH, CROP, [looks])
        half = BATCH // 2
        image = torch.cat([photographs[:half], styled[half:]])
        image = image.to(vae.device, memory_format=torch.channels_last)
        latents = vae.encode(image).latents
        noise = torch.randn(latents.shape, generator=generator).to(latents)
        decoded = vae.decode(latents + LATENT_NOISE * noise).sample
        return {
            "pixels": pixel_loss(decoded, image),
            "edges": 0.5 * edge_loss(decoded, image),
            "statistics": 0.05 * statistics_loss(latents),
        }

    return losses


def pixel_loss(image: Tensor, target: Tensor) -> Tensor:
    """Mean absolute error, plus the squared error that PSNR measures."""
    difference = image - target
    return difference.abs().mean() + 2.0 * (difference**2).mean()


def edge_loss(image: Tensor, target: Tensor) -> Tensor:
    """Mean absolute error of the horizontal and vertical differences: keeps the image sharp."""
    difference = image - target
    across = (difference[..., 1:] - difference[..., :-1]).abs().mean()
    return across + (difference[..., 1:, :] - difference[..., :-1, :]).abs().mean()


def statistics_loss(latents: Tensor) -> Tensor:
    """The deviation of the channels from mean 0 and variance 1, over the batch."""
    mean, variance = latents.mean((0, 2, 3)), latents.var((0, 2, 3))
    return (mean**2).mean() + (variance.clamp_min(1e-4).log() ** 2).mean()
