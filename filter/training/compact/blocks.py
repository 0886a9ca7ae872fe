"""The smaller networks: the larger ones without the blocks that hardly change a picture."""

from collections.abc import Mapping
from typing import Any

import torch
from diffusers import UNet2DConditionModel
from torch import Tensor, nn

from turbolens.filter.diffusion.autoencoder import PatchedAutoencoderTiny
from turbolens.filter.networks import Autoencoder, UNet, module_of

_OUTERMOST_UP = "up_blocks.0."


def compact_unet(unet: UNet) -> UNet:
    """The outermost level of a UNet, with its weights.

    What the inner levels add, on their way up, is left out: the first block of the way up gets the
    outermost level twice instead, the first time with weights of 0.
    """
    config = {key: value for key, value in unet.config.items() if not key.startswith("_")}
    levels = len(config["block_out_channels"])
    heads = config["attention_head_dim"]
    config |= {
        "block_out_channels": config["block_out_channels"][:1],
        "down_block_types": config["down_block_types"][:1],
        "up_block_types": config["up_block_types"][-1:],
        "mid_block_type": None,
        "attention_head_dim": heads if isinstance(heads, int) else heads[:1],
    }
    smaller: UNet = UNet2DConditionModel(**config)  # type: ignore[assignment, no-untyped-call]
    last = f"up_blocks.{levels - 1}."
    old = {
        name.replace(last, _OUTERMOST_UP): weight
        for name, weight in module_of(unet).state_dict().items()
        if not name.startswith("up_blocks.") or name.startswith(last)
    }
    module_of(smaller).load_state_dict(_fitted(module_of(smaller).state_dict(), old))
    return smaller


def _fitted(new: Mapping[str, Tensor], old: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The old weights in the new shapes: inputs that a layer has no more were its first ones."""
    return {name: _of_shape(old[name], like) for name, like in new.items()}


def _of_shape(weight: Tensor, like: Tensor) -> Tensor:
    if weight.shape == like.shape:
        return weight.clone()
    axis = 0 if weight.ndim == 1 else 1  # a normalisation's channels, a convolution's inputs
    kept = like.shape[axis] // 2  # those of the skip connection
    fitted = torch.ones_like(like) if weight.ndim == 1 else torch.zeros_like(like)
    fitted.narrow(axis, like.shape[axis] - kept, kept).copy_(
        weight.narrow(axis, weight.shape[axis] - kept, kept)
    )
    return fitted


def compact_autoencoder(vae: Autoencoder) -> Autoencoder:
    """An autoencoder with no residual block in the encoder and one less in the decoder."""
    config: Any = vae.config
    blocks = list(config.num_decoder_blocks)
    smaller: Autoencoder = PatchedAutoencoderTiny(
        patch_size=config.patch_size,
        encoder_block_out_channels=config.encoder_block_out_channels,
        num_encoder_blocks=[0 for _ in config.num_encoder_blocks],
        decoder_block_out_channels=config.decoder_block_out_channels,
        num_decoder_blocks=[max(0, blocks[0] - 1), *blocks[1:]],
        latent_channels=config.latent_channels,
        act_fn=config.act_fn,
    )
    for part in ("encoder", "decoder"):
        _copy_ends(getattr(vae, part).layers, getattr(smaller, part).layers)
    return smaller


@torch.no_grad()
def _copy_ends(old: nn.Sequential, new: nn.Sequential) -> None:
    """Copy the first layer, and the last ones as far as they are of the same kind."""
    new[0].load_state_dict(old[0].state_dict())
    for mine, theirs in zip(reversed(new), reversed(old), strict=False):
        if type(mine) is not type(theirs) or mine is new[0]:
            break
        mine.load_state_dict(theirs.state_dict())
