"""What the discriminator looks at: features of the frozen teacher's own encoder.

The paper takes a pretrained DINOv2. Here it is the teacher, as in *Latent Adversarial Diffusion
Distillation* (Sauer et al., 2024), because it is the only feature network that is surely there (no
second download, of no second licence), it knows the pictures it was trained on, it works on latents
(nothing is decoded for the discriminator, a third of the memory), and the noise its input carries
chooses what is judged: composition where there is much, texture where there is little.
"""

import torch
from torch import Tensor

from turbolens.filter.diffusion.prompts import PromptEmbeds

from .diffusion import Diffusion


def encoder_features(
    network: Diffusion, noisy: Tensor, timesteps: Tensor, text: PromptEmbeds
) -> list[Tensor]:
    """F_k in float32, finest first: what the UNet's first convolution, the end of each down block
    before its downsampling, and the middle block give.

    noisy: (B, C, h, w) at `timesteps` (B,). This is the first half of the UNet's own forward pass,
    which costs less than half of it. Gradients reach `noisy`, and the weights only where they ask.
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
            sample, skips = _through(block, sample, embedding, words)
            features.append(skips[-1 if block.downsamplers is None else -2])
        if unet.mid_block is not None:
            features.append(_through(unet.mid_block, sample, embedding, words))
    return [feature.float() for feature in features]


def image_feature(network: Diffusion, clean: Tensor, empty: PromptEmbeds) -> Tensor:
    """(B, channels): one vector a picture, of no timestep: no noise, timestep 0, no words.

    The mean over places of the deepest feature; it stands for the paper's c_img, the class token of
    DINOv2, and tells the discriminator what the student was given to see.
    """
    timesteps = torch.zeros(len(clean), dtype=torch.long, device=clean.device)
    with torch.no_grad():
        return encoder_features(network, clean, timesteps, empty)[-1].mean((2, 3))


def feature_channels(network: Diffusion) -> list[int]:
    """The channels of each of `encoder_features`."""
    widths = [int(width) for width in network.unet.config.block_out_channels]
    blocks = [widths[0], *widths]
    return blocks if network.unet.mid_block is None else [*blocks, blocks[-1]]


def time_feature(network: Diffusion, timesteps: Tensor) -> Tensor:
    """(B, width) the sinusoids of timesteps (B,), as the UNet makes them."""
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


def _through(block: torch.nn.Module, sample: Tensor, embedding: Tensor, words: Tensor) -> Tensor:
    if getattr(block, "has_cross_attention", False):
        return block(  # type: ignore[no-any-return]
            hidden_states=sample, temb=embedding, encoder_hidden_states=words
        )
    return block(hidden_states=sample, temb=embedding)  # type: ignore[no-any-return]
