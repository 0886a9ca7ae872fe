"""Tiny random adapters, as their trainers save them, and stock pipelines to compare with."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file

from tests.filter.pipeline_grid import pipeline_steps
from turbolens.filter import TurboModel
from turbolens.filter.coherence.noise import FixedNoise
from turbolens.filter.diffusion.prompts import PromptEmbeds
from turbolens.filter.settings import WeightedPrompt

diffusers: Any = import_module("diffusers")
transformers: Any = import_module("transformers")

PROMPT = "an oil painting"
RUNS = [(1, 1.0), (2, 1.0), (3, 1.0), (4, 1.0), (4, 0.5)]
UNET_LAYERS = ("to_q", "to_k", "to_v", "to_out.0")
TEXT_LAYERS = ("q_proj", "v_proj", "out_proj")


def _matrices(weight: torch.Tensor, generator: torch.Generator) -> tuple[torch.Tensor, ...]:
    """Down and up of rank 2, loud enough to be seen."""
    rows, columns = weight.shape
    return (
        torch.randn(2, columns, generator=generator) * 0.4,
        torch.randn(rows, 2, generator=generator) * 0.4,
    )


def lora_tensors(
    networks: Mapping[str, Any], seed: int, *, kohya: bool = False, alpha: float | None = None
) -> dict[str, torch.Tensor]:
    """A LoRA for these networks, `unet` and text encoders by their names in the file."""
    generator = torch.Generator().manual_seed(seed)
    tensors: dict[str, torch.Tensor] = {}
    for name, network in networks.items():
        ends: tuple[str, ...] = UNET_LAYERS if name.endswith("unet") else TEXT_LAYERS
        if not any(layer.endswith(ends) for layer, _ in network.named_modules()):
            ends = ("time_emb_proj",)  # a UNet without attention, such as the embedded model's
        for layer, module in network.named_modules():
            if not layer.endswith(ends) or not isinstance(module, torch.nn.Linear):
                continue
            down, up = _matrices(module.weight, generator)
            old = name.endswith("unet") or layer.startswith("text_model.")
            inside = layer if old else f"text_model.{layer}"  # as CLIP's layers were called
            if kohya:
                key = f"{name}_{inside.replace('.', '_')}"
                tensors |= {f"{key}.lora_down.weight": down, f"{key}.lora_up.weight": up}
                tensors[f"{key}.alpha"] = torch.tensor(alpha or 2.0)
            else:
                tensors |= {
                    f"{name}.{inside}.lora_A.weight": down,
                    f"{name}.{inside}.lora_B.weight": up,
                }
    return tensors


def save_lora(path: Path, tensors: Mapping[str, torch.Tensor]) -> Path:
    """The file of a LoRA."""
    save_file({name: each.contiguous() for name, each in tensors.items()}, path)
    return path


def controlnet(unet: Any) -> Any:
    """A ControlNet for this UNet, whose answers are no zeros."""
    torch.manual_seed(10)
    made = diffusers.ControlNetModel.from_unet(unet, conditioning_embedding_out_channels=(4, 8))
    generator = torch.Generator().manual_seed(11)
    for layer in (*made.controlnet_down_blocks, made.controlnet_mid_block):
        layer.weight.data = torch.randn(layer.weight.shape, generator=generator) * 0.2
    last = made.controlnet_cond_embedding.conv_out
    last.weight.data = torch.randn(last.weight.shape, generator=generator) * 0.2
    return made.eval()


def ip_adapter_folder(folder: Path, unet: Any, *, plus: bool = False) -> Path:
    """An IP-Adapter and its image encoder, as they lie on the hub. Gives the file."""
    torch.manual_seed(12)
    config = transformers.CLIPVisionConfig(
        hidden_size=8, intermediate_size=16, num_hidden_layers=2, num_attention_heads=2,
        image_size=16, patch_size=8, projection_dim=12,
    )  # fmt: skip
    encoder = transformers.CLIPVisionModelWithProjection(config).eval()
    encoder.save_pretrained(folder / "image_encoder")
    width = unet.config.cross_attention_dim
    projection = _resampler(width) if plus else _projection(width)
    tensors = {f"image_proj.{name}": each for name, each in projection.items()}
    key = 1
    for name, module in unet.named_modules():
        if name.endswith("attn2"):
            for part in ("k", "v"):
                weight = torch.randn(module.to_q.out_features, width) * 0.5
                tensors[f"ip_adapter.{key}.to_{part}_ip.weight"] = weight
            key += 2
    path = folder / "ip-adapter.safetensors"
    save_file(tensors, path)
    return path


def _projection(width: int) -> dict[str, torch.Tensor]:
    return {
        "proj.weight": torch.randn(4 * width, 12), "proj.bias": torch.randn(4 * width),
        "norm.weight": torch.ones(width), "norm.bias": torch.zeros(width),
    }  # fmt: skip


def _resampler(width: int) -> dict[str, torch.Tensor]:
    """Four learned queries over the image encoder's patches, as deep as diffusers expects it."""
    inner = 64  # one head, which diffusers takes to be 64 wide
    named: dict[str, tuple[int, ...]] = {
        "latents": (1, 4, inner), "proj_in.weight": (inner, 8), "proj_in.bias": (inner,),
        "proj_out.weight": (width, inner), "proj_out.bias": (width,),
        "norm_out.weight": (width,), "norm_out.bias": (width,),
    }  # fmt: skip
    layer: dict[str, tuple[int, ...]] = {
        "0.norm1.weight": (inner,), "0.norm1.bias": (inner,), "0.norm2.weight": (inner,),
        "0.norm2.bias": (inner,), "0.to_q.weight": (inner, inner),
        "0.to_kv.weight": (2 * inner, inner), "0.to_out.weight": (inner, inner),
        "1.0.weight": (inner,), "1.0.bias": (inner,), "1.1.weight": (4 * inner, inner),
        "1.3.weight": (inner, 4 * inner),
    }  # fmt: skip
    for depth in range(4):
        named |= {f"layers.{depth}.{name}": shape for name, shape in layer.items()}
    return {name: torch.randn(shape) * 0.3 for name, shape in named.items()}


