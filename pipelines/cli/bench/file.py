"""`turbolens bench file`: how far decoding, filtering and encoding of a file overlap."""

import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from turbolens.filter import FilterSettings
from turbolens.pipelines.cli.usage import parse_size
from turbolens.pipelines.model_choice import ModelChoice, load_filter

from .progress import measuring

if TYPE_CHECKING:
    from turbolens.pipelines.bench.file import FileReport

PARTS = (
    ("decode", "decoding alone"),
    ("encode", "encoding alone"),
    ("single", "filter alone, frame by frame"),
    ("stream", "filter alone, as a stream"),
    ("whole", "the whole file"),
)


def file(
    *,
    choice: ModelChoice,
    size: Annotated[str, typer.Option(
        metavar="WIDTHxHEIGHT", help="Size of the frames.")] = "640x480",
    frames: Annotated[int, typer.Option(min=16, help="Number of frames.")] = 300,
    encoder_preset: Annotated[str | None, typer.Option(
        help="Speed preset of the H.264 encoder [default: that of turbolens video].")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the results as JSON.")] = False,
) -> None:  # fmt: skip
    """Measure a video file: frames per second of the whole, and of its parts alone."""
    from turbolens.pipelines.bench.file import measure_file  # noqa: PLC0415 - imports torch
    from turbolens.pipelines.video.writer import Encoding  # noqa: PLC0415

    width, height = parse_size("--size", size)
    look = FilterSettings(**choice.with_look({}))
    report = measure_file(
        load_filter(choice, look), width=width, height=height, frames=frames,
        encoding=Encoding(codec="h264", preset=encoder_preset),
        notify=measuring(as_json=as_json),
    )  # fmt: skip
    if as_json:
        typer.echo(json.dumps(as_data(report), indent=2))
    else:
        print_report(report, Console(highlight=False))


def as_data(report: "FileReport") -> dict[str, Any]:
    """The report as plain data, with frame rates and shares."""
    names = ("fps", "share_of_filter", "share_of_single", "bound_fps")
    return asdict(report) | {name: getattr(report, name) for name in names}


def print_report(report: "FileReport", console: Console) -> None:
    """Print the report as a table."""
    console.print(f"{report.model} in {report.dtype} on {report.device}")
    table = Table(title=f"{report.frames} frames of {report.width}×{report.height}, ms per frame")
    for heading in ("", "time", "time of all processors", "fps"):
        table.add_column(heading, justify="right" if heading else "left")
    for name, text in PARTS:
        cost = getattr(report, name)
        table.add_row(text, f"{cost.ms:.1f}", f"{cost.cpu_ms:.1f}", f"{1000 / cost.ms:.1f}")
    console.print(table)
    console.print(
        f"the file reaches {report.share_of_filter:.2f} of the filter alone as a stream, "
        f"{report.share_of_single:.2f} of it frame by frame; {report.processors} processors "
        f"allow {report.bound_fps:.1f} fps"
    )
