"""Writing a trained model as a folder in the layout that diffusers saves, in float16."""

import json
from pathlib import Path
from typing import Any

import torch
from diffusers import EulerDiscreteScheduler
from transformers import CLIPTokenizer

from turbolens.filter.loading.folders import Autoencoder

from .denoiser_stage import Denoiser, new_betas
from .phrases import PHRASES


def save_model(folder: Path, vae: Autoencoder, denoiser: Denoiser) -> None:
    """Write vae, unet, text encoder, tokenizer, scheduler and the list of looks to `folder`.

    The weights of the modules are turned to float16 in place.
    """
    _save(vae, folder / "vae")
    _save(denoiser.unet, folder / "unet")
    _save(denoiser.text_encoder, folder / "text_encoder")
    _save_tokenizer(denoiser.tokenizer, folder / "tokenizer")
    scheduler: Any = EulerDiscreteScheduler(  # type: ignore[no-untyped-call]
        trained_betas=new_betas(),
        timestep_spacing="trailing",
        steps_offset=1,
        prediction_type="epsilon",
    )
    scheduler.save_pretrained(folder / "scheduler")
    (folder / "model_index.json").write_text(json.dumps(_index(), indent=2) + "\n")
    (folder / "looks.json").write_text(json.dumps(PHRASES, indent=2) + "\n")


def _save(module: Any, folder: Path) -> None:
    # Not the network's own `to`: that of diffusers warns of every dtype.
    torch.nn.Module.to(module, dtype=torch.float16, memory_format=torch.contiguous_format)  # type: ignore[call-overload]
    module.save_pretrained(folder, safe_serialization=True)


def _save_tokenizer(tokenizer: CLIPTokenizer, folder: Path) -> None:
    """In both layouts: the one file of today and the two files that older readers want."""
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