@contextmanager
def as_kind(pipeline: Any, kind: str, **extra: Any) -> Iterator[Any]:
    """The same components in another of diffusers' pipelines."""
    made = getattr(diffusers, kind)(**{**pipeline.components, **extra})
    made.set_progress_bar_config(disable=True)
    yield made


def theirs(pipeline: Any, image: torch.Tensor, run: tuple[int, float], **given: Any) -> Any:
    """The latents of a stock pipeline, from latents, one picture for each of them."""
    return pipeline(
        prompt=[PROMPT] * len(image), image=image, num_inference_steps=run[0], strength=run[1],
        guidance_scale=0.0, generator=[torch.Generator().manual_seed(7) for _ in image],
        output_type="latent", **given,
    ).images  # fmt: skip


def ours(
    model: TurboModel,
    latents: torch.Tensor,
    run: tuple[int, float],
    conditions: PromptEmbeds | None = None,
) -> torch.Tensor:
    """The latents of our model, with the same noise."""
    steps = pipeline_steps(model.schedule, *run)
    noise = FixedNoise()(7, tuple(latents.shape[1:]), len(steps), model.device)
    batch = [draw.expand_as(latents) for draw in noise]
    embeds = conditions or model.prompts([WeightedPrompt(PROMPT)])
    return model.denoise(latents, steps=steps, noise=batch, embeds=embeds)


def difference(first: torch.Tensor, second: torch.Tensor) -> float:
    """The largest difference of two tensors."""
    return float((first.float() - second.float()).abs().max())


def latents(count: int = 1) -> torch.Tensor:
    """Random latents of pictures of 16 pixels a side, by autoencoders that halve it."""
    return torch.randn(count, 4, 8, 8, generator=torch.manual_seed(3))


def picture(
    model: TurboModel, run: tuple[int, float], conditions: PromptEmbeds | None = None
) -> torch.Tensor:
    """A picture of 0…1 made from random latents."""
    return model.decode(ours(model, latents(), run, conditions)).float().div(2).add(0.5).clamp(0, 1)


def psnr(first: torch.Tensor, second: torch.Tensor) -> float:
    """Of two pictures in 0…1, in decibels."""
    return float(-10 * torch.log10((first - second).square().mean() + 1e-12))
