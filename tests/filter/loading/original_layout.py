"""Networks of diffusers → the names and shapes of an original checkpoint of SD 1, SD 2 or SDXL."""

import re
from collections.abc import Iterator
from importlib import import_module
from typing import Any

import torch

from turbolens.filter.loading.families import Architecture
from turbolens.filter.loading.weights_header import CheckpointFamily

diffusers: Any = import_module("diffusers")
transformers: Any = import_module("transformers")

Weights = dict[str, torch.Tensor]

_RESNET = {
    "norm1": "in_layers.0", "conv1": "in_layers.2", "time_emb_proj": "emb_layers.1",
    "norm2": "out_layers.0", "conv2": "out_layers.3", "conv_shortcut": "skip_connection",
}  # fmt: skip
_VAE_ATTENTION = {
    "group_norm": "norm", "to_q": "q", "to_k": "k", "to_v": "v", "to_out.0": "proj_out",
}  # fmt: skip
_OPEN_CLIP = {
    "layer_norm1": "ln_1", "layer_norm2": "ln_2", "mlp.fc1": "mlp.c_fc", "mlp.fc2": "mlp.c_proj",
    "self_attn.out_proj": "attn.out_proj",
}  # fmt: skip


def networks(made: Architecture) -> tuple[Any, Any, list[Any]]:
    """The UNet, the autoencoder and the text encoders of these configs, at random."""
    torch.manual_seed(5)
    kinds = [getattr(transformers, config["architectures"][0]) for config in made.text_encoders]
    encoders = [
        kind(transformers.CLIPTextConfig(**config)).eval()
        for kind, config in zip(kinds, made.text_encoders, strict=True)
    ]
    unet = diffusers.UNet2DConditionModel.from_config(made.unet).eval()
    return unet, diffusers.AutoencoderKL.from_config(made.vae).eval(), encoders


def checkpoint(family: CheckpointFamily, unet: Any, vae: Any, encoders: list[Any]) -> Weights:
    """All of their weights, as in one file."""
    weights = {**unet_weights(unet), **vae_weights(vae)}
    if family == "sd1":
        return {**weights, **clip_weights(encoders[0], "cond_stage_model.transformer.")}
    if family == "sd2":
        return {**weights, **open_clip_weights(encoders[0], "cond_stage_model.model.")}
    return {
        **weights,
        **clip_weights(encoders[0], "conditioner.embedders.0.transformer."),
        **open_clip_weights(encoders[1], "conditioner.embedders.1.model."),
    }


def unet_weights(unet: Any) -> Weights:
    """The UNet's weights under `model.diffusion_model.`"""
    places = {**_outer_places(unet), **_block_places(unet)}
    named = {}
    for name, tensor in unet.state_dict().items():
        layer, _, last = name.rpartition(".")
        named[f"model.diffusion_model.{_original(places, layer)}.{last}"] = tensor
    return named


def original_unet_layer(unet: Any, layer: str) -> str:
    """The original name of one of the UNet's layers."""
    return _original({**_outer_places(unet), **_block_places(unet)}, layer)


def _original(places: dict[str, str], layer: str) -> str:
    place = max((each for each in places if f"{layer}.".startswith(f"{each}.")), key=len)
    rest = layer[len(place) + 1 :]
    if ".resnets." in place:
        rest = _RESNET[rest]
    return f"{places[place]}.{rest}" if rest else places[place]


def _outer_places(unet: Any) -> dict[str, str]:
    return {
        "conv_in": "input_blocks.0.0", "time_embedding.linear_1": "time_embed.0",
        "time_embedding.linear_2": "time_embed.2", "add_embedding.linear_1": "label_emb.0.0",
        "add_embedding.linear_2": "label_emb.0.2", "conv_norm_out": "out.0", "conv_out": "out.2",
        "mid_block.resnets.0": "middle_block.0", "mid_block.attentions.0": "middle_block.1",
        "mid_block.resnets.1": "middle_block.2",
    }  # fmt: skip


