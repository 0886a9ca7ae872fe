"""`turbolens bench`: the speed of the filter on this machine."""

import json
from dataclasses import asdict, replace
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console

from turbolens.filter import FilterSettings
from turbolens.filter.settings import Region
from turbolens.pipelines.cli.options.shared import with_shared_options
from turbolens.pipelines.cli.usage import parse_size
from turbolens.pipelines.model_choice import ModelChoice, load_model
from turbolens.pipelines.video.destination import Destination

from .cluster import cluster
from .coherence import coherence
from .detail import detail
from .file import file
from .latency import latency
from .progress import measuring
from .region import region
from .sessions import sessions
from .startup import startup
from .tables import print_report

if TYPE_CHECKING:
    from turbolens.filter import TurboModel
    from turbolens.pipelines.bench.baseline import Baseline
    from turbolens.pipelines.bench.speed import BenchReport, Case

app = typer.Typer(
    add_completion=False, rich_markup_mode="rich", help="Measure the filter on this machine."
)
app.command("cluster")(cluster)
app.command("coherence")(with_shared_options(coherence))
app.command("detail")(with_shared_options(detail))
app.command("file")(with_shared_options(file))
app.command("latency")(with_shared_options(latency))
app.command("region")(region)
app.command("sessions")(with_shared_options(sessions))
app.command("startup")(startup)


class CaseName(str, Enum):
    """The cases that can be chosen. Typer takes a list of choices only from an `Enum`."""

    SQUARE_256 = "256"
    SQUARE_384 = "384"
    SQUARE_512 = "512"
    HD = "720p"
    FULL_HD = "1080p"


class BaselineName(str, Enum):
    """The baselines that can be chosen."""

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
        help="Frame size: a square of this side, or 1280x720 or 1920x1080 filtered at 512x288. "
        "Repeat it for several [default: all].")] = None,
    frames: Annotated[int, typer.Option(min=2, help="Frames to time in each case.")] = 30,
    steps: Annotated[int, typer.Option(min=1, max=4, help="Denoising steps.")] = 1,
    strength: Annotated[float, typer.Option(
        min=0.01, max=1.0, help="How far the result may differ from the input.")] = 0.5,
    prompt: Annotated[str, typer.Option("--prompt", "-p", help="The look.")] = "oil painting",
    random_weights: Annotated[bool, typer.Option(
        "--random-weights", help="Give the known model random weights: the same speed and memory, "
        "without a download.")] = False,
    size: Annotated[list[str] | None, typer.Option(
        metavar="WIDTHxHEIGHT", help="Another frame size, filtered at full size. Repeat it for "
        "several.")] = None,
    working_size: Annotated[int | None, typer.Option(
        min=64, help="Longer side of the working image in pixels, in place of each case's own.")]
        = None,
    region: Annotated[Region, typer.Option(
        help="Filter only this part. The time includes finding it and joining both.")] = "all",
    batch: Annotated[list[int] | None, typer.Option(
        min=2, help="Also time batches of this many frames, as used for files. Repeat it for "
        "several.")] = None,
    baseline: Annotated[list[BaselineName] | None, typer.Option(
        help="Also time this on the same frames: diffusers (its stock pipeline), "
        "diffusers-compiled (the same, compiled as its guide recommends), streaming (a minimal "
        "one-step loop). Repeat it for several.")] = None,
    chart: Annotated[Path | None, typer.Option(
        help="Write a PNG chart of the time that each stage takes.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the results as JSON.")] = False,
) -> None:  # fmt: skip
    """Measure the speed here: each stage, the model alone, the whole filter, and peak memory.

    All times are in milliseconds. Baselines take turns with the filter, frame by frame. The
    subcommands measure coherence, latency, several sessions and the start.
    """
    if context.invoked_subcommand is not None:
        return
    baselines: tuple[Baseline, ...] = tuple(name.value for name in baseline or ())
    if random_weights:
        _check_baselines(baselines)
    from turbolens.pipelines.bench.speed import Extent, measure  # noqa: PLC0415

    settings = FilterSettings(
        prompt=((choice.look or prompt, 1.0),), strength=strength, steps=steps, region=region
    )
    loaded = _random(choice) if random_weights else load_model(choice)
    destination = None if chart is None else Destination(str(chart), overwrite=True)
    notify = measuring(as_json=as_json)
    report = measure(
        loaded, settings, cases=_cases(case, size, working_size),
        extent=Extent(frames, baselines, tuple(batch or ())),
        on_case=lambda case: notify(case.name),
    )  # fmt: skip
    if destination is not None:
        from turbolens.pipelines.bench.chart import save_chart  # noqa: PLC0415

        save_chart(report, destination)
    _print(report, as_json=as_json)


def _check_baselines(names: tuple[str, ...]) -> None:
    """Raise a usage error for baselines that load the model's folder."""
    stock = [name for name in names if name != BaselineName.STREAMING]
    if stock:
        raise typer.BadParameter(
            f"--baseline {stock[0]} loads the model's folder, which a model with random weights "
            "does not have; use --baseline streaming, or a model on this machine"
        )


def _random(choice: ModelChoice) -> "TurboModel":
    from turbolens.pipelines.bench.random_model import random_model  # noqa: PLC0415

    loaded = random_model(choice.model, device=choice.device, dtype=choice.dtype, vae=choice.vae)
    return loaded.accelerate(choice.acceleration, wait=True)


def _cases(
    names: list[CaseName] | None, sizes: list[str] | None, working_size: int | None
) -> "list[Case]":
    """The named cases and a case for each size; all named cases if nothing was given."""
    from turbolens.pipelines.bench.speed import CASES, Case  # noqa: PLC0415 - imports torch

    own = [parse_size("--size", text) for text in sizes or ()]
    chosen = names or ([] if own else list(CaseName))
    named = [case for case in CASES if case.name in chosen]
    cases = named + [Case(f"{width}x{height}", width, height, max(width, height))
                     for width, height in own]  # fmt: skip
    return cases if working_size is None else [replace(each, size=working_size) for each in cases]


def _print(report: "BenchReport", *, as_json: bool) -> None:
    if as_json:
        typer.echo(json.dumps(as_data(report), indent=2))
    else:
        print_report(report, Console(highlight=False))


def as_data(report: "BenchReport") -> dict[str, Any]:
    """The report as plain data, with frame rates and ratios."""
    data = asdict(report)
    for entry, result in zip(data["results"], report.results, strict=True):
        entry |= {"fps": result.fps, "ratios": result.ratios}
        entry |= {"single_ratios": result.single_ratios}
        entry |= {"share_of_floor": result.share_of_floor}
    return data
