"""`turbolens train compact`: a smaller model that gives the pictures of a larger one."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from turbolens.filter.device import resolve_device
from turbolens.filter.errors import SettingsError
from turbolens.filter.loading.locating import locate
from turbolens.filter.training.data import is_held_out, pictures_in
from turbolens.filter.training.folder import save_model
from turbolens.filter.training.loop import Stage
from turbolens.filter.training.progress import follow, training_progress
from turbolens.filter.training.references.aliases import PHRASES
from turbolens.filter.training.style.run import opened

from .stage import CompactLosses, agreement, compact_pair

COMPARED, STRENGTHS = 6, (0.5, 0.9)  # held-out pictures, and the strengths of the comparison


def compact(
    model: Annotated[str, typer.Argument(help="The embedded model's name, or a folder like it.")],
    *,
    data: Annotated[Path, typer.Option(help="Folder of photographs, with subfolders.")],
    out: Annotated[Path, typer.Option(help="Folder for the model and the state of the run.")],
    steps: Annotated[int, typer.Option(min=1, help="Steps of training.")] = 6000,
    rate: Annotated[float, typer.Option(min=0.0, help="Learning rate.")] = 2e-4,
    seed: Annotated[int, typer.Option(min=0, help="Seed of all random numbers.")] = 0,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda, mps or xpu.")] = "auto",
) -> None:
    """Make a model of less than half the work that gives the same pictures.

    Leaves out the inner levels of the UNet and blocks of the autoencoder, and trains the rest on
    the pictures of the whole. Run again with the same folders to resume. One picture in twelve is
    held out. The model is in OUT/model.
    """
    pictures = pictures_in(data) if data.is_dir() else []
    learnt = [path for path in pictures if not is_held_out(path)]
    if not learnt:
        raise SettingsError(
            f"--data must be a folder of pictures (JPEG, PNG, WebP), found none in {data}"
        )
    console = Console(stderr=True)
    vae, denoiser = opened(locate(model), resolve_device(device))
    pair = compact_pair(vae, denoiser)
    losses = CompactLosses(pair, learnt)
    rates = dict.fromkeys(("encoder", "unet", "decoder"), 1.0)  # each clipped on its own
    stage = Stage("compact", pair.trained, losses, out, steps, rate, seed, rates)
    with training_progress(console) as progress:
        for _ in follow(progress, stage):
            pass
    compared = [path for path in pictures if is_held_out(path)][:COMPARED] or learnt[:COMPARED]
    _print(Console(), {each: agreement(pair, compared, list(PHRASES), each) for each in STRENGTHS})
    save_model(out / "model", pair.small_vae.cpu(), pair.small_denoiser.cpu())
    console.print(f"the model is in {out / 'model'}", highlight=False, soft_wrap=True)


def _print(console: Console, agreements: Mapping[float, Mapping[str, float]]) -> None:
    table = Table("look", *(f"strength {each}" for each in agreements))
    table.title = "agreement with the larger model on held-out pictures, dB"
    for look in PHRASES:
        table.add_row(look, *(f"{found[look]:.1f}" for found in agreements.values()))
    console.print(table)
