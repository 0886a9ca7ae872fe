"""`turbolens train look`: a look of your own for the embedded model, as a LoRA."""

from pathlib import Path
from typing import Annotated

import numpy as np
import torch
import typer
from rich.console import Console

from turbolens.filter.acceleration.dtype import fastest_cpu_dtype
from turbolens.filter.device import resolve_device
from turbolens.filter.errors import SettingsError
from turbolens.filter.loading.assembly import load_parts
from turbolens.filter.loading.catalogue import EMBEDDED_FOLDER
from turbolens.filter.loading.locating import find_model
from turbolens.filter.loading.looks import load_vocabulary
from turbolens.filter.networks import module_of
from turbolens.filter.training.captions import MARGIN, CaptionedPictures
from turbolens.filter.training.data import pictures_in, read_square
from turbolens.filter.training.loop import Stage
from turbolens.filter.training.networks import Networks, new_networks
from turbolens.filter.training.progress import follow, training_progress

from .names import check_file, check_name
from .samples import SHOWN, SampleSheet
from .stage import OwnLook, add_lora, save_lora

SIZE = 128  # pixels of a crop; with 256 a step takes four times as long
SCALE = 2  # pictures are stored at `SCALE` crops per side, as for the embedded model
MIN_PICTURES, MAX_PICTURES = 1, 50
MAX_PHOTOGRAPHS = 200
SHEET_EVERY = 25  # steps, about a minute on two cores
RATE = 5e-3

_PHOTOGRAPHS = "Folder of photographs to train the look on as well: it becomes better."


def look(
    *,
    name: Annotated[str, typer.Option(help="Name of the look in prompts.")],
    pictures: Annotated[Path, typer.Option(help="Folder of 1 to 50 pictures of the look.")],
    photographs: Annotated[Path | None, typer.Option(help=_PHOTOGRAPHS)] = None,
    out: Annotated[
        Path | None, typer.Option(help="File to write; default NAME.safetensors.")
    ] = None,
    steps: Annotated[int, typer.Option(min=1, help="Steps of training.")] = 1500,
    seed: Annotated[int, typer.Option(min=0, help="Seed of all random numbers.")] = 0,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda, mps or xpu.")] = "auto",
) -> None:
    """Teach the embedded model a new look; use it with --lora FILE --prompt NAME.

    With --photographs it learns colours and contours, without them only colours. The state of the
    run is in FILE-run, with a sheet of samples that is renewed during the run. It is kept every
    minute and when the run is interrupted: the same command goes on.
    """
    file = out or Path(f"{name.replace(' ', '-')}.safetensors")
    run = file.parent / f"{file.stem}-run"
    check_name(name, load_vocabulary(EMBEDDED_FOLDER))
    check_file(file, run)
    console = Console(stderr=True)
    learnt = _pictures(pictures, "--pictures", MAX_PICTURES, console)
    plain = None
    if photographs is not None:
        plain = _pictures(photographs, "--photographs", MAX_PHOTOGRAPHS, console)
    torch.manual_seed(seed)  # of the LoRA's first weights
    networks = embedded_networks(resolve_device(device))
    unet = networks.student.unet
    add_lora(unet)
    losses = OwnLook(networks, learnt, plain, [name, f"{name} of a scene", f"a picture, {name}"])
    stage = Stage(file.stem, module_of(unet), losses, run, steps, RATE, seed)
    run.mkdir(exist_ok=True)
    shown = (plain or learnt).images(torch.Generator().manual_seed(seed), SHOWN)
    sheet = SampleSheet(networks, shown, name, run / "samples.png")
    console.print(f"samples: {sheet.file}", soft_wrap=True, highlight=False)
    with training_progress(console) as progress:
        for _ in follow(progress, stage, every=SHEET_EVERY):
            sheet.write()
    save_lora(unet, file)
    console.print(f'the look is in {file}: turbolens video --lora {file} --prompt "{name}" …')


def embedded_networks(device: torch.device) -> Networks:
    """The embedded model twice: the student is trained, the teacher stays as it was."""
    networks = new_networks(load_parts(find_model("embedded")), device)
    fast = device.type == "cpu" and fastest_cpu_dtype() == torch.bfloat16
    networks.student.in_bfloat16 = networks.student.in_bfloat16 or fast
    networks.teacher.in_bfloat16 = networks.teacher.in_bfloat16 or fast
    return networks


def _pictures(folder: Path, option: str, most: int, console: Console) -> CaptionedPictures:
    """The first `most` pictures of a folder. A line says so if there are more."""
    count = len(pictures_in(folder)) if folder.is_dir() else 0
    if count > most:
        console.print(
            f"{option}: the first {most} of {count} pictures are used", soft_wrap=True,
            highlight=False,
        )  # fmt: skip
    return read_look(folder, option, most)


def read_look(folder: Path, option: str, most: int = MAX_PICTURES) -> CaptionedPictures:
    """Read at most `most` pictures of a folder into memory. Raises `SettingsError` if none."""
    found = pictures_in(folder)[:most] if folder.is_dir() else []
    if len(found) < MIN_PICTURES:
        raise SettingsError(
            f"{option} must hold {MIN_PICTURES} to {most} pictures (JPEG, PNG, WebP), "
            f"found none in {folder}"
        )
    side = round(SIZE * SCALE * MARGIN)
    planes = np.stack([read_square(path, side).numpy() for path in found])
    return CaptionedPictures(planes, [("",)] * len(found), SIZE)
