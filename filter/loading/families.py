"""The configs of SD 1, SD 2 and SDXL, in diffusers' format: a single-file checkpoint has none.

The values are those of the papers (Rombach et al. 2022; Podell et al. 2023). A prompt has 77 tokens
of CLIP's vocabulary of 49,408.
"""

from dataclasses import dataclass
from typing import Any

from .weights_header import CheckpointFamily

CLIP_VOCABULARY = 49_408
CLIP_LENGTH = 77


@dataclass(frozen=True)
class Architecture:
    """The configs of one family; text encoders in the order of diffusers' pipelines.

    pad_tokens: the padding token of each tokenizer.
    """

    unet: dict[str, Any]
    vae: dict[str, Any]
    text_encoders: tuple[dict[str, Any], ...]
    pad_tokens: tuple[str, ...]


def architecture(family: CheckpointFamily) -> Architecture:
    """The configs of a family."""
    builders = {"sd1": _sd1, "sd2": _sd2, "sdxl": _sdxl}
    return builders[family]()


def sdxs_unet() -> dict[str, Any]:
    """The UNet of SDXS-512 (Song et al. 2024): SD 1's without its lowest level, one layer each."""
    return _unet(
        cross_attention_dim=768,
        attention_head_dim=8,
        block_out_channels=[320, 640, 1280],
        layers_per_block=1,
        mid_block_type=None,
        down_block_types=["DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D"],
        up_block_types=["CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"],
    )


def _sd1() -> Architecture:
    unet = _unet(cross_attention_dim=768, attention_head_dim=8)
    return Architecture(unet, _vae(0.18215), (_clip_l(),), ("<|endoftext|>",))


def _sd2() -> Architecture:
    """SD 2 for 512 pixels. The text encoder is OpenCLIP's ViT-H without its last layer."""
    unet = _unet(
        cross_attention_dim=1024, attention_head_dim=[5, 10, 20, 20], use_linear_projection=True
    )
    text = _clip(
        width=1024, intermediate=4096, layers=23, heads=16, act="gelu", projection=512,
        architecture="CLIPTextModel",
    )  # fmt: skip
    return Architecture(unet, _vae(0.18215), (text,), ("!",))


def _sdxl() -> Architecture:
    unet = _unet(
        sample_size=128,
        cross_attention_dim=2048,
        attention_head_dim=[5, 10, 20],
        use_linear_projection=True,
        block_out_channels=[320, 640, 1280],
        down_block_types=["DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D"],
        up_block_types=["CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"],
        transformer_layers_per_block=[1, 2, 10],
        addition_embed_type="text_time",
        addition_time_embed_dim=256,
        projection_class_embeddings_input_dim=2816,
    )
    big_g = _clip(
        width=1280, intermediate=5120, layers=32, heads=20, act="gelu", projection=1280,
        architecture="CLIPTextModelWithProjection",
    )  # fmt: skip
    vae = {**_vae(0.13025), "sample_size": 1024, "force_upcast": True}
    return Architecture(unet, vae, (_clip_l(), big_g), ("<|endoftext|>", "!"))


def _unet(**changes: Any) -> dict[str, Any]:
    return {
        "_class_name": "UNet2DConditionModel",
        "sample_size": 64,
        "in_channels": 4,
        "out_channels": 4,
        "block_out_channels": [320, 640, 1280, 1280],
        "layers_per_block": 2,
        "down_block_types": [*["CrossAttnDownBlock2D"] * 3, "DownBlock2D"],
        "up_block_types": ["UpBlock2D", *["CrossAttnUpBlock2D"] * 3],
        **changes,
    }


def _vae(scaling_factor: float) -> dict[str, Any]:
    return {
        "_class_name": "AutoencoderKL",
        "sample_size": 512,
        "block_out_channels": [128, 256, 512, 512],
        "layers_per_block": 2,
        "latent_channels": 4,
        "down_block_types": ["DownEncoderBlock2D"] * 4,
        "up_block_types": ["UpDecoderBlock2D"] * 4,
        "scaling_factor": scaling_factor,
        "force_upcast": False,
    }


def _clip_l() -> dict[str, Any]:
    return _clip(
        width=768, intermediate=3072, layers=12, heads=12, act="quick_gelu", projection=768,
        architecture="CLIPTextModel",
    )  # fmt: skip


def _clip(
    *,
    width: int,
    intermediate: int,
    layers: int,
    heads: int,
    act: str,
    projection: int,
    architecture: str,
) -> dict[str, Any]:
    return {
        "model_type": "clip_text_model",
        "architectures": [architecture],
        "vocab_size": CLIP_VOCABULARY,
        "max_position_embeddings": CLIP_LENGTH,
        "hidden_size": width,
        "intermediate_size": intermediate,
        "num_hidden_layers": layers,
        "num_attention_heads": heads,
        "hidden_act": act,
        "projection_dim": projection,
        "bos_token_id": 49_406,
        "eos_token_id": 49_407,
        "pad_token_id": 1,
    }
