"""ControlNets and IP-Adapters: equal to the stock pipelines with the same folders."""

from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import PIL.Image
import pytest
import torch

from turbolens.filter import TurboModel
from turbolens.filter.diffusion.conditions import Conditions
from turbolens.filter.settings import WeightedPrompt

from .adapter_fixtures import (
    PROMPT,
    RUNS,
    as_kind,
    controlnet,
    difference,
    ip_adapter_folder,
    latents,
    ours,
    picture,
    psnr,
    theirs,
)

diffusers: Any = import_module("diffusers")

pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")


@pytest.fixture
def control_folder(pipeline: Any, tmp_path: Path) -> Path:
    controlnet(pipeline.unet).save_pretrained(tmp_path / "control")
    return tmp_path / "control"


def _conditions(model: TurboModel, **extra: Any) -> Conditions:
    text = model.prompts([WeightedPrompt(PROMPT)])
    return Conditions(text.prompt_embeds, text.pooled_prompt_embeds, **extra)


def _drawing(count: int = 2) -> torch.Tensor:
    return torch.rand(count, 3, 16, 16, generator=torch.manual_seed(9)).round()


def _image() -> np.ndarray[Any, np.dtype[np.uint8]]:
    return np.random.default_rng(4).integers(0, 256, (23, 31, 3)).astype(np.uint8)


@pytest.mark.slow
def test_latents_equal_with_a_controlnet_in_one_to_four_steps(
    family: str, pipeline: Any, folder: Path, control_folder: Path
) -> None:
    kind = f"StableDiffusion{'XL' if family == 'sdxl' else ''}ControlNetImg2ImgPipeline"
    model = TurboModel.load(folder, device="cpu", dtype="float32", controlnet=control_folder)
    network = diffusers.ControlNetModel.from_pretrained(control_folder)
    with as_kind(pipeline, kind, controlnet=network) as stock:
        for run in RUNS:
            given = {"control_image": _drawing(), "controlnet_conditioning_scale": 0.7}
            expected = theirs(stock, latents(2), run, **given)
            shown = _conditions(model, control_image=_drawing(), control_scale=0.7)
            assert difference(ours(model, latents(2), run, shown), expected) <= 1e-4, run
    assert (
        difference(ours(model, latents(2), RUNS[0]), theirs(pipeline, latents(2), RUNS[0])) <= 1e-4
    )
    assert (
        difference(ours(model, latents(2), RUNS[0]), ours(model, latents(2), RUNS[0], shown)) > 0.01
    )


@pytest.mark.slow
@pytest.mark.parametrize("plus", [False, True])
def test_latents_equal_with_an_image_prompt(
    plus: bool, pipeline: Any, folder: Path, tmp_path: Path
) -> None:
    plain = theirs(pipeline, latents(2), RUNS[0])
    path = ip_adapter_folder(tmp_path, pipeline.unet, plus=plus)
    model = TurboModel.load(folder, device="cpu", dtype="float32", ip_adapter=path)
    assert model.adapters.image_prompts is not None
    pipeline.load_ip_adapter(str(tmp_path), subfolder="", weight_name=path.name)
    pipeline.set_ip_adapter_scale(0.8)
    embeds = model.adapters.image_prompts.encode(_image())
    shown = _conditions(model, image_embeds=embeds, image_scale=0.8)
    for run in RUNS:
        given = {"ip_adapter_image": PIL.Image.fromarray(_image())}
        expected = torch.cat([theirs(pipeline, latents(1), run, **given)] * 2)
        ours_now = ours(model, latents(1).expand(2, -1, -1, -1), run, shown)
        assert difference(ours_now, expected) <= 1e-4, run
    assert difference(ours(model, latents(2), RUNS[0]), plain) <= 1e-4


@pytest.mark.slow
def test_bfloat16_is_close_to_float32(
    pipeline: Any, folder: Path, control_folder: Path, tmp_path: Path, half: str
) -> None:
    path = ip_adapter_folder(tmp_path, pipeline.unet)
    pictures = []
    for dtype in ("float32", half):
        model = TurboModel.load(
            folder, device="cpu", dtype=dtype, controlnet=control_folder, ip_adapter=path
        )
        assert model.adapters.image_prompts is not None
        embeds = model.adapters.image_prompts.encode(_image())
        both = {"control_image": _drawing(1), "control_scale": 0.3, "image_embeds": embeds}
        pictures.append(picture(model, (2, 0.5), _conditions(model, **both, image_scale=0.3)))
    assert psnr(pictures[0], pictures[1]) >= 35