def _block_places(unet: Any) -> dict[str, str]:
    """The blocks are numbered through: every layer, and every halving, is one."""
    layers = unet.config.layers_per_block
    step = layers + 1
    places = {}
    for index in range(len(unet.down_blocks)):
        for layer in range(layers):
            at = f"input_blocks.{index * step + layer + 1}"
            places[f"down_blocks.{index}.resnets.{layer}"] = f"{at}.0"
            places[f"down_blocks.{index}.attentions.{layer}"] = f"{at}.1"
        places[f"down_blocks.{index}.downsamplers.0.conv"] = (
            f"input_blocks.{(index + 1) * step}.0.op"
        )
    for index, block in enumerate(unet.up_blocks):
        for layer in range(step):
            at = f"output_blocks.{index * step + layer}"
            places[f"up_blocks.{index}.resnets.{layer}"] = f"{at}.0"
            places[f"up_blocks.{index}.attentions.{layer}"] = f"{at}.1"
        last = 2 if hasattr(block, "attentions") else 1
        places[f"up_blocks.{index}.upsamplers.0.conv"] = (
            f"output_blocks.{index * step + layers}.{last}.conv"
        )
    return places


def vae_weights(vae: Any) -> Weights:
    """The autoencoder's weights under `first_stage_model.`; its attention is 1×1 convolutions."""
    levels = len(vae.config.block_out_channels)
    return dict(_vae_weight(name, tensor, levels) for name, tensor in vae.state_dict().items())


def _vae_weight(name: str, tensor: torch.Tensor, levels: int) -> tuple[str, torch.Tensor]:
    name = re.sub(
        r"decoder\.up_blocks\.(\d+)", lambda m: f"decoder.up.{levels - 1 - int(m[1])}", name
    )
    name = re.sub(r"encoder\.down_blocks\.(\d+)", r"encoder.down.\1", name)
    name = re.sub(r"mid_block\.resnets\.(\d)", lambda m: f"mid.block_{int(m[1]) + 1}", name)
    if "mid_block.attentions.0" in name:
        name = name.replace("mid_block.attentions.0", "mid.attn_1")
        for new, old in _VAE_ATTENTION.items():
            name = name.replace(f".{new}.", f".{old}.")
        tensor = tensor[..., None, None] if tensor.ndim == 2 else tensor
    for new, old in {
        ".resnets.": ".block.", "conv_shortcut": "nin_shortcut", "conv_norm_out": "norm_out",
        "downsamplers.0": "downsample", "upsamplers.0": "upsample",
    }.items():  # fmt: skip
        name = name.replace(new, old)
    return f"first_stage_model.{name}", tensor


def clip_weights(encoder: Any, prefix: str) -> Weights:
    """A text encoder's weights under their own names below a prefix."""
    return {
        f"{prefix}text_model.{name.removeprefix('text_model.')}": tensor
        for name, tensor in encoder.state_dict().items()
    }


def open_clip_weights(encoder: Any, prefix: str) -> Weights:
    """A text encoder's weights as OpenCLIP names them: query, key and value in one."""
    bare = {k.removeprefix("text_model."): v for k, v in encoder.state_dict().items()}
    width = encoder.config.hidden_size
    named = {
        "token_embedding.weight": bare["embeddings.token_embedding.weight"],
        "positional_embedding": bare["embeddings.position_embedding.weight"],
        "ln_final.weight": bare["final_layer_norm.weight"],
        "ln_final.bias": bare["final_layer_norm.bias"],
        "text_projection": bare.get("text_projection.weight", torch.zeros(width, width)).T,
        **dict(_open_clip_layers(bare)),
    }
    return {f"{prefix}{name}": tensor.contiguous() for name, tensor in named.items()}


def _open_clip_layers(bare: Weights) -> Iterator[tuple[str, torch.Tensor]]:
    for name, tensor in bare.items():
        match = re.fullmatch(r"encoder\.layers\.(\d+)\.(.+)\.(weight|bias)", name)
        if match is None:
            continue
        layer, part, kind = match.groups()
        block = f"transformer.resblocks.{layer}"
        if part in _OPEN_CLIP:
            yield f"{block}.{_OPEN_CLIP[part]}.{kind}", tensor
        elif part == "self_attn.q_proj":
            others = [bare[name.replace("q_proj", each)] for each in ("k_proj", "v_proj")]
            yield f"{block}.attn.in_proj_{kind}", torch.cat([tensor, *others])
