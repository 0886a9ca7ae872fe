"""The features that the discriminator sees: those of the frozen teacher's encoder.

The paper uses a pretrained DINOv2. The teacher, as in *Latent Adversarial Diffusion Distillation*
(Sauer et al., 2024), needs no second download or licence, works on latents (nothing is decoded for
the discriminator, a third of the memory), and the noise level of its input selects what is judged:
composition at high noise, texture at low noise.
"""

import torch
from torch import Tensor

from turbolens.filter.diffusion.prompts import PromptEmbeds

from .diffusion import Diffusion


def encoder_features(
    network: Diffusion, noisy: Tensor, timesteps: Tensor, text: PromptEmbeds
) -> list[Tensor]:
    """F_k in float32, finest first: the outputs of the UNet's first convolution, of each down block
    before its downsampling, and of the middle block.

    noisy: (B, C, h, w) at `timesteps` (B,). This is the first half of the UNet's forward pass.
    Gradients reach `noisy`, and the weights that require them.
    """
    unet, added = network.unet, network.added(noisy, text)
    with torch.autocast(network.device.type, torch.bfloat16, network.in_bfloat16):
        sample, words = noisy.to(unet.dtype), text.prompt_embeds.to(unet.dtype)
        embedding = _time_embedding(network, sample, timesteps, words, added)
        inputs = {"encoder_hidden_states": words, "added_cond_kwargs": added}
        words = unet.process_encoder_hidden_states(**inputs)
        sample = unet.conv_in(sample)
        features = [sample]
        for block in unet.down_blocks:
            sample, skips = _run_block(block, sample, embedding, words)
            features.append(skips[-1 if block.downsamplers is None else -2])
        if unet.mid_block is not None:
            features.append(_run_block(unet.mid_block, sample, embedding, words))
    return [feature.float() for feature in features]


def image_feature(network: Diffusion, clean: Tensor, empty: PromptEmbeds) -> Tensor:
    """(B, channels): one vector per image, without noise, at timestep 0, with an empty prompt.

    The mean over positions of the deepest feature. It replaces the paper's c_img, the class token
    of DINOv2, and tells the discriminator the student's input.
    """
    timesteps = torch.zeros(len(clean), dtype=torch.long, device=clean.device)
    with torch.no_grad():
        return encoder_features(network, clean, timesteps, empty)[-1].mean((2, 3))


def feature_channels(network: Diffusion) -> list[int]:
    """The number of channels of each of `encoder_features`."""
    widths = [int(width) for width in network.unet.config.block_out_channels]
    blocks = [widths[0], *widths]
    return blocks if network.unet.mid_block is None else [*blocks, blocks[-1]]


def time_feature(network: Diffusion, timesteps: Tensor) -> Tensor:
    """(B, width): the UNet's sinusoidal embedding of timesteps (B,)."""
    sinusoids: Tensor = network.unet.time_proj(timesteps)
    return sinusoids.float()


def _time_embedding(
    network: Diffusion, sample: Tensor, timesteps: Tensor, words: Tensor, added: dict[str, Tensor]
) -> Tensor:
    unet = network.unet
    embedding = unet.time_embedding(unet.get_time_embed(sample=sample, timestep=timesteps))
    more = unet.get_aug_embed(
        emb=embedding, encoder_hidden_states=words, added_cond_kwargs=added
    )  # fmt: skip
    embedding = embedding if more is None else embedding + more
    act = unet.time_embed_act
    return embedding if act is None else act(embedding)  # type: ignore[no-any-return]


def _run_block(block: torch.nn.Module, sample: Tensor, embedding: Tensor, words: Tensor) -> Tensor:
    if getattr(block, "has_cross_attention", False):
        return block(  # type: ignore[no-any-return]
            hidden_states=sample, temb=embedding, encoder_hidden_states=words
        )
    return block(hidden_states=sample, temb=embedding)  # type: ignore[no-any-return]
