"""The baselines of the benchmark: diffusers' pipeline, plain and compiled, and a minimal loop."""

import math
from collections.abc import Callable
from copy import deepcopy
from typing import Any, Literal, TypeAlias

import av
import torch

from turbolens.filter import FilterSettings, ModelError, TurboModel
from turbolens.filter.frames.conversion import rgb_from_image

Run: TypeAlias = Callable[[av.VideoFrame], object]
MakeRun: TypeAlias = Callable[[tuple[int, int]], Run]
"""From the working width and height to a function that filters a frame."""

Baseline = Literal["diffusers", "diffusers-compiled", "streaming"]


def baseline(kind: Baseline, model: TurboModel, settings: FilterSettings) -> MakeRun:
    """Load a baseline, with the model's weights, device and dtype.

    diffusers: its pipeline without changes. diffusers-compiled: the same with what its guide to
    fast inference recommends. streaming: a loop like StreamDiffusion (Kodaira et al. 2023): one
    step, fixed noise, the prompt encoded once, no coherence, in plain PyTorch.
    """
    if kind == "streaming":
        return lambda size: streaming_run(model, settings, size)
    pipeline = stock_pipeline(model)
    if kind == "diffusers-compiled":
        compile_as_recommended(pipeline)
    return lambda size: stock_run(pipeline, settings, size)


def compile_as_recommended(pipeline: Any) -> None:
    """Set channels last and fused projections, and compile the UNet and the decoder."""
    for network in (pipeline.unet, pipeline.vae):
        network.to(memory_format=torch.channels_last)
    pipeline.unet.fuse_qkv_projections()
    on_gpu = pipeline.unet.device.type == "cuda"
    mode = "max-autotune" if on_gpu else "default"
    pipeline.unet = torch.compile(pipeline.unet, mode=mode, fullgraph=on_gpu)
    pipeline.vae.decode = torch.compile(pipeline.vae.decode, mode=mode, fullgraph=on_gpu)


def stock_pipeline(model: TurboModel) -> Any:
    """diffusers' image-to-image pipeline with the same weights, device and dtype.

    It gets a copy of our autoencoder, because it cannot load the patched kind, and loads the rest
    itself. A copy, because the pipeline casts it. Raises `ModelError` for a model without a folder.
    """
    from diffusers import (  # noqa: PLC0415 - slow, and only a baseline needs it
        StableDiffusionImg2ImgPipeline,
        StableDiffusionXLImg2ImgPipeline,
    )

    if model.folder is None:
        raise ModelError("a baseline needs a model that was loaded from a folder")
    is_xl = (model.folder / "text_encoder_2").is_dir()
    kind: Any = StableDiffusionXLImg2ImgPipeline if is_xl else StableDiffusionImg2ImgPipeline
    weights = list(model.folder.glob("unet/diffusion_pytorch_model*.safetensors"))
    half_only = all(".fp16." in path.name for path in weights)
    pipeline = kind.from_pretrained(
        model.folder, vae=deepcopy(model.vae), variant="fp16" if half_only else None,
        use_safetensors=True, local_files_only=True,
    )  # fmt: skip
    pipeline.set_progress_bar_config(disable=True)
    return pipeline.to(model.device, model.dtype)


def stock_run(pipeline: Any, settings: FilterSettings, size: tuple[int, int]) -> Run:
    """A function that filters a frame as diffusers' documentation shows: PIL image, prompt as text.

    The pipeline skips steps by strength, so more are requested, of which `settings.steps` are left.
    """
    from_image: Any = av.VideoFrame.from_image
    requested = math.ceil(settings.steps / max(settings.strength, 1e-3))

    def run(frame: av.VideoFrame) -> object:
        whole: Any = frame
        result = pipeline(
            prompt=settings.weighted_prompts[0].text,
            image=whole.to_image(width=size[0], height=size[1]),
            strength=settings.strength, num_inference_steps=requested, guidance_scale=0.0,
            generator=torch.Generator("cpu").manual_seed(settings.seed),
        )  # fmt: skip
        styled: av.VideoFrame = from_image(result.images[0])
        return styled.reformat(frame.width, frame.height, frame.format.name)

    return run


def streaming_run(model: TurboModel, settings: FilterSettings, size: tuple[int, int]) -> Run:
    """A function that passes a frame through encoder, UNet and decoder, and nothing else."""
    step = model.schedule.direct_steps(settings.strength, 1)[0]
    width, height = size
    shape = (1, model.latent_channels, height // model.vae_scale_factor,
             width // model.vae_scale_factor)  # fmt: skip
    generator = torch.Generator("cpu").manual_seed(settings.seed)
    noise = torch.randn(shape, generator=generator).to(model.device)
    embeds = model.prompts(settings.weighted_prompts)

    def run(frame: av.VideoFrame) -> object:
        small = frame.reformat(width, height, "rgb24").to_ndarray()
        with torch.inference_mode(), model.plainly():
            latents = model.encode_rgb([torch.from_numpy(small)])
            denoised = model.denoise(latents, steps=[step], noise=[noise], embeds=embeds)
            rgb = rgb_from_image(model.decode(denoised))[0]
        styled = av.VideoFrame.from_ndarray(rgb.numpy(), format="rgb24")
        return styled.reformat(frame.width, frame.height, frame.format.name)

    return run
