"""Tiny random models of every family, built offline in milliseconds."""

import json
from collections.abc import Callable
from copy import deepcopy
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from transformers import CLIPTokenizer

from turbolens.filter import TurboModel
from turbolens.filter.diffusion.autoencoder import PatchedAutoencoderTiny
from turbolens.filter.diffusion.schedule import Schedule
from turbolens.filter.loading.folders import Components

# Through these names a type checker lets their untyped classes pass.
diffusers: Any = import_module("diffusers")
transformers: Any = import_module("transformers")

SD_BETAS: dict[str, Any] = {
    "beta_schedule": "scaled_linear",
    "beta_start": 0.00085,
    "beta_end": 0.012,
}
TOKENS = 20


@pytest.fixture(params=["bfloat16", "float16"])
def half(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """A half precision. float16 is too slow on a CPU for users, but not for tiny networks."""

    def resolve(dtype: str | torch.dtype, _: torch.device) -> torch.dtype:
        return dtype if isinstance(dtype, torch.dtype) else getattr(torch, dtype)

    monkeypatch.setattr("turbolens.filter.model.resolve_dtype", resolve)
    return str(request.param)


@pytest.fixture(scope="session")
def tokenizer(tmp_path_factory: pytest.TempPathFactory) -> CLIPTokenizer:
    """A tokenizer with letters only."""
    folder = tmp_path_factory.mktemp("tokenizer")
    letters = [*"abcdefghijklmnopqrstuvwxyz,"]
    tokens = [*letters, *(f"{each}</w>" for each in letters), "<|startoftext|>", "<|endoftext|>"]
    (folder / "vocab.json").write_text(json.dumps({each: i for i, each in enumerate(tokens)}))
    (folder / "merges.txt").write_text("#version: 0.2\n")
    return CLIPTokenizer(
        str(folder / "vocab.json"), str(folder / "merges.txt"), model_max_length=TOKENS
    )


def _text_config(tokenizer: CLIPTokenizer) -> Any:
    return transformers.CLIPTextConfig(
        vocab_size=len(tokenizer),
        hidden_size=8,
        intermediate_size=16,
        num_hidden_layers=2,
        num_attention_heads=2,
        max_position_embeddings=TOKENS,
        projection_dim=8,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )


def _unet(**changes: Any) -> Any:
    config: dict[str, Any] = {
        "sample_size": 8,
        "in_channels": 4,
        "out_channels": 4,
        "block_out_channels": (8, 16),
        "layers_per_block": 1,
        "down_block_types": ("DownBlock2D", "CrossAttnDownBlock2D"),
        "up_block_types": ("CrossAttnUpBlock2D", "UpBlock2D"),
        "cross_attention_dim": 8,
        "attention_head_dim": 2,
        "norm_num_groups": 4,
    }
    return diffusers.UNet2DConditionModel(**{**config, **changes}).eval()


def _autoencoder_kl() -> Any:
    blocks: dict[str, Any] = {
        "down_block_types": ("DownEncoderBlock2D",) * 2,
        "up_block_types": ("UpDecoderBlock2D",) * 2,
    }
    return diffusers.AutoencoderKL(block_out_channels=(8, 16), norm_num_groups=4, **blocks).eval()


def _autoencoder_tiny() -> Any:
    return diffusers.AutoencoderTiny(
        encoder_block_out_channels=(8, 8),
        decoder_block_out_channels=(8, 8),
        num_encoder_blocks=(1, 1),
        num_decoder_blocks=(1, 1),
    ).eval()


@pytest.fixture(scope="session")
def sd_pipeline(tokenizer: CLIPTokenizer) -> Any:
    """SD with the full autoencoder."""
    torch.manual_seed(1)
    return _quiet(
        diffusers.StableDiffusionImg2ImgPipeline(
            vae=_autoencoder_kl(),
            text_encoder=transformers.CLIPTextModel(_text_config(tokenizer)).eval(),
            tokenizer=tokenizer,
            unet=_unet(),
            scheduler=diffusers.DDIMScheduler(
                **SD_BETAS, clip_sample=False, timestep_spacing="trailing", steps_offset=1
            ),
            safety_checker=None,
            feature_extractor=None,
            requires_safety_checker=False,
        )
    )


@pytest.fixture(scope="session")
def sdxl_pipeline(tokenizer: CLIPTokenizer) -> Any:
    """SDXL with the tiny autoencoder."""
    torch.manual_seed(2)
    return _quiet(
        diffusers.StableDiffusionXLImg2ImgPipeline(
            vae=_autoencoder_tiny(),
            text_encoder=transformers.CLIPTextModel(_text_config(tokenizer)).eval(),
            text_encoder_2=transformers.CLIPTextModelWithProjection(_text_config(tokenizer)).eval(),
            tokenizer=tokenizer,
            tokenizer_2=tokenizer,
            unet=_unet(
                cross_attention_dim=16,
                addition_embed_type="text_time",
                addition_time_embed_dim=4,
                projection_class_embeddings_input_dim=4 * 6 + 8,
            ),
            scheduler=diffusers.DDIMScheduler(
                **SD_BETAS, clip_sample=False, timestep_spacing="trailing", steps_offset=1
            ),
            add_watermarker=False,
        )
    )


def _quiet(pipeline: Any) -> Any:
    pipeline.set_progress_bar_config(disable=True)
    return pipeline


@pytest.fixture(scope="session")
def sd_folder(sd_pipeline: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The SD pipeline as `save_pretrained` leaves it."""
    folder = tmp_path_factory.mktemp("sd")
    sd_pipeline.save_pretrained(folder)
    return folder


@pytest.fixture(scope="session")
def sdxl_folder(sdxl_pipeline: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The SDXL pipeline as `save_pretrained` leaves it."""
    folder = tmp_path_factory.mktemp("sdxl")
    sdxl_pipeline.save_pretrained(folder)
    return folder


@pytest.fixture(scope="session")
def patched_components(tokenizer: CLIPTokenizer) -> Components:
    """The embedded model's kind: patches, 16 latent channels, text in the time embedding."""
    torch.manual_seed(3)
    width = {"encoder_block_out_channels": (8, 8), "decoder_block_out_channels": (8, 8)}
    blocks = {"num_encoder_blocks": (0, 1), "num_decoder_blocks": (1, 0)}
    return Components(
        vae=PatchedAutoencoderTiny(**width, **blocks, scaling_factor=16.0).eval(),
        unet=_unet(
            sample_size=16,
            in_channels=16,
            out_channels=16,
            down_block_types=("DownBlock2D",) * 2,
            up_block_types=("UpBlock2D",) * 2,
            resnet_time_scale_shift="scale_shift",
            use_linear_projection=True,
            addition_embed_type="text",
            addition_embed_type_num_heads=2,
        ),
        tokenizers=(tokenizer,),
        text_encoders=(transformers.CLIPTextModel(_text_config(tokenizer)).eval(),),
        schedule=Schedule.from_config({"_class_name": "EulerDiscreteScheduler", **SD_BETAS}),
        looks=("oil painting",),
    )


@pytest.fixture(scope="session")
def model(patched_components: Components) -> TurboModel:
    """A model in float32 on the CPU; 64 pixels native, sides in multiples of 8."""
    return TurboModel(patched_components, name="tiny", device="cpu", dtype="float32")


@pytest.fixture
def pictures() -> Callable[..., list[NDArray[np.uint8]]]:
    """Frames of a slowly moving gradient, (48, 64, 3) uint8."""

    def make(count: int, seed: int = 0) -> list[NDArray[np.uint8]]:
        generator = torch.Generator().manual_seed(seed)
        wide = torch.nn.functional.interpolate(
            torch.rand(1, 3, 8, 12, generator=generator), (48, 80), mode="bilinear"
        )
        levels = (wide[0].permute(1, 2, 0) * 255).to(torch.uint8).numpy()
        return [levels[:, step : step + 64].copy() for step in range(count)]

    return make


@pytest.fixture(params=["sd", "sdxl"])
def family(request: pytest.FixtureRequest) -> str:
    """SD with AutoencoderKL, SDXL with AutoencoderTiny."""
    return str(request.param)


@pytest.fixture
def folder(family: str, request: pytest.FixtureRequest) -> Path:
    """The folder of that family's model."""
    return Path(request.getfixturevalue(f"{family}_folder"))


@pytest.fixture
def pipeline(family: str, request: pytest.FixtureRequest) -> Any:
    """A copy of that family's stock pipeline, which may be changed."""
    return deepcopy(request.getfixturevalue(f"{family}_pipeline"))
