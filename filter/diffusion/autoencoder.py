"""`PatchedAutoencoderTiny`: a tiny autoencoder that works on patches of pixels."""

from collections.abc import Callable, Sequence
from typing import Any, cast

import torch
from diffusers import AutoencoderTiny
from diffusers.configuration_utils import register_to_config as keep_in_config
from diffusers.models.autoencoders.autoencoder_tiny import AutoencoderTinyOutput
from diffusers.models.autoencoders.vae import DecoderOutput
from torch import nn
from torch.nn import functional as F


class PatchedAutoencoderTiny(AutoencoderTiny):
    """An `AutoencoderTiny` behind a pixel-unshuffle of `patch_size`.

    Layers at full resolution are the slowest on a CPU, and 3-channel convolutions use its vector
    units badly: at 512×512 a patch size of 2 halves the time.

    Images are (B, 3, H, W) in -1…1, H and W multiples of `spatial_scale_factor`; latents are
    (B, latent_channels, H / spatial_scale_factor, W / spatial_scale_factor), where
    `spatial_scale_factor = patch_size · 2^(levels - 1)`. The config's `block_out_channels` has one
    entry per halving plus one, because diffusers' pipelines compute the scale from its length.

    An encoder without residual blocks has a ReLU after its first convolution instead.

    decoder_patch_size: of the pixel-shuffle at the end of an `UpsamplingDecoder`, which has one
    level per halving that is left. `None`: diffusers' decoder, with `patch_size`.

    Raises `ValueError` if a patch size is not a power of two, or if encoder and decoder scale
    differently.
    """

    encoder: nn.Module
    decoder: nn.Module
    register_to_config: Callable[..., None]

    @keep_in_config  # type: ignore[untyped-decorator]
    def __init__(  # noqa: PLR0913 - the config keys of AutoencoderTiny, each of them by name
        self,
        *,
        in_channels: int = 3,
        out_channels: int = 3,
        patch_size: int = 2,
        decoder_patch_size: int | None = None,
        encoder_block_out_channels: Sequence[int] = (32, 32, 32),
        decoder_block_out_channels: Sequence[int] = (32, 32, 32),
        num_encoder_blocks: Sequence[int] = (0, 1, 1),
        num_decoder_blocks: Sequence[int] = (1, 1, 0),
        latent_channels: int = 16,
        act_fn: str = "relu",
        upsample_fn: str = "nearest",
        upsampling_scaling_factor: int = 2,
        latent_magnitude: float = 3,
        latent_shift: float = 0.5,
        scaling_factor: float = 1.0,
        shift_factor: float = 0.0,
        force_upcast: bool = False,
        block_out_channels: Sequence[int]
        | None = None,  # derived; named so that saved configs load
    ) -> None:
        halvings = _halvings(patch_size, encoder_block_out_channels)
        last_patch = patch_size if decoder_patch_size is None else decoder_patch_size
        doublings = _halvings(last_patch, decoder_block_out_channels)
        if doublings != halvings:
            raise ValueError(
                f"encoder and decoder must scale alike, but the encoder halves {halvings} times "
                f"and the decoder doubles {doublings} times"
            )
        upsampling = decoder_patch_size is not None
        super().__init__(  # type: ignore[no-untyped-call]
            in_channels=in_channels * patch_size**2,
            out_channels=out_channels * patch_size**2,
            encoder_block_out_channels=encoder_block_out_channels,
            # A decoder that is replaced below is made as small as possible.
            decoder_block_out_channels=(8,) if upsampling else decoder_block_out_channels,
            act_fn=act_fn,
            upsample_fn=upsample_fn,
            upsampling_scaling_factor=upsampling_scaling_factor,
            latent_channels=latent_channels,
            num_encoder_blocks=num_encoder_blocks,
            num_decoder_blocks=(0,) if upsampling else num_decoder_blocks,
            latent_magnitude=latent_magnitude,
            latent_shift=latent_shift,
            force_upcast=force_upcast,
            scaling_factor=scaling_factor,
            shift_factor=shift_factor,
        )
        if not any(num_encoder_blocks):
            first, *others = cast(nn.Sequential, self.encoder.layers)
            self.encoder.layers = nn.Sequential(first, nn.ReLU(), *others)
        if upsampling:
            self.decoder = UpsamplingDecoder(
                latent_channels, out_channels * last_patch**2, num_decoder_blocks,
                channels=decoder_block_out_channels,
            )  # fmt: skip
        self.patch_size, self.decoder_patch_size = patch_size, last_patch
        self.spatial_scale_factor = 2**halvings
        widest = max(decoder_block_out_channels)
        self.register_to_config(
            in_channels=in_channels,
            out_channels=out_channels,
            decoder_block_out_channels=tuple(decoder_block_out_channels),
            num_decoder_blocks=tuple(num_decoder_blocks),
            block_out_channels=(widest,) * (halvings + 1),
        )

    def encode(
        self, x: torch.Tensor, return_dict: bool = True
    ) -> AutoencoderTinyOutput | tuple[torch.Tensor]:
        """Image (B, 3, H, W) → unscaled latents."""
        latents: torch.Tensor = self.encoder(F.pixel_unshuffle(x, self.patch_size))
        return AutoencoderTinyOutput(latents=latents) if return_dict else (latents,)

    def decode(
        self,
        x: torch.Tensor,
        generator: torch.Generator | None = None,
        return_dict: bool = True,
    ) -> DecoderOutput | tuple[torch.Tensor]:
        """Unscaled latents → image (B, 3, H, W), not clamped. `generator` is not used."""
        image = F.pixel_shuffle(self.decoder(x), self.decoder_patch_size)
        return DecoderOutput(sample=image) if return_dict else (image,)

    def enable_tiling(self) -> None:
        """Not supported: any image fits in one piece."""
        raise NotImplementedError("PatchedAutoencoderTiny encodes whole pictures; it has no tiling")

    def enable_slicing(self) -> None:
        """Not supported: a batch is always encoded at once."""
        raise NotImplementedError("PatchedAutoencoderTiny encodes whole batches; it has no slicing")


