"""`turbolens bench coherence`: how steady the filtered video is, and how well it follows motion."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console

from turbolens.filter import FilterSettings, MediaError
from turbolens.pipelines.model_choice import ModelChoice, load_model

from .coherence_tables import print_results
from .progress import measuring

if TYPE_CHECKING:
    from turbolens.pipelines.bench.coherence import Extent
    from turbolens.pipelines.bench.coherence_clips import ClipResult, FlowResult
    from turbolens.pipelines.bench.coherence_report import CoherenceReport

STRENGTH, STEADINESS = (FilterSettings.model_fields[name].default for name in
                        ("strength", "steadiness"))  # fmt: skip


def coherence(  # noqa: PLR0913 - each one is an option of the command
    *,
    choice: ModelChoice,
    prompt: Annotated[str, typer.Option("--prompt", "-p", help="The look.")] = "oil painting",
    strength: Annotated[float, typer.Option(
        min=0.01, max=1.0, help="How far the result may differ from the input.")] = STRENGTH,
    steadiness: Annotated[float, typer.Option(
        min=0.0, max=1.0, help="How strongly results are blended over time.")] = STEADINESS,
    quick: Annotated[bool, typer.Option(
        "--quick", help="Measure fewer frames: one minute instead of many.")] = False,
    photograph: Annotated[Path | None, typer.Option(
        help="Image for the tests without motion [default: a frame of the test scene].")] = None,
    data: Annotated[Path | None, typer.Option(
        help="Folder with flow/ (pairs of images and their optical flow) and clips/.")] = None,
    strips: Annotated[Path | None, typer.Option(
        help="Folder for PNG strips of the filtered frames, one for each method.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the results as JSON.")] = False,
) -> None:  # fmt: skip
    """Measure coherence against exact motion, for this filter and other methods."""
    from turbolens.pipelines.bench.coherence import measure  # noqa: PLC0415
    from turbolens.pipelines.bench.coherence_clips import (  # noqa: PLC0415
        measure_clips,
        measure_flow,
        read_photograph,
    )

    if data is not None and not data.is_dir():
        raise MediaError(f"--data must be a folder with flow/ or clips/ in it, got {data}")
    settings = FilterSettings(
        prompt=choice.look or prompt, strength=strength, steadiness=steadiness
    )
    loaded, extent, notify = load_model(choice), _extent(quick=quick), measuring(as_json=as_json)
    still = read_photograph(photograph, extent.width, extent.height) if photograph else None
    report = measure(loaded, settings, extent, photograph=still, notify=notify)
    flows: list[FlowResult] = []
    clips: list[ClipResult] = []
    if data is not None:
        flows = measure_flow(data)
        clips = measure_clips(loaded, settings, data, frames=extent.frames, notify=notify)
    if strips is not None:
        _save_strips(report, strips)
    if as_json:
        typer.echo(json.dumps(as_data(report, flows, clips), indent=2))
    else:
        print_results(report, flows, clips, Console(highlight=False))


def _extent(*, quick: bool) -> "Extent":
    from turbolens.pipelines.bench.coherence import Extent  # noqa: PLC0415

    return Extent(frames=24, still_frames=30, cut_frames=200, timed_frames=10) if quick else (
        Extent())  # fmt: skip


def as_data(
    report: "CoherenceReport", flows: "list[FlowResult]", clips: "list[ClipResult]"
) -> dict[str, Any]:
    """The report as plain data, without the frames."""
    data = asdict(report)
    del data["inputs"]
    for row in data["rows"]:
        del row["strip"]
    return data | {
        "flow": [asdict(result) for result in flows],
        "clips": [asdict(result) for result in clips],
    }


def _save_strips(report: "CoherenceReport", folder: Path) -> None:
    from turbolens.pipelines.bench.coherence_strips import save_strip  # noqa: PLC0415 - numpy, av: after parsing

    folder.mkdir(parents=True, exist_ok=True)
    save_strip(report.inputs, folder / "input.png")
    for row in report.rows:
        save_strip(row.strip, folder / f"{row.name.replace(' ', '-')}.png")
