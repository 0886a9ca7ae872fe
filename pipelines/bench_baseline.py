"""What the bench compares with: diffusers' stock image-to-image pipeline."""

import math
from collections.abc import Callable
from copy import deepcopy
from typing import Any, TypeAlias

import av
import torch

from turbolens.filter import FilterSettings, ModelError, TurboModel

Run: TypeAlias = Callable[[av.VideoFrame], object]


def stock_pipeline(model: TurboModel) -> Any:
    """diffusers' own image-to-image pipeline with the same weights, device and dtype.

    It gets a copy of our autoencoder, because it does not know the patched kind, and loads the rest
    itself. A copy, because the pipeline casts it.
    """
    from diffusers import (  # noqa: PLC0415 - slow, and only for a baseline
        StableDiffusionImg2ImgPipeline,
        StableDiffusionXLImg2ImgPipeline,
    )

    if model.folder is None:
        raise ModelError("a baseline needs a model that was loaded from a folder")
    is_xl = (model.folder / "text_encoder_2").is_dir()
    kind: Any = StableDiffusionXLImg2ImgPipeline if is_xl else StableDiffusionImg2ImgPipeline
    whole = list(model.folder.glob("unet/diffusion_pytorch_model*.safetensors"))
    halves_only = all(".fp16." in path.name for path in whole)
    pipeline = kind.from_pretrained(
        model.folder, vae=deepcopy(model.vae), variant="fp16" if halves_only else None,
        use_safetensors=True, local_files_only=True,
    )  # fmt: skip
    pipeline.set_progress_bar_config(disable=True)
    return pipeline.to(model.device, model.dtype)


def stock_run(pipeline: Any, settings: FilterSettings, size: tuple[int, int]) -> Run:
    """A frame through the stock pipeline as its documentation shows: PIL pictures, prompt as text.

    So many steps are asked for that `settings.steps` of them remain at this strength.
    """
    from_image: Any = av.VideoFrame.from_image
    asked = math.ceil(settings.steps / max(settings.strength, 1e-3))

    def run(frame: av.VideoFrame) -> object:
        whole: Any = frame
        result = pipeline(
            prompt=settings.weighted_prompts[0].text,
            image=whole.to_image(width=size[0], height=size[1]),
            strength=settings.strength, num_inference_steps=asked, guidance_scale=0.0,
            generator=torch.Generator("cpu").manual_seed(settings.seed),
        )  # fmt: skip
        styled: av.VideoFrame = from_image(result.images[0])
        return styled.reformat(frame.width, frame.height, frame.format.name)

    return run
