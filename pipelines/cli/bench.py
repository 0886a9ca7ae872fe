"""`turbolens bench`: what the filter costs on this machine."""

import json
from dataclasses import asdict
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from turbolens.filter import FilterSettings
from turbolens.pipelines.model_choice import ModelChoice, load_model
from turbolens.pipelines.video.destination import Destination

from .coherence import coherence
from .latency import latency
from .sessions import sessions
from .shared_options import with_shared_options
from .usage import parse_size

if TYPE_CHECKING:
    from turbolens.pipelines.bench.speed import BenchReport, Case, CaseResult, Timing

app = typer.Typer(
    add_completion=False, rich_markup_mode=None, help="Measure what the filter does and costs here."
)
app.command("coherence")(with_shared_options(coherence))
app.command("latency")(with_shared_options(latency))
app.command("sessions")(with_shared_options(sessions))


class CaseName(str, Enum):
    """The cases that can be chosen."""

    SQUARE_256 = "256"
    SQUARE_384 = "384"
    SQUARE_512 = "512"
    HD = "720p"


class BaselineName(str, Enum):
    """What can be measured beside ours."""

    DIFFUSERS = "diffusers"
    COMPILED = "diffusers-compiled"
    STREAMING = "streaming"


@app.callback(invoke_without_command=True)
@with_shared_options
def bench(  # noqa: PLR0913 - each one is an option of the command
    context: typer.Context,
    *,
    choice: ModelChoice,
    case: Annotated[list[CaseName] | None, typer.Option(
        help="Squares of that side, or 720p frames filtered at 512×288 [default: all].")] = None,
    frames: Annotated[int, typer.Option(min=2, help="Frames that are timed in each case.")] = 30,
    steps: Annotated[int, typer.Option(min=1, max=4, help="Denoising steps.")] = 1,
    strength: Annotated[float, typer.Option(min=0.01, max=1.0, help="As in the filter.")] = 0.5,
    prompt: Annotated[str, typer.Option("--prompt", "-p", help="The look.")] = "oil painting",
    random_weights: Annotated[bool, typer.Option(
        "--random-weights", help="The exact architecture of a known model, with random weights: "
        "its speed and memory without a download.")] = False,
    size: Annotated[list[str] | None, typer.Option(
        metavar="WIDTHxHEIGHT", help="Frames of this size too, filtered whole.")] = None,
    batch: Annotated[list[int] | None, typer.Option(
        min=2, help="Batches of so many frames too, as for files.")] = None,
    baseline: Annotated[list[BaselineName] | None, typer.Option(
        help="Beside ours, on the same frames: diffusers (its stock pipeline), diffusers-compiled "
        "(the same, compiled as its guide recommends), streaming (a bare loop of one step).",
        )] = None,
    chart: Annotated[Path | None, typer.Option(
        help="Write a PNG that shows where the time goes.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="For machines.")] = False,
) -> None:  # fmt: skip
    """Measure the speed here: stages, model only and end to end, and peak memory.

    All times are in milliseconds. Baselines take turns with ours, frame by frame. What else can be
    measured has a name of its own: `turbolens bench coherence`, `latency` and `sessions`.
    """
    if context.invoked_subcommand is not None:
        return
    stock = [item.value for item in baseline or () if item is not BaselineName.STREAMING]
    if random_weights and stock:
        raise typer.BadParameter(
            f"--baseline {stock[0]} loads the model's folder, which random weights have not; use "
            "--baseline streaming, or a model that is here"
        )
    from turbolens.pipelines.bench.speed import Extent, measure  # noqa: PLC0415

    settings = FilterSettings(
        prompt=((choice.look or prompt, 1.0),), strength=strength, steps=steps
    )
    console = Console(stderr=True, highlight=False)
    if random_weights:
        from turbolens.pipelines.bench.random_model import random_model  # noqa: PLC0415

        loaded = random_model(
            choice.model, device=choice.device, dtype=choice.dtype, vae=choice.vae
        ).accelerate(choice.acceleration, wait=True)
    else:
        loaded = load_model(choice)
    destination = None if chart is None else Destination(str(chart), overwrite=True)
    report = measure(
        loaded, settings, cases=_cases(case, size),
        extent=Extent(frames, tuple(item.value for item in baseline or ()), tuple(batch or ())),
        on_case=None if as_json else lambda item: _tell(console, item),
    )  # fmt: skip
    if destination is not None:
        from turbolens.pipelines.bench.chart import save_chart  # noqa: PLC0415

        save_chart(report, destination)
    if as_json:
        typer.echo(json.dumps(as_data(report), indent=2))
    else:
        show(report, Console(highlight=False))


def _cases(names: list[CaseName] | None, sizes: list[str] | None) -> "list[Case]":
    """The named cases, or all where neither names nor sizes are given, and the sizes."""
    from turbolens.pipelines.bench.speed import CASES, Case  # noqa: PLC0415 - imports torch

    chosen = {item.value for item in names or (() if sizes else CaseName)}
    own = [parse_size("--size", text) for text in sizes or ()]
    return [
        *(item for item in CASES if item.name in chosen),
        *(Case(f"{width}x{height}", width, height, max(width, height)) for width, height in own),
    ]


def as_data(report: "BenchReport") -> dict[str, Any]:
    """The report as plain data, with what follows from it."""
    data = asdict(report)
    for entry, result in zip(data["results"], report.results, strict=True):
        entry |= {"fps": result.fps, "ratios": result.ratios}
        entry |= {"share_of_floor": result.share_of_floor}
    return data


def show(report: "BenchReport", console: Console) -> None:
    """The report as tables."""
    console.print(
        f"{report.model} in {report.dtype} on {report.device}, {report.threads} threads, "
        f"torch {report.torch_version}, {report.system}"
    )
    parts = ", ".join(f"{part} by {name}" for part, name in report.accelerations.items()
                      if name != "none")  # fmt: skip
    console.print(f"accelerated: {parts or 'nothing'}")
    console.print(_totals(report.results))
    console.print(_stages(report.results))
    for name, peak in (("main", report.peak_memory_mb), ("GPU", report.peak_gpu_memory_mb)):
        if peak is not None:
            console.print(f"peak {name} memory {peak:,.0f} MB")


def _totals(results: "tuple[CaseResult, ...]") -> Table:
    table = Table(title="ms a frame: median (95 of 100, 99 of 100)")
    baselines = list(results[0].baselines) if results else []
    batches = list(results[0].batches) if results else []
    for heading in ("frames", "working picture", "model only", "of the floor", "end to end", "fps",
                    *(f"in batches of {count}" for count in batches), *baselines):  # fmt: skip
        table.add_column(heading, justify="right")
    for result in results:
        share = result.share_of_floor
        table.add_row(
            f"{result.case.width}×{result.case.height}",
            f"{result.working_width}×{result.working_height}",
            _ms(result.model), "" if share is None else f"{share:.0%}",
            _ms(result.end_to_end), f"{result.fps:.1f}",
            *(f"{_ms(result.batches[count])}" for count in batches),
            *(f"{_ms(result.baselines[name])}, {result.ratios[name]:.1f} × ours"
              for name in baselines),
        )  # fmt: skip
    return table


def _stages(results: "tuple[CaseResult, ...]") -> Table:
    table = Table(title="stages, ms: median (95 of 100, 99 of 100)")
    table.add_column("frames", justify="right")
    for name in results[0].stages if results else ():
        table.add_column(name, justify="right")
    for result in results:
        times = [_ms(timing) for timing in result.stages.values()]
        table.add_row(f"{result.case.width}×{result.case.height}", *times)
    return table


def _ms(timing: "Timing | None") -> str:
    if timing is None:
        return ""
    return f"{timing.median_ms:.1f} ({timing.p95_ms:.1f}, {timing.p99_ms:.1f})"


def _tell(console: Console, case: "Case") -> None:
    console.print(f"measuring {case.name} …")
