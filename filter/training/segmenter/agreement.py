"""How far the network agrees with its teacher on clips, which it is never trained on."""

from collections.abc import Iterator
from pathlib import Path
from statistics import mean
from typing import Annotated

import av
import numpy as np
import torch
import typer
from rich.console import Console
from rich.table import Table

from turbolens.filter.region.finder import with_edges
from turbolens.filter.region.weights import FOLDER, load_segmenter

from .labels import Pixels, mask_by, reduced
from .teacher import TfliteSegmenter

FRAMES = 8  # of each clip
_LEAST_AREA = 0.03  # of the frame: where the teacher finds less, there is nobody to compare


def main(
    clips: Annotated[list[Path], typer.Argument(help="Clips of persons.")],
    *,
    teacher: Annotated[Path, typer.Option(help="selfie_segmentation.tflite")],
    weights: Annotated[Path, typer.Option(help="Folder of the weights.")] = FOLDER,
) -> None:
    """Print the intersection over union of both masks for each clip, and the mean of all."""
    network, other = load_segmenter(weights), TfliteSegmenter(teacher)
    table, every = Table("clip", "frames", "agreement", "worst"), []
    for clip in clips:
        values = []
        for rgb in frames_of(clip):
            known = mask_by(other, rgb) > 0.5
            if known.mean() >= _LEAST_AREA:
                with torch.inference_mode():
                    mask = network(torch.from_numpy(rgb)[None])[0, 0].numpy()
                found = with_edges(mask, rgb) > 0.5
                values.append(float((found & known).sum() / (found | known).sum()))
        if values:
            table.add_row(clip.name, str(len(values)), f"{mean(values):.3f}", f"{min(values):.3f}")
            every.append(mean(values))
    console = Console(highlight=False)
    console.print(table)
    console.print(f"mean of {len(every)} clips: {mean(every or [0.0]):.3f}")


def frames_of(clip: Path) -> Iterator[Pixels]:
    """`FRAMES` frames of a clip, evenly over its length, as RGB (256, 256, 3)."""
    with av.open(str(clip)) as container:
        every = [each.to_ndarray(format="rgb24") for each in container.decode(video=0)]
    for index in np.linspace(0, len(every) - 1, FRAMES).round().astype(int):
        yield reduced(np.asarray(every[index], np.uint8))
