"""`turbolens train quantise`: the activation ranges that let a model run in INT8."""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import torch
import typer
from rich.console import Console
from rich.progress import Progress
from rich.table import Table
from torch import Tensor

from turbolens.filter import TurboModel
from turbolens.filter.acceleration.choice import backends_for
from turbolens.filter.acceleration.openvino.layer_ranges import activation_ranges
from turbolens.filter.errors import MediaError, SettingsError
from turbolens.filter.loading.activation_ranges import (
    ActivationRanges,
    write_activation_ranges,
)
from turbolens.filter.loading.assembly import network_names
from turbolens.filter.loading.locating import find_model
from turbolens.filter.loading.needed_files import RANGES_FILE
from turbolens.filter.networks import LayerRanges, Range
from turbolens.filter.settings import VaeChoice
from turbolens.filter.training.data import pictures_in, read_square

from .calibration import MODULES, module_inputs
from .sensitivity import MIN_PSNR, MIN_STEADY_PSNR, Loss, Sensitivity, chosen_ranges
from .whole_model import (
    CHECKED_STRENGTHS,
    MIN_MEDIAN_PSNR,
    MIN_WORST_PSNR,
    Agreement,
    image_agreements,
)

TRIED_PICTURES = 5  # of the calibration, for the sensitivity of each layer


def quantise(
    model: Annotated[str, typer.Argument(help="A model's name, or a folder of the SD family.")],
    *,
    data: Annotated[Path, typer.Option(help="Folder of photographs, with subfolders.")],
    out: Annotated[
        Path | None, typer.Option(help=f"File to write; default {RANGES_FILE} in the folder.")
    ] = None,
    vae: Annotated[VaeChoice, typer.Option(help="Autoencoder: auto, tiny or full.")] = "auto",
    pictures: Annotated[int, typer.Option(min=1, help="Pictures to calibrate on.")] = 32,
    checked: Annotated[int, typer.Option(min=1, help="Further pictures to compare.")] = 8,
    size: Annotated[int, typer.Option(min=64, help="Their width and height in pixels.")] = 320,
    seed: Annotated[int, typer.Option(min=0, help="Seed of looks and strengths.")] = 0,
) -> None:
    """Measure the activation ranges that --acceleration int8 needs, and what INT8 costs.

    Layers that lose too much in 8 bits are computed in two parts of 8 bits, or stay in float.
    Prints how many, and how well the images of the model in INT8 agree with those in float32.
    """
    backends_for("int8", torch.device("cpu"), torch.float32, calibrated=True)
    parts = find_model(model, vae)
    file = out or _file_in(parts.folder)
    loaded = TurboModel.load(model, device="cpu", dtype="float32", vae=vae)
    side = size // loaded.multiple * loaded.multiple
    photographs = read_pictures(data, pictures + checked, side)
    with Progress(console=Console(stderr=True)) as progress:
        ranges, table = _chosen_ranges(progress, loaded, photographs[:pictures], seed)
        loaded.modules.set_activation_ranges(ranges)
        agreements = _compared(progress, loaded, photographs[pictures:])
    names = network_names(loaded.vae, parts)
    write_activation_ranges(file, ActivationRanges(ranges, names))
    _print(Console(), table, agreements, file)


def read_pictures(folder: Path, count: int, side: int) -> list[Tensor]:
    """The first `count` pictures of a folder, (side, side, 3) uint8.

    Raises `SettingsError` if there are fewer, and `MediaError` for a damaged one.
    """
    found = pictures_in(folder)[:count] if folder.is_dir() else []
    if len(found) < count:
        raise SettingsError(
            f"--data must hold at least {count} pictures (JPEG, PNG, WebP), found {len(found)} in "
            f"{folder}; add pictures, or choose smaller numbers for --pictures and --checked"
        )
    return [_read(path, side) for path in found]


def _read(path: Path, side: int) -> Tensor:
    try:
        return read_square(path, side).permute(1, 2, 0).contiguous()
    except (OSError, StopIteration) as error:  # PyAV's errors are of the first kind
        raise MediaError(f"{path} must be a picture that can be decoded: {error}") from error


def _file_in(folder: Path | None) -> Path:
    if folder is None:
        raise SettingsError(
            "MODEL must be a folder in diffusers' layout or a known model, got a file; ranges are "
            "kept beside the model's parts"
        )
    return folder / RANGES_FILE


def _chosen_ranges(
    progress: Progress, model: TurboModel, pictures: Sequence[Tensor], seed: int
) -> tuple[LayerRanges, Table]:
    """The ranges of the layers that can do with 8 bits, and a table of their numbers."""
    table = Table("module", "layers in INT8", "in two parts of it", "in float")
    task = progress.add_task("calibrating")
    inputs = module_inputs(model, pictures, seed)
    chosen: dict[str, dict[str, Range]] = {}
    for name in MODULES:
        module, own = getattr(model.modules, name), getattr(inputs, name)
        ranges = activation_ranges(module, own)
        progress.update(task, description=f"layers of the {name}", total=len(ranges), completed=0)
        steady = MIN_STEADY_PSNR[name]
        sensitivity = Sensitivity(module, own[:TRIED_PICTURES], moving=steady > MIN_PSNR)

        def measure(layer: str, found: Range, sensitivity: Sensitivity = sensitivity) -> Loss:
            progress.advance(task)
            return sensitivity(layer, found)

        chosen[name] = chosen_ranges(ranges, measure, MIN_PSNR, steady)
        parts = [each.parts for each in chosen[name].values()]
        counts = parts.count(1), parts.count(2), len(ranges) - len(parts)
        table.add_row(name, *map(str, counts))
    return chosen, table


def _compared(progress: Progress, model: TurboModel, pictures: Sequence[Tensor]) -> list[Agreement]:
    agreements = []
    task = progress.add_task(
        "comparing images", total=len(CHECKED_STRENGTHS) * max(1, len(model.looks))
    )
    for each in image_agreements(model, pictures):
        agreements.append(each)
        progress.advance(task)
    return agreements


def _print(console: Console, layers: Table, agreements: Sequence[Agreement], file: Path) -> None:
    console.print(layers)
    table = Table("look", *(f"strength {each}" for each in CHECKED_STRENGTHS))
    table.title = "agreement of images in dB: median, worst picture"
    for look in dict.fromkeys(each.look for each in agreements):
        own = (each for each in agreements if each.look == look)
        figures = (f"{each.median_db:.1f}, {each.worst_db:.1f}" for each in own)
        table.add_row(look or "no prompt", *figures)
    console.print(table)
    if not all(each.is_enough for each in agreements):
        console.print(
            f"Below {MIN_MEDIAN_PSNR:.0f} dB in the median or {MIN_WORST_PSNR:.0f} dB in the worst "
            "picture, INT8 shows: use --acceleration openvino there.", style="yellow",
        )  # fmt: skip
    console.print(f"the ranges are in {file}", highlight=False, soft_wrap=True)
