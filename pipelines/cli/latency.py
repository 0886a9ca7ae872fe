"""`turbolens bench latency`: the delay of a live pipeline, from capture to send."""

import json
from dataclasses import asdict
from fractions import Fraction
from typing import Annotated, Any

import typer

from turbolens.filter import FilterSettings
from turbolens.pipelines.model_choice import ModelChoice, load_filter


def latency(  # noqa: PLR0913 - each one is an option of the command
    *,
    choice: ModelChoice,
    prompt: Annotated[str, typer.Option("--prompt", "-p", help="The look.")] = "pastel",
    strength: Annotated[float, typer.Option(min=0.0, max=1.0, help="As in the filter.")] = 0.3,
    size: Annotated[int, typer.Option(help="Longer side of the working picture.")] = 384,
    width: Annotated[int, typer.Option(min=72, help="Of the frames.")] = 640,
    height: Annotated[int, typer.Option(min=40, help="Of the frames.")] = 360,
    rate: Annotated[int, typer.Option(min=1, max=240, help="Frames a second.")] = 30,
    seconds: Annotated[float, typer.Option(min=0.1, help="How long to measure.")] = 10.0,
    as_json: Annotated[bool, typer.Option("--json", help="For machines.")] = False,
) -> None:  # fmt: skip
    """Measure the delay from capture to send in a live pipeline, from the pictures themselves.

    Frames carry their number, drawn as bars; it is read back from what the filter made of them.
    A strong look may make it unreadable, which is counted. --model none: without a filter.
    """
    from turbolens.pipelines.bench.latency import measure_latency  # noqa: PLC0415

    settings = FilterSettings(prompt=((choice.look or prompt, 1.0),), strength=strength, size=size)
    frame_filter = (
        _unchanged if choice.model == "none" else load_filter(choice, settings, live=True)
    )
    found = measure_latency(
        frame_filter, width=width, height=height, rate=Fraction(rate), seconds=seconds
    )
    if as_json:
        typer.echo(json.dumps({**asdict(found), "stats": found.stats.as_dict()}, indent=2))
        return
    typer.echo(
        f"{found.width}×{found.height} at {found.rate:g} fps for {found.seconds:.1f} s: "
        f"{found.shown} pictures shown, {found.repeated} of them again, "
        f"{found.unreadable} unreadable"
    )
    for name, p50, p95 in (
        ("capture to send, new pictures", found.fresh_p50_ms, found.fresh_p95_ms),
        ("age of all that is shown", found.age_p50_ms, found.age_p95_ms),
        ("jitter of the output", found.jitter_p50_ms, found.jitter_p95_ms),
    ):
        if p50 is not None and p95 is not None:
            typer.echo(f"  {name:<30} {p50:6.1f} ms (95 of 100 below {p95:.1f})")


def _unchanged(frame: Any) -> Any:
    return frame
