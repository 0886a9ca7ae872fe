"""`turbolens bench detail`: what the setting `detail` adds, and what it costs."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from turbolens.filter import FilterSettings
from turbolens.pipelines.model_choice import ModelChoice, load_model

SIZES = ((1280, 720), (1920, 1080))
AMOUNTS = (0.0, 0.5, 1.0)
SCENE_FRAME = 20


def detail(
    *,
    choice: ModelChoice,
    image: Annotated[Path | None, typer.Option(
        help="A photograph to measure with [default: the test scene].")] = None,
    prompt: Annotated[str, typer.Option(help="The style.")] = "oil painting",
    as_json: Annotated[bool, typer.Option("--json", help="Print the results as JSON.")] = False,
) -> None:  # fmt: skip
    """Measure edges, noise and time of results that get the frame's own fine detail."""
    from turbolens.pipelines.bench.detail import measure_detail  # noqa: PLC0415

    model, data = load_model(choice), {}
    for width, height in SIZES:
        picture = _picture(image, width, height)
        results = measure_detail(model, FilterSettings(prompt=prompt), picture, AMOUNTS)
        data[f"{width}x{height}"] = [asdict(each) for each in results]
    if as_json:
        typer.echo(json.dumps(data, indent=2))
    else:
        print_results(data, Console(highlight=False))


def print_results(data: dict[str, list[dict[str, float]]], console: Console) -> None:
    """Print the results as a table."""
    table = Table()
    for heading in ("frame", "detail", "edges", "noise", "conversion, ms"):
        table.add_column(heading, justify="right")
    for size, results in data.items():
        for each in results:
            table.add_row(
                size, f"{each['amount']:.1f}", f"{each['edges']:.2f}", f"{each['noise']:.2f}",
                f"{each['conversion_ms']:.1f}",
            )  # fmt: skip
    console.print(table)
    console.print("edges: correlation with the frame's. noise: share of a still camera's noise.")


def _picture(image: Path | None, width: int, height: int) -> Any:
    """The photograph, stretched, or a frame of the test scene: RGB uint8 (height, width, 3)."""
    from turbolens.pipelines.scene.frames import TestScene  # noqa: PLC0415
    from turbolens.pipelines.video.images.files import read_image  # noqa: PLC0415

    if image is None:
        return TestScene(width, height)[SCENE_FRAME].picture
    frame = read_image(image, lambda text: typer.echo(text, err=True))
    return frame.reformat(width, height, "rgb24", interpolation="AREA").to_ndarray()
