"""`turbolens bench sessions`: the time of several sessions, relative to one alone."""

import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from turbolens.filter import FilterSettings
from turbolens.pipelines.model_choice import ModelChoice, load_model

if TYPE_CHECKING:
    from turbolens.pipelines.bench.sessions import SessionsReport

COUNTS = (1, 2, 4, 8)


def sessions(
    *,
    choice: ModelChoice,
    count: Annotated[list[int] | None, typer.Option(
        min=1, max=64,
        help="Number of sessions. Repeat it for several [default: 1, 2, 4, 8].")] = None,
    size: Annotated[int, typer.Option(min=64, max=2048,
        help="Side of the square frames in pixels.")] = 512,
    rounds: Annotated[int, typer.Option(min=2, help="Frames to time in each session.")] = 30,
    as_json: Annotated[bool, typer.Option("--json", help="Print the results as JSON.")] = False,
) -> None:  # fmt: skip
    """Measure several sessions that share a model, which filters their frames as one batch."""
    from turbolens.pipelines.bench.sessions import measure_sessions  # noqa: PLC0415

    report = measure_sessions(
        load_model(choice),
        FilterSettings(size=min(size, 1024), reuse_unchanged=False),
        counts=count or COUNTS, size=size, rounds=rounds,
    )  # fmt: skip
    if as_json:
        typer.echo(json.dumps(as_data(report), indent=2))
    else:
        print_report(report, Console(highlight=False))


def as_data(report: "SessionsReport") -> dict[str, Any]:
    """The report as plain data, with ratios and frame rates."""
    data = asdict(report)
    for entry, result in zip(data["results"], report.results, strict=True):
        entry |= {"times_one": result.times_one, "fps": result.fps}
    return data


def print_report(report: "SessionsReport", console: Console) -> None:
    """Print the report as a table."""
    console.print(f"{report.model} in {report.dtype} on {report.device}")
    table = Table(
        title=f"one {report.size}×{report.size} frame per session, ms: median (95th percentile)"
    )
    for heading in ("sessions", "together", "one alone", "times one", "fps each"):
        table.add_column(heading, justify="right")
    for result in report.results:
        table.add_row(
            str(result.sessions),
            f"{result.together.median_ms:.1f} ({result.together.p95_ms:.1f})",
            f"{result.alone.median_ms:.1f} ({result.alone.p95_ms:.1f})",
            f"{result.times_one:.2f}", f"{result.fps:.1f}",
        )  # fmt: skip
    console.print(table)
