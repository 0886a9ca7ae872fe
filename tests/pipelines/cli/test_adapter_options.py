"""LoRAs, ControlNets and IP-Adapters on the command line, and their images from files."""

import inspect
from collections.abc import Mapping
from fractions import Fraction
from importlib import import_module
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
import torch
import typer
from numpy.typing import NDArray
from safetensors.torch import save_file

from tests.pipelines.conftest import write_clip
from turbolens.filter import MediaError
from turbolens.filter.loading.catalogue import EMBEDDED_FOLDER
from turbolens.pipelines.adapter_pictures import ControlVideo, first_picture
from turbolens.pipelines.cli import app as cli

diffusers: Any = import_module("diffusers")


@pytest.fixture(scope="module")
def adapters(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A LoRA and a ControlNet of the embedded model."""
    folder = tmp_path_factory.mktemp("adapters")
    unet = diffusers.UNet2DConditionModel.from_pretrained(EMBEDDED_FOLDER / "unet")
    torch.manual_seed(0)
    network = diffusers.ControlNetModel(**_control_config(unet.config))
    for layer in (*network.controlnet_down_blocks, network.controlnet_mid_block):
        torch.nn.init.normal_(layer.weight, std=0.1)
    torch.nn.init.normal_(network.controlnet_cond_embedding.conv_out.weight, std=0.1)
    network.save_pretrained(folder / "control")
    name, weight = "unet.time_embedding.linear_1", unet.time_embedding.linear_1.weight
    tensors = {"A": torch.randn(2, weight.shape[1]), "B": torch.randn(weight.shape[0], 2)}
    save_file({f"{name}.lora_{key}.weight": each for key, each in tensors.items()},
              folder / "loud.safetensors")  # fmt: skip
    return folder


def _control_config(unet: Mapping[str, Any]) -> dict[str, Any]:
    """The config of a ControlNet for this UNet, with the middle block that it must have."""
    shared = inspect.signature(diffusers.ControlNetModel.__init__).parameters
    config = {name: value for name, value in unet.items() if name in shared}
    return {
        **config, "mid_block_type": "UNetMidBlock2DCrossAttn",
        "conditioning_embedding_out_channels": (16, 32, 96, 256),
    }  # fmt: skip


def _filtered(source: Path, *options: str | Path) -> NDArray[np.uint8]:
    target = source.with_suffix(".out.mkv")
    arguments = ["video", source, target, "--overwrite", "--size", "64", "--seed", "3", *options]
    cli.app([str(each) for each in arguments], standalone_mode=False)
    with av.open(str(target)) as container:
        frames = [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]
    return np.stack(frames).astype(np.uint8)


def test_a_video_goes_through_a_lora_and_a_controlnet(adapters: Path, tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "clip.mp4", pts=range(3))
    depth = write_clip(tmp_path / "depth.mp4", pts=range(2), size=(32, 24))
    plain = _filtered(clip)
    styled = _filtered(clip, "--lora", f"{adapters / 'loud.safetensors'}:0.5")
    controlled = _filtered(clip, "--controlnet", adapters / "control", "--control-video", depth)
    assert len(plain) == len(styled) == len(controlled) == 3
    assert np.abs(styled.astype(int) - plain).max() > 4
    assert np.abs(controlled.astype(int) - plain).max() > 4


@pytest.mark.parametrize(
    "options",
    [
        ["--controlnet", "x"], ["--control", "canny"], ["--control-video", "x"],
        ["--ip-adapter", "x"], ["--image-prompt", "x"],
        ["--controlnet", "x", "--control", "canny", "--control-video", "x"],
    ],
)  # fmt: skip
def test_an_option_without_the_one_that_it_needs_is_a_usage_error(
    options: list[str], tmp_path: Path
) -> None:
    clip = write_clip(tmp_path / "clip.mp4", pts=range(1))
    with pytest.raises(typer.BadParameter, match=r"need each other|takes --control's place"):
        cli.app(["video", str(clip), *options], standalone_mode=False)


def test_a_missing_image_prompt_is_named(tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "clip.mp4", pts=range(1))
    with pytest.raises(MediaError, match=r"nowhere\.png"):
        _filtered(clip, "--ip-adapter", "nowhere", "--image-prompt", "nowhere.png")


@pytest.mark.parametrize("module", ["stream", "webcam", "serve", "video.command"])
def test_every_filtering_command_has_the_adapter_options(module: str) -> None:
    command = getattr(import_module(f"turbolens.pipelines.cli.{module}"), module.partition(".")[0])
    assert {"lora", "controlnet", "control_picture", "ip_adapter", "image_prompt"} <= set(
        inspect.signature(command).parameters
    )


def test_control_images_are_those_of_the_same_time(tmp_path: Path) -> None:
    name = str(write_clip(tmp_path / "poses.mp4", pts=(0, 2, 4)))
    video = ControlVideo(name)
    shown = []
    for pts in range(7):
        frame = av.VideoFrame(16, 16, "rgb24")
        frame.pts, frame.time_base = pts, Fraction(1, 25)
        image = video(frame)
        shown.append((image.pts or 0) * Fraction(image.time_base or 1) * 25)
    video.close()
    assert shown == [0, 0, 2, 2, 4, 4, 4]


def test_an_image_prompt_is_read_from_a_video(tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "clip.mp4", pts=range(2))
    assert first_picture(str(clip)).shape == (48, 64, 3)
    with pytest.raises(MediaError):
        first_picture(str(tmp_path / "nowhere.png"))
