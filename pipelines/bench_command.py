"""`turbolens bench`: what the filter costs on this machine."""

import json
from dataclasses import asdict
from enum import Enum
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer
from rich.console import Console
from rich.table import Table

from turbolens.filter import FilterSettings

from .coherence_command import coherence
from .latency_command import latency
from .sessions_command import sessions
from .video_command import Vae

if TYPE_CHECKING:
    from .bench import BenchReport, Case, CaseResult, Timing

Baseline = Literal["none", "diffusers"]

app = typer.Typer(
    add_completion=False, rich_markup_mode=None, help="Measure what the filter does and costs here."
)
app.command("coherence")(coherence)
app.command("latency")(latency)
app.command("sessions")(sessions)


class CaseName(str, Enum):
    """The cases that can be chosen."""

    SQUARE_256 = "256"
    SQUARE_384 = "384"
    SQUARE_512 = "512"
    HD = "720p"


@app.callback(invoke_without_command=True)
def bench(  # noqa: PLR0913, PLR0917 - each one is an option of the command
    context: typer.Context,
    model: Annotated[str, typer.Option(
        "--model", "-m", help="A name of `turbolens models`, or a folder.")] = "embedded",
    device: Annotated[str, typer.Option(help="auto, cpu, cuda, mps, …")] = "auto",
    dtype: Annotated[str, typer.Option(help="auto, float32, float16 or bfloat16.")] = "auto",
    vae: Annotated[Vae, typer.Option(help="Autoencoder; auto: tiny for known models.")] = "auto",
    case: Annotated[list[CaseName] | None, typer.Option(
        help="Squares of that side, or 720p frames filtered at 512×288 [default: all].")] = None,
    frames: Annotated[int, typer.Option(min=2, help="Frames that are timed in each case.")] = 30,
    steps: Annotated[int, typer.Option(min=1, max=4, help="Denoising steps.")] = 1,
    strength: Annotated[float, typer.Option(min=0.01, max=1.0, help="As in the filter.")] = 0.5,
    prompt: Annotated[str, typer.Option("--prompt", "-p", help="The look.")] = "oil painting",
    baseline: Annotated[Baseline, typer.Option(
        help="diffusers: its stock pipeline beside ours, same weights and frames.")] = "none",
    as_json: Annotated[bool, typer.Option("--json", help="For machines.")] = False,
) -> None:  # fmt: skip
    """Measure the speed here: stages, model only and end to end, and peak memory.

    All times are in milliseconds. With a baseline, its frames alternate with ours. What else can be
    measured has a name of its own: `turbolens bench coherence`, `latency` and `sessions`.
    """
    if context.invoked_subcommand is not None:
        return
    from turbolens.filter import TurboModel  # noqa: PLC0415 - torch takes seconds

    from .bench import CASES, measure  # noqa: PLC0415

    chosen = {item.value for item in case or CaseName}
    settings = FilterSettings(prompt=((prompt, 1.0),), strength=strength, steps=steps)
    console = Console(stderr=True, highlight=False)
    report = measure(
        TurboModel.load(model, device=device, dtype=dtype, vae=vae), settings,
        cases=[item for item in CASES if item.name in chosen], frames=frames,
        baseline=baseline == "diffusers",
        on_case=None if as_json else lambda item: _tell(console, item),
    )  # fmt: skip
    if as_json:
        typer.echo(json.dumps(as_data(report), indent=2))
    else:
        show(report, Console(highlight=False))


def as_data(report: "BenchReport") -> dict[str, Any]:
    """The report as plain data, with fps and ratio."""
    data = asdict(report)
    for entry, result in zip(data["results"], report.results, strict=True):
        entry |= {"fps": result.fps, "ratio": result.ratio}
    return data


def show(report: "BenchReport", console: Console) -> None:
    """The report as tables."""
    console.print(
        f"{report.model} in {report.dtype} on {report.device}, {report.threads} threads, "
        f"torch {report.torch_version}, {report.system}"
    )
    console.print(_totals(report.results))
    console.print(_stages(report.results))
    for name, peak in (("main", report.peak_memory_mb), ("GPU", report.peak_gpu_memory_mb)):
        if peak is not None:
            console.print(f"peak {name} memory {peak:,.0f} MB")


def _totals(results: "tuple[CaseResult, ...]") -> Table:
    table = Table(title="ms a frame: median (95 of 100)")
    for heading in ("frames", "working picture", "model only", "end to end", "fps"):
        table.add_column(heading, justify="right")
    compared = any(result.baseline for result in results)
    if compared:
        table.add_column("diffusers", justify="right")
        table.add_column("times as fast", justify="right")
    for result in results:
        row = [f"{result.case.width}×{result.case.height}",
               f"{result.working_width}×{result.working_height}",
               _ms(result.model), _ms(result.end_to_end), f"{result.fps:.1f}"]  # fmt: skip
        if compared:
            row += [_ms(result.baseline), f"{result.ratio:.1f}" if result.ratio else ""]
        table.add_row(*row)
    return table


def _stages(results: "tuple[CaseResult, ...]") -> Table:
    table = Table(title="stages, ms: median (95 of 100)")
    table.add_column("frames", justify="right")
    for name in results[0].stages if results else ():
        table.add_column(name, justify="right")
    for result in results:
        times = [_ms(timing) for timing in result.stages.values()]
        table.add_row(f"{result.case.width}×{result.case.height}", *times)
    return table


def _ms(timing: "Timing | None") -> str:
    return "" if timing is None else f"{timing.median_ms:.1f} ({timing.p95_ms:.1f})"


def _tell(console: Console, case: "Case") -> None:
    console.print(f"measuring {case.name} …")
