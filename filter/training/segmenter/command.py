"""`turbolens train segmenter`: the network that finds persons."""

from pathlib import Path
from typing import Annotated

import numpy as np
import torch
import typer
from rich.console import Console

from turbolens.filter.acceleration.dtype import fastest_cpu_dtype
from turbolens.filter.acceleration.openvino.layer_ranges import activation_ranges
from turbolens.filter.device import resolve_device
from turbolens.filter.networks import Range
from turbolens.filter.region.network import Segmenter
from turbolens.filter.region.weights import read_weights, save_segmenter
from turbolens.filter.training.loop import Stage
from turbolens.filter.training.progress import follow, training_progress

from .labels import Labelled, read_labelled
from .scenes import scene
from .stage import SegmenterLosses
from .start import continue_from

CALIBRATED = 96  # pictures


def segmenter(  # noqa: PLR0913 - each one is an option of the command
    *,
    people: Annotated[Path, typer.Option(help="Folder of pictures of persons, with subfolders.")],
    backgrounds: Annotated[Path, typer.Option(help="Folder of pictures without persons.")],
    out: Annotated[Path, typer.Option(help="Folder for labels, state and weights.")],
    teacher: Annotated[Path | None, typer.Option(
        help="selfie_segmentation.tflite of npm's @mediapipe/selfie_segmentation, for labels that "
        "are not in OUT/labels yet.")] = None,
    start: Annotated[Path | None, typer.Option(
        help="Folder of weights to start from, such as an OUT/segmenter.")] = None,
    steps: Annotated[int, typer.Option(min=1, help="Steps of training.")] = 6000,
    batch: Annotated[int, typer.Option(min=1, help="Pictures per step.")] = 16,
    rate: Annotated[float, typer.Option(min=0.0, help="Learning rate.")] = 3e-3,
    seed: Annotated[int, typer.Option(min=0, help="Seed of all random numbers.")] = 0,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda, mps or xpu.")] = "auto",
) -> None:  # fmt: skip
    """Train the network that finds persons; run again with the same folders to resume.

    The masks of pictures with transparency are their own; the others are labelled by --teacher.
    One picture in twelve is held out. The weights are in OUT/segmenter.
    """
    on, console = resolve_device(device), Console(stderr=True)
    data = read_labelled(people, backgrounds, out / "labels", teacher)
    torch.manual_seed(seed)
    network = Segmenter().to(device=on, memory_format=torch.channels_last)  # type: ignore[call-overload]
    fast = on.type == "cuda" or fastest_cpu_dtype() == torch.bfloat16
    losses = SegmenterLosses(network, data, batch, fast)
    if start is not None:
        images, _ = losses.draw(torch.Generator().manual_seed(seed))
        continue_from(network, read_weights(start), images.to(on))
    stage = Stage("segmenter", network, losses, out, steps, rate, seed)
    with training_progress(console) as progress:
        for _ in follow(progress, stage):
            pass
    ranges = calibrated(network.cpu().fuse(), data, seed)
    save_segmenter(network, ranges, out / "segmenter")
    console.print(f"the network is in {out / 'segmenter'}", highlight=False, soft_wrap=True)


def calibrated(network: Segmenter, data: Labelled, seed: int) -> dict[str, Range]:
    """The range of each layer's input for training pictures, with which it runs in INT8."""
    rng = np.random.default_rng(seed)
    drawn = (torch.from_numpy(scene(rng, data)[0])[None] for _ in range(CALIBRATED))
    return activation_ranges(network, [(rgb,) for rgb in drawn])
