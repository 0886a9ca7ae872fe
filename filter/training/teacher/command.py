"""`turbolens train teacher`: a small diffusion model from captioned pictures alone."""

from copy import deepcopy
from pathlib import Path
from typing import Annotated

import torch
import typer
from rich.console import Console
from torch import Tensor

from turbolens.filter.device import resolve_device
from turbolens.filter.diffusion.autoencoder import vae_scale_factor
from turbolens.filter.errors import SettingsError
from turbolens.filter.loading.assembly import load_parts
from turbolens.filter.loading.locating import find_model
from turbolens.filter.networks import Autoencoder, module_of
from turbolens.filter.training.captions import (
    CaptionedPictures,
    look_names,
    read_captioned,
    training_pictures,
)
from turbolens.filter.training.charts import write_sheet
from turbolens.filter.training.folder import save_student
from turbolens.filter.training.loop import Stage
from turbolens.filter.training.networks import new_networks
from turbolens.filter.training.progress import follow, training_progress
from turbolens.filter.training.sampling import teacher_sampler
from turbolens.filter.training.text import new_tokenizer

from .stage import WIDTHS, Teacher, TeacherLosses

SHEET_EVERY = 1000
SHOWN, SHOWN_STEPS, SHOWN_GUIDANCE = 6, 25, 3.0


def teacher(  # noqa: PLR0913 - each one is an option of the command
    *,
    data: Annotated[Path, typer.Option(help="Folder of pictures with captions.")],
    out: Annotated[Path, typer.Option(help="Folder for the model and the state of the run.")],
    steps: Annotated[int, typer.Option(min=1, help="Steps of training.")] = 8000,
    batch: Annotated[int, typer.Option(min=1, help="Pictures per step.")] = 16,
    size: Annotated[int, typer.Option(min=0, help="Pixels per side.")] = 128,
    autoencoder: Annotated[str, typer.Option(
        help="The model whose autoencoder is used; it is not trained.")] = "embedded",
    rate: Annotated[float, typer.Option(min=0.0, help="Learning rate.")] = 1e-3,
    seed: Annotated[int, typer.Option(min=0, help="Seed of all random numbers.")] = 0,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda, mps or xpu.")] = "auto",
) -> None:  # fmt: skip
    """Train a small diffusion model that others can be distilled from; run again to resume.

    The captions of a picture are the lines of the .txt file of its name, or else the name of its
    folder. One picture in twelve is held out. The model is in OUT/model, for `turbolens train
    distill --teacher`.
    """
    pictures = training_pictures(data)
    vae = load_parts(find_model(autoencoder, "auto")).vae
    multiple = vae_scale_factor(vae) * 2 ** (len(WIDTHS) - 1)
    if not size or size % multiple:
        raise SettingsError(f"--size must be a multiple of {multiple}, got {size}")
    on, console = resolve_device(device), Console(stderr=True)
    torch.nn.Module.to(module_of(vae), on)
    out.mkdir(parents=True, exist_ok=True)
    with training_progress(console) as progress:
        captioned = read_captioned(progress, pictures, out, size)
        torch.manual_seed(seed)
        model = Teacher(
            new_tokenizer(text for own in captioned.captions for text in own),
            int(vae.config.latent_channels), size // vae_scale_factor(vae),
        )  # fmt: skip
        torch.nn.Module.to(model, on)
        losses = TeacherLosses(model, vae, captioned, batch)
        stage = Stage("teacher", model, losses, out, steps, rate, seed)
        for step in follow(progress, stage, SHEET_EVERY):
            write_sheet(out / f"samples-{step:05d}.png", sheet(model, vae, captioned))
    save_student(out / "model", model.cpu().components(vae.cpu()), model.unet, look_names(pictures))
    console.print(f"the model is in {out / 'model'}: turbolens train distill --teacher …")


@torch.inference_mode()
def sheet(model: Teacher, vae: Autoencoder, data: CaptionedPictures) -> list[list[Tensor]]:
    """One row per caption, three samples each, by DDIM with guidance."""
    networks = new_networks(deepcopy(model.components(vae)), vae.device)
    captions = list(dict.fromkeys(own[0] for own in data.captions))[:SHOWN]
    side = data.size // vae_scale_factor(vae)
    shape = (3 * len(captions), int(vae.config.latent_channels), side, side)
    noise = torch.randn(shape, generator=torch.Generator().manual_seed(0))
    every = [caption for caption in captions for _ in range(3)]
    clean = teacher_sampler(networks, SHOWN_STEPS, SHOWN_GUIDANCE)(every, noise)
    images = networks.decoder(clean).float().cpu()
    return [list(images[row : row + 3]) for row in range(0, len(images), 3)]
