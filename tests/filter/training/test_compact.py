"""`turbolens train compact`: a smaller model that gives the pictures of a larger one."""

from pathlib import Path
from typing import Any

import pytest
import torch
from diffusers import UNet2DConditionModel
from diffusers.models.autoencoders.vae import (  # type: ignore[attr-defined]
    AutoencoderTinyBlock,
)
from typer.testing import CliRunner

from turbolens.filter import FrameFilter, SettingsError, TurboModel
from turbolens.filter.diffusion.autoencoder import PatchedAutoencoderTiny
from turbolens.filter.training.command import app
from turbolens.filter.training.compact.blocks import compact_autoencoder, compact_unet
from turbolens.filter.training.compact.stage import CompactLosses, agreement, compact_pair
from turbolens.filter.training.denoiser_stage import Denoiser
from turbolens.filter.training.folder import save_model
from turbolens.filter.training.loop import Stage
from turbolens.filter.training.references.phrases import every_phrase
from turbolens.filter.training.text import WIDTH, new_tokenizer
from turbolens.pipelines.scene.frames import TestScene

from .picture_files import write_drawn


def larger_model() -> tuple[Any, Denoiser]:
    """An untrained model of two levels, like the embedded one."""
    torch.manual_seed(4)
    vae = PatchedAutoencoderTiny(
        patch_size=8, latent_channels=8, encoder_block_out_channels=(16,), num_encoder_blocks=(1,),
        decoder_block_out_channels=(16,), num_decoder_blocks=(2,),
    )  # fmt: skip
    unet: Any = UNet2DConditionModel(  # type: ignore[no-untyped-call]
        sample_size=64, in_channels=8, out_channels=8, block_out_channels=(16, 32),
        layers_per_block=1, down_block_types=("DownBlock2D",) * 2,
        mid_block_type="UNetMidBlock2DCrossAttn", up_block_types=("UpBlock2D",) * 2,
        cross_attention_dim=WIDTH, attention_head_dim=(4, 8), norm_num_groups=8,
        resnet_time_scale_shift="scale_shift", addition_embed_type="text",
        addition_embed_type_num_heads=8,
    )  # fmt: skip
    return vae, Denoiser(new_tokenizer(every_phrase()), unet=unet)


@pytest.fixture
def drawn(tmp_path: Path) -> Path:
    """A folder of three drawn pictures."""
    return write_drawn(tmp_path / "pictures", 3, (32, 32), 8)


def test_the_outermost_level_keeps_its_weights() -> None:
    _, denoiser = larger_model()
    unet, smaller = denoiser.unet, compact_unet(denoiser.unet)
    assert smaller.config.block_out_channels == (16,)
    assert smaller.mid_block is None
    for name in ("conv_in.weight", "down_blocks.0.resnets.0.conv1.weight", "conv_out.bias"):
        assert torch.equal(smaller.get_parameter(name), unet.get_parameter(name))
    old = unet.get_parameter("up_blocks.1.resnets.0.conv1.weight")
    new = smaller.get_parameter("up_blocks.0.resnets.0.conv1.weight")
    assert torch.equal(new[:, 16:], old[:, 32:]), "the inputs of the skip connection"
    assert not new[:, :16].any(), "the others have no effect before they are trained"


def test_the_autoencoder_has_fewer_blocks_and_the_same_ends() -> None:
    vae, _ = larger_model()
    smaller = compact_autoencoder(vae)
    counts = [
        sum(isinstance(each, AutoencoderTinyBlock) for each in part)
        for part in (smaller.encoder.layers, smaller.decoder.layers)
    ]
    assert counts == [0, 1]
    for part in ("encoder", "decoder"):
        old, new = getattr(vae, part).layers, getattr(smaller, part).layers
        assert torch.equal(new[0].weight, old[0].weight)
        assert torch.equal(new[-1].weight, old[-1].weight)
    assert torch.equal(
        smaller.decoder.layers[2].conv[0].weight, vae.decoder.layers[3].conv[0].weight
    )


def test_an_encoder_without_blocks_is_not_linear() -> None:
    vae, _ = larger_model()
    smaller = compact_autoencoder(vae)
    image = torch.rand(1, 3, 16, 16) * 2 - 1
    with torch.inference_mode():
        zero, one, other = (smaller.encode(each).latents for each in (0 * image, image, -image))
    assert (one + other - 2 * zero).abs().max() > 1e-3


def test_a_model_of_one_level_is_refused() -> None:
    vae, denoiser = larger_model()
    denoiser.unet = compact_unet(denoiser.unet)
    with pytest.raises(SettingsError, match="two levels or more"):
        compact_pair(vae, denoiser)


@pytest.mark.slow
def test_training_brings_the_pictures_closer(drawn: Path, tmp_path: Path) -> None:
    pair = compact_pair(*larger_model())
    pictures = sorted(drawn.iterdir())
    before = agreement(pair, pictures, ["noir"], 0.9)["noir"]
    losses = CompactLosses(pair, pictures)
    for _ in Stage("compact", pair.trained, losses, tmp_path / "run", 40, 3e-3).run():
        pass
    assert agreement(pair, pictures, ["noir"], 0.9)["noir"] > before + 1.5


@pytest.mark.slow
def test_the_command_leaves_a_model_that_filters(drawn: Path, tmp_path: Path) -> None:
    folder = tmp_path / "larger"
    save_model(folder, *larger_model())
    arguments = ["compact", str(folder), "--data", str(drawn), "--out", str(tmp_path / "out")]
    done = CliRunner().invoke(app, [*arguments, "--steps", "2"], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    assert "strength 0.9" in done.output
    model = TurboModel.load(tmp_path / "out" / "model", device="cpu", dtype="float32")
    assert model.multiple == 8
    frame = TestScene(64, 48)[0].frame
    result = FrameFilter(model, prompt="noir")(frame)
    assert (result.width, result.height) == (64, 48)