def vae_scale_factor(vae: Any) -> int:
    """How many pixels of a side correspond to one latent cell."""
    if isinstance(vae, PatchedAutoencoderTiny):
        return int(vae.spatial_scale_factor)
    levels = len(vae.config.block_out_channels)
    return int(2 ** (levels - 1))


class UpsamplingDecoder(nn.Module):
    """Latents → patches, by nearest upsampling and convolutions of 3×3 between the levels.

    Unlike a decoder of whole patches it can draw lines and strokes across them. The latents are
    extended by one replicated cell on each side, whose pixels are cut off again, so that the zero
    padding of the convolutions shows less as a rim.

    blocks: residual blocks per level. channels: of the levels, one more than there are doublings.
    """

    def __init__(
        self, latent_channels: int, out_channels: int, blocks: Sequence[int], *,
        channels: Sequence[int],
    ) -> None:  # fmt: skip
        super().__init__()
        layers: list[nn.Module] = [_convolution(latent_channels, channels[0])]
        for level, (width, count) in enumerate(zip(channels, blocks, strict=True)):
            layers += [ResidualBlock(width) for _ in range(count)]
            layers.append(nn.ReLU())
            if level + 1 < len(channels):
                layers.append(nn.Upsample(scale_factor=2, mode="nearest"))
                layers.append(_convolution(width, channels[level + 1]))
        layers.append(_convolution(channels[-1], out_channels))
        self.layers = nn.Sequential(*layers)
        self.margin = 2 ** (len(channels) - 1)  # what one latent cell becomes

    def forward(self, latents: torch.Tensor) -> torch.Tensor:
        """(B, latent_channels, h, w) → (B, out_channels, h · 2^doublings, w · 2^doublings)."""
        patches: torch.Tensor = self.layers(F.pad(latents, (1, 1, 1, 1), mode="replicate"))
        margin = self.margin
        return patches[..., margin:-margin, margin:-margin] * 2 - 1


class ResidualBlock(nn.Module):
    """x + conv(relu(conv(relu(x)))), both 3×3 without a change of width."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.first, self.second = (_convolution(channels, channels) for _ in range(2))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(B, channels, H, W) → the same shape."""
        residual: torch.Tensor = self.second(F.relu(self.first(F.relu(x))))
        return x + residual


def _convolution(channels: int, to: int) -> nn.Conv2d:
    return nn.Conv2d(channels, to, kernel_size=3, padding=1)


def _halvings(patch_size: int, levels: Sequence[int]) -> int:
    """How often the sides are halved by patches and levels."""
    if patch_size < 1 or patch_size & (patch_size - 1):
        raise ValueError(f"patch_size must be a power of two, got {patch_size}")
    return patch_size.bit_length() - 1 + len(levels) - 1
