"""Sheets of samples that are written while a stage runs."""

from pathlib import Path

import torch
from rich.progress import Progress
from torch import Tensor

from turbolens.filter.networks import Autoencoder

from .charts import write_sheet
from .data import is_held_out, pictures_in, read_square
from .denoiser_stage import Denoiser
from .loop import Stage
from .progress import follow
from .references.aliases import PHRASES

SIZE = 256
EVERY = 1000  # steps between two sheets
COUNT = 4  # pictures


def watch(
    progress: Progress,
    stage: Stage,
    denoiser: Denoiser,
    vae: Autoencoder,
    samples: Tensor,
    every: int = EVERY,
) -> None:
    """Run a stage, writing a sheet of samples every `every` steps and at the end."""
    for step in follow(progress, stage, every=every):
        file = stage.folder / f"samples-{stage.name}-{step:05d}.png"
        if not file.exists():
            write_sheet(file, _sheet(denoiser, vae, samples))


def samples_of(data: Path) -> Tensor:
    """Held-out pictures as images (up to `COUNT`, 3, SIZE, SIZE) in −1…1."""
    pictures = pictures_in(data)
    held_out = [path for path in pictures if is_held_out(path)][:COUNT] or pictures[:1]
    return torch.stack([read_square(path, SIZE) for path in held_out]).float() / 127.5 - 1


@torch.inference_mode()
def _sheet(denoiser: Denoiser, vae: Autoencoder, images: Tensor) -> list[list[Tensor]]:
    """Rows: a picture, then every look of it at strength 0.9."""
    latents = vae.encode(images.to(vae.device)).latents
    noise = torch.randn(latents.shape, generator=torch.Generator().manual_seed(0)).to(latents)
    strength = torch.full((len(images),), 0.9, device=latents.device)
    columns = [images]
    for name in PHRASES:
        embeds = denoiser.embed([name] * len(images))
        columns.append(vae.decode(denoiser(latents, noise, strength, embeds)).sample.cpu())
    return [[column[row] for column in columns] for row in range(len(images))]
