"""`turbolens bench region`: how well and how fast persons are told from the background."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from turbolens.filter.settings import Acceleration


def region(
    image: Annotated[list[Path] | None, typer.Argument(
        help="Photographs of persons, for the jitter of edges as well.")] = None,
    *,
    acceleration: Annotated[Acceleration, typer.Option(help="As for the filter.")] = "auto",
    as_json: Annotated[bool, typer.Option("--json", help="Print the result as JSON.")] = False,
) -> None:  # fmt: skip
    """Measure the masks of persons: agreement with exact ones, jitter of edges, and time."""
    import torch  # noqa: PLC0415 - after parsing

    from turbolens.filter.region.finder import PersonFinder  # noqa: PLC0415
    from turbolens.pipelines.adapter_pictures import first_picture  # noqa: PLC0415
    from turbolens.pipelines.bench.region import measure_region  # noqa: PLC0415

    pictures = [first_picture(str(path)) for path in image or ()]
    finder = PersonFinder(torch.device("cpu"), acceleration, wait=True)
    result = measure_region(finder, pictures)
    if as_json:
        typer.echo(json.dumps(asdict(result), indent=2))
        return
    table = Table("agreement", "worst", "jitter, px", "ms", "run by")
    table.add_row(
        f"{result.agreement:.3f}", f"{result.worst_agreement:.3f}", f"{result.jitter_px:.2f}",
        f"{result.milliseconds:.1f}", result.backend,
    )  # fmt: skip
    console = Console(highlight=False)
    console.print(table)
    console.print("agreement: intersection over union with the test scene's exact masks.")
