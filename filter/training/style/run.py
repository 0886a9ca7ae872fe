"""Runs the last stage: the new decoder alone, the looks on latents, then everything on images."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import torch

from turbolens.filter.acceleration.dtype import fastest_cpu_dtype
from turbolens.filter.loading.folders import load_components
from turbolens.filter.networks import Autoencoder
from turbolens.filter.training.data import is_held_out, pictures_in
from turbolens.filter.training.denoiser_stage import OUTPUT_SCALE, Denoiser
from turbolens.filter.training.loop import Stage
from turbolens.filter.training.materials import MATERIALS
from turbolens.filter.training.references.rendered import LOOKS

from .latents import StyleLatentLosses
from .reconstruction import ReconstructionLosses, with_upsampling_decoder
from .references import PAINTERS, References, grams_of, palette_of, works_of
from .stage import StyleLosses, StyleModel
from .trunk import Trunk

DECODER_RATE, LATENT_RATE, STYLE_RATE = 2e-3, 1e-3, 6e-4


@dataclass(frozen=True)
class StyleOptions:
    """features: the weights of `Trunk`. art: works of painters. out: for states and renderings."""

    features: Path
    art: Path
    out: Path
    photographs: list[Path]
    decoder_steps: int
    latent_steps: int
    steps: int
    seed: int


def opened(folder: Path, device: torch.device) -> tuple[Autoencoder, Denoiser]:
    """Autoencoder and denoiser of a saved model, to train on."""
    components = load_components(folder, torch.float32)
    in_bfloat16 = device.type == "cuda" or fastest_cpu_dtype() == torch.bfloat16
    denoiser = Denoiser(components.tokenizers[0], in_bfloat16, components.unet)
    with torch.no_grad():
        for weight in denoiser.unet.conv_out.parameters():
            weight.div_(OUTPUT_SCALE)
    denoiser.text_encoder.load_state_dict(components.text_encoders[0].state_dict())
    return components.vae.to(device), denoiser.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]


def style_stages(
    options: StyleOptions, vae: Autoencoder, denoiser: Denoiser
) -> Iterator[tuple[Stage, Autoencoder]]:
    """The stages, each made when the one before has run, and the autoencoder to decode with."""
    new = with_upsampling_decoder(vae, options.seed + 3)
    art = [path for path in pictures_in(options.art) if not is_held_out(path)]
    pictures = [*options.photographs, *art]
    yield Stage(
        "upsampling", new.decoder, ReconstructionLosses(new, pictures), options.out,
        options.decoder_steps, DECODER_RATE, options.seed,
    ), new  # fmt: skip
    references = references_of(options)
    yield Stage(
        "looks", denoiser, StyleLatentLosses(new, denoiser, references), options.out,
        options.latent_steps, LATENT_RATE, options.seed,
    ), new  # fmt: skip
    model = StyleModel(new, denoiser)
    rates = {"decoder": 1.0, "text_encoder": 1.0}  # the gradients of each are clipped on their own
    yield Stage(
        "style", model, style_losses(options, model, references), options.out, options.steps,
        STYLE_RATE, options.seed, rates,
    ), new  # fmt: skip


def references_of(options: StyleOptions) -> References:
    """The photographs and their renderings, with the palettes of the works below `options.art`."""
    palettes = {name: palette_of(works_of(name, options.art)) for name in PAINTERS}
    looks = {**LOOKS, **MATERIALS}
    return References(options.photographs, looks, palettes, options.out / "references")


def style_losses(options: StyleOptions, model: StyleModel, references: References) -> StyleLosses:
    """The losses, with the statistics of the works below `options.art`."""
    in_bfloat16 = fastest_cpu_dtype() == torch.bfloat16
    trunk = Trunk(options.features, torch.bfloat16 if in_bfloat16 else torch.float32)
    trunk = trunk.to(model.device)
    works = {name: works_of(name, options.art) for name in PAINTERS}
    grams = {
        scale: {name: grams_of(files, trunk, scale) for name, files in works.items()}
        for scale in (1, 2)
    }
    return StyleLosses(model, references, trunk, grams)
