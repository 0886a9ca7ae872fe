"""`turbolens bench coherence`: how still the picture stands, and how it moves with the world."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from turbolens.filter import FilterSettings, MediaError
from turbolens.pipelines.model_choice import ModelChoice, load_model

if TYPE_CHECKING:
    from turbolens.pipelines.bench.coherence_clips import ClipResult, FlowResult
    from turbolens.pipelines.bench.coherence_report import CoherenceReport

STRENGTH, STEADINESS = (FilterSettings.model_fields[name].default for name in
                        ("strength", "steadiness"))  # fmt: skip


def coherence(  # noqa: PLR0913 - each one is an option of the command
    *,
    choice: ModelChoice,
    prompt: Annotated[str, typer.Option("--prompt", "-p", help="The look.")] = "oil painting",
    strength: Annotated[float, typer.Option(min=0.01, max=1.0)] = STRENGTH,
    steadiness: Annotated[float, typer.Option(min=0.0, max=1.0)] = STEADINESS,
    quick: Annotated[bool, typer.Option(
        "--quick", help="Fewer frames: a minute instead of many.")] = False,
    photograph: Annotated[Path | None, typer.Option(
        help="The picture that stands still [default: one of the scene].")] = None,
    data: Annotated[Path | None, typer.Option(
        help="A folder with flow/ (pairs of pictures with their flow) and clips/.")] = None,
    strips: Annotated[Path | None, typer.Option(
        help="Folder for a PNG of every row, to look at.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="For machines.")] = False,
) -> None:  # fmt: skip
    """Measure coherence against exact truth, beside what others do with the same network."""
    from turbolens.pipelines.bench.coherence import Extent, measure  # noqa: PLC0415
    from turbolens.pipelines.bench.coherence_clips import (  # noqa: PLC0415
        measure_clips,
        measure_flow,
        read_photograph,
    )

    console = Console(stderr=True, highlight=False)
    extent = Extent(frames=24, still_frames=30, cut_frames=200, timed_frames=10) if quick else (
        Extent())  # fmt: skip
    if data is not None and not data.is_dir():
        raise MediaError(f"--data must be a folder with flow/ or clips/ in it, got {data}")
    settings = FilterSettings(
        prompt=choice.look or prompt, strength=strength, steadiness=steadiness
    )
    loaded = load_model(choice)
    still = read_photograph(photograph, extent.width, extent.height) if photograph else None

    def tell(what: str) -> None:
        if not as_json:
            console.print(f"measuring {what} …")

    report = measure(loaded, settings, extent, photograph=still, tell=tell)
    flows = measure_flow(data) if data else []
    clips = measure_clips(loaded, settings, data, frames=extent.frames, tell=tell) if data else []
    if strips is not None:
        _save_strips(report, strips)
    if as_json:
        typer.echo(json.dumps(as_data(report, flows, clips), indent=2))
    else:
        show(report, flows, clips, Console(highlight=False))


def as_data(
    report: "CoherenceReport", flows: "list[FlowResult]", clips: "list[ClipResult]"
) -> dict[str, Any]:
    """The report as plain data, without the pictures."""
    data = asdict(report)
    del data["inputs"]
    for row in data["rows"]:
        del row["strip"]
    return data | {
        "flow": [asdict(result) for result in flows],
        "clips": [asdict(result) for result in clips],
    }


def show(
    report: "CoherenceReport",
    flows: "list[FlowResult]",
    clips: "list[ClipResult]",
    console: Console,
) -> None:
    """The report as tables."""
    console.print(_rows(report))
    console.print(
        f"the input's own warp error: {report.input_warp_error:.2f} levels\n"
        f"cuts found: {report.found} of {report.true_cuts} in {report.cut_frames} frames, "
        f"false: {report.false_cuts}\n"
        f"a model with time for every third frame: reprojected frames are "
        f"{report.reprojection.error:.1f} levels from their true results, repeated ones "
        f"{report.reprojection.repeated_error:.1f}; warp error {report.reprojection.warp_error:.2f}"
        f" against {report.reprojection.repeated_warp_error:.2f}; detail "
        f"{report.reprojection.detail:.2f}\n"
        f"cost of coherence at 512×512: {report.cost_ms:.1f} of {report.frame_ms:.1f} ms a frame, "
        f"{100 * report.cost_ms / report.frame_ms:.0f} %"
    )
    if flows:
        console.print(_flows(flows))
    if clips:
        console.print(_clips(clips))


def _rows(report: "CoherenceReport") -> Table:
    from turbolens.pipelines.bench.coherence_rows import TITLES  # noqa: PLC0415 - imports torch

    table = Table(title="coherence on the test scene and a still picture")
    table.add_column("measure")
    for row in report.rows:
        table.add_column(TITLES[row.name], justify="right")
    for noise in report.rows[0].static_gain:
        table.add_row(f"static noise gain, σ = {noise:g}",
                      *(f"{row.static_gain[noise]:.3f}" for row in report.rows))  # fmt: skip
    table.add_row("warp error, levels", *(f"{row.warp_error:.2f}" for row in report.rows))
    table.add_row("ghosting after 2 frames",
                  *(f"{100 * row.ghosting:.1f} %" for row in report.rows))  # fmt: skip
    table.add_row("detail", *(f"{row.detail:.2f}" for row in report.rows))
    table.add_row("luminance flicker, levels", *(f"{row.flicker:.4f}" for row in report.rows))
    table.add_row("response to a prompt, frames",
                  *(f"{row.response}" if row.response <= 6 else "> 6" for row in report.rows)
                  )  # fmt: skip
    table.add_row("cuts like a fresh stream",
                  *(f"{row.cuts_identical} of {report.cuts}" for row in report.rows))  # fmt: skip
    return table


def _flows(flows: "list[FlowResult]") -> Table:
    table = Table(title="motion: mean end-point error, pixels")
    for heading in ("pair", "motion", "Turbolens", "DIS (fast)"):
        table.add_column(heading, justify="left" if heading == "pair" else "right")
    for result in flows:
        other = "" if result.dis is None else f"{result.dis:.2f}"
        table.add_row(result.name, f"{result.length:.2f}", f"{result.ours:.2f}", other)
    return table


def _clips(clips: "list[ClipResult]") -> Table:
    table = Table(title="clips: warp error along estimated motion, levels")
    for heading in ("clip", "input", "fixed noise", "Turbolens", "detail"):
        table.add_column(heading, justify="left" if heading == "clip" else "right")
    for result in clips:
        table.add_row(result.name, f"{result.own:.2f}", f"{result.fixed:.2f}",
                      f"{result.ours:.2f}", f"{result.detail:.2f}")  # fmt: skip
    return table


def _save_strips(report: "CoherenceReport", folder: Path) -> None:
    from turbolens.pipelines.bench.coherence_strips import save_strip  # noqa: PLC0415 - numpy, av: after parsing

    folder.mkdir(parents=True, exist_ok=True)
    save_strip(report.inputs, folder / "input.png")
    for row in report.rows:
        save_strip(row.strip, folder / f"{row.name.replace(' ', '-')}.png")
