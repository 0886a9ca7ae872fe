"""`turbolens train look`: a look of your own for the embedded model, from pictures."""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import numpy as np
import typer
from rich.console import Console

from turbolens.filter import FilterSettings, TurboModel
from turbolens.filter.loading.catalogue import EMBEDDED_FOLDER
from turbolens.filter.loading.looks import load_vocabulary
from turbolens.filter.loading.own_looks import OwnLook, save_own_look
from turbolens.filter.surface.planes import Plane
from turbolens.filter.training.progress import follow, training_progress

from .fit import COLOURED, LAID, Fit
from .material import learnt
from .names import check_file, check_name
from .pictures import (
    MAX_PHOTOGRAPHS,
    MAX_PICTURES,
    paths_of,
    read_squares,
    read_work,
    without_material,
)
from .samples import Picture, SampleSheet, filtered
from .statistics import Statistics

TEXTS = ("photo", "oil painting", "ukiyo-e", "comic", "watercolour", "pencil sketch")
"""What the network may be given for the look; the best one is found by trial."""
TRIED, COMPARED = 6, 12  # photographs, and pictures of the look
SHEET_EVERY = 20  # steps
STRENGTH = 0.8  # at which the material is fitted

_PHOTOGRAPHS = "Folder of photographs to fit the look on: what you will filter, such as faces."


def look(
    *,
    name: Annotated[str, typer.Option(help="Name of the look in prompts.")],
    pictures: Annotated[Path, typer.Option(help="Folder of 1 to 50 pictures of the look.")],
    photographs: Annotated[Path | None, typer.Option(help=_PHOTOGRAPHS)] = None,
    out: Annotated[
        Path | None, typer.Option(help="File to write; default NAME.safetensors.")
    ] = None,
    steps: Annotated[int, typer.Option(min=1, help="Trials of how the material lies.")] = 120,
    seed: Annotated[int, typer.Option(min=0, help="Seed of all random numbers.")] = 0,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda, mps or xpu.")] = "auto",
) -> None:
    """Teach the embedded model a new look; use it with --lora FILE --prompt NAME.

    The look gets the colours of the pictures and their material: strokes, hatching or paper. The
    model's other looks stay as they are. The state of the run is in FILE-run, with a sheet of
    samples that is renewed during the run. It is kept after every trial, also when the run is
    interrupted: the same command goes on.
    """
    file = out or Path(f"{name.replace(' ', '-')}.safetensors")
    run = file.parent / f"{file.stem}-run"
    check_name(name, load_vocabulary(EMBEDDED_FOLDER))
    check_file(file, run)
    console = Console(stderr=True)
    works = paths_of(pictures, "--pictures", MAX_PICTURES, console)
    shown = None
    if photographs is not None:
        shown = read_squares(
            paths_of(photographs, "--photographs", MAX_PHOTOGRAPHS, console), TRIED
        )
    material = learnt([read_work(path) for path in works], seed)
    squares = read_squares(works, COMPARED)
    inputs = shown or [without_material(each) for each in squares[:TRIED]]
    model = TurboModel.load("embedded", device=device)
    fit = Fit(
        file.stem, run, material, _results(model, inputs), Statistics(_planes(squares)), steps,
        seed, LAID + COLOURED if shown else LAID,
    )  # fmt: skip
    run.mkdir(exist_ok=True)
    model.add_looks([OwnLook(name, TEXTS[0], material)])
    sheet = SampleSheet(model, inputs, name, run / "samples.png")
    console.print(f"samples: {sheet.file}", soft_wrap=True, highlight=False)
    with training_progress(console) as progress:
        for _ in follow(progress, fit, every=SHEET_EVERY):
            sheet.write(fit.best)
    strength = sheet.strength(fit.best)
    save_own_look(OwnLook(name, fit.text, fit.best, strength), file)
    console.print(
        f"the look is in {file}: turbolens video --lora {file} --prompt \"{name}\" "
        f"--strength {strength:g} …", soft_wrap=True, highlight=False,
    )  # fmt: skip


def _results(model: TurboModel, inputs: Sequence[Picture]) -> dict[str, list[Plane]]:
    """The inputs as the network alone shows them, by the text that it is given."""
    found = {}
    for text in TEXTS:
        settings = FilterSettings(prompt=text, strength=STRENGTH, texture=0.0, seed=0)
        found[text] = _planes(filtered(model, inputs, settings))
    return found


def _planes(pictures: Sequence[Picture]) -> list[Plane]:
    return [each.astype(np.float32) * np.float32(1 / 255) for each in pictures]
