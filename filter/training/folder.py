"""Saves a trained model as a folder in diffusers' layout, in float16."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from diffusers import EulerDiscreteScheduler
from torch import Tensor
from transformers import CLIPTokenizer

from turbolens.filter.diffusion.scheduler_config import PredictionType
from turbolens.filter.loading.folders import Components
from turbolens.filter.networks import Autoencoder, UNet

from .denoiser_stage import Denoiser, new_betas
from .references.aliases import PHRASES


def save_model(folder: Path, vae: Autoencoder, denoiser: Denoiser) -> None:
    """Save the embedded model and the list of its looks to `folder`.

    Converts the modules' weights to float16 in place.
    """
    _save(vae, folder / "vae")
    _save(denoiser.scaled_unet(), folder / "unet")
    _save(denoiser.text_encoder, folder / "text_encoder")
    _save_tokenizer(denoiser.tokenizer, folder / "tokenizer")
    _save_scheduler(new_betas(), "epsilon", folder / "scheduler")
    (folder / "model_index.json").write_text(json.dumps(_index(), indent=2) + "\n")
    (folder / "looks.json").write_text(json.dumps(PHRASES, indent=2) + "\n")


def save_student(
    folder: Path, components: Components, unet: UNet, looks: Sequence[str] = ()
) -> None:
    """Save `components` with a distilled UNet of the same prediction type to `folder`.

    The scheduler is Euler's with trailing timesteps, as usual for few steps. looks: names for the
    gallery, if the model lists none. Converts the modules' weights to float16 in place.
    """
    _save(components.vae, folder / "vae")
    _save(unet, folder / "unet")
    pairs = zip(components.text_encoders, components.tokenizers, strict=True)
    for suffix, (text_encoder, tokenizer) in zip(("", "_2"), pairs, strict=False):
        _save(text_encoder, folder / f"text_encoder{suffix}")
        _save_tokenizer(tokenizer, folder / f"tokenizer{suffix}")
    schedule = components.schedule
    betas = betas_of(schedule.alphas_cumprod)
    _save_scheduler(betas, schedule.prediction_type, folder / "scheduler")
    index = _index() if len(components.text_encoders) == 1 else _index_xl()
    (folder / "model_index.json").write_text(json.dumps(index, indent=2) + "\n")
    names: Any = list(components.looks or looks)
    if components.vocabulary is not None:  # the student reads the same words as its teacher
        names = {look: list(each) for look, each in components.vocabulary.phrases.items()}
    if names:
        (folder / "looks.json").write_text(json.dumps(names, indent=2) + "\n")


def betas_of(alphas_cumprod: Tensor) -> list[float]:
    """β_t = 1 − ᾱ_t / ᾱ_(t−1) of ᾱ (T,)."""
    alphas = alphas_cumprod.double()
    before = torch.cat([torch.ones_like(alphas[:1]), alphas[:-1]])
    return [float(beta) for beta in 1 - alphas / before]


def _save_scheduler(betas: list[float], prediction_type: PredictionType, folder: Path) -> None:
    scheduler: Any = EulerDiscreteScheduler(  # type: ignore[no-untyped-call]
        trained_betas=betas,
        timestep_spacing="trailing",
        steps_offset=1,
        prediction_type=prediction_type,
    )
    scheduler.save_pretrained(folder)


def _save(module: Any, folder: Path) -> None:
    # Not the network's own `to`: diffusers' logs a warning for every dtype.
    torch.nn.Module.to(module, dtype=torch.float16, memory_format=torch.contiguous_format)  # type: ignore[call-overload]
    module.save_pretrained(folder, safe_serialization=True)


def _save_tokenizer(tokenizer: CLIPTokenizer, folder: Path) -> None:
    """Save in both layouts: tokenizer.json, and the two files of older versions."""
    tokenizer.save_pretrained(folder)
    model = json.loads((folder / "tokenizer.json").read_text())["model"]
    (folder / "vocab.json").write_text(json.dumps(model["vocab"]))
    pairs = (pair if isinstance(pair, str) else " ".join(pair) for pair in model["merges"])
    (folder / "merges.txt").write_text("#version: 0.2\n" + "\n".join(pairs) + "\n")


def _index() -> dict[str, object]:
    return {
        "_class_name": "StableDiffusionImg2ImgPipeline",
        "_diffusers_version": "0.34.0",
        "feature_extractor": [None, None],
        "image_encoder": [None, None],
        "requires_safety_checker": False,
        "safety_checker": [None, None],
        "scheduler": ["diffusers", "EulerDiscreteScheduler"],
        "text_encoder": ["transformers", "CLIPTextModel"],
        "tokenizer": ["transformers", "CLIPTokenizer"],
        "unet": ["diffusers", "UNet2DConditionModel"],
        "vae": ["diffusers", "AutoencoderTiny"],
    }


def _index_xl() -> dict[str, object]:
    unsafe = ("requires_safety_checker", "safety_checker")
    return {
        **{name: value for name, value in _index().items() if name not in unsafe},
        "_class_name": "StableDiffusionXLImg2ImgPipeline",
        "text_encoder_2": ["transformers", "CLIPTextModelWithProjection"],
        "tokenizer_2": ["transformers", "CLIPTokenizer"],
    }
