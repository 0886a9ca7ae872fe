"""`turbolens bench latency`: the latency of a live pipeline, from capture to output."""

import json
from contextlib import closing
from dataclasses import asdict
from fractions import Fraction
from functools import partial
from typing import TYPE_CHECKING, Annotated, Any

import typer

from turbolens.filter import FilterSettings
from turbolens.pipelines.cli.options.client import check_no_model
from turbolens.pipelines.model_choice import ModelChoice, load_filter
from turbolens.pipelines.webrtc.client.options import ClientOptions

if TYPE_CHECKING:
    from turbolens.pipelines.bench.latency import LatencyReport
    from turbolens.pipelines.webcam.remote import RemoteFilter


def latency(  # noqa: PLR0913 - each one is an option of the command
    *,
    choice: ModelChoice,
    client: ClientOptions | None,
    prompt: Annotated[str, typer.Option("--prompt", "-p", help="The look.")] = "pastel",
    strength: Annotated[float, typer.Option(
        min=0.0, max=1.0, help="How far the result may differ from the input.")] = 0.3,
    size: Annotated[int, typer.Option(help="Longer side of the working image in pixels.")] = 384,
    width: Annotated[int, typer.Option(min=72, help="Width of the frames.")] = 640,
    height: Annotated[int, typer.Option(min=40, help="Height of the frames.")] = 360,
    rate: Annotated[int, typer.Option(min=1, max=240, help="Frames per second.")] = 30,
    seconds: Annotated[float, typer.Option(min=0.1,
        help="How long to measure, in seconds.")] = 10.0,
    as_json: Annotated[bool, typer.Option("--json", help="Print the results as JSON.")] = False,
) -> None:  # fmt: skip
    """Measure the latency of a live pipeline from capture to output.

    A number is drawn into each frame as bars, and read back from the filtered frame. Numbers that a
    strong look made unreadable are counted. --model none measures without a filter, --server with
    one on another machine. The last line says by how much to delay the sound of a call.
    """
    from turbolens.pipelines.bench.latency import measure_latency  # noqa: PLC0415

    settings = FilterSettings(prompt=((choice.look or prompt, 1.0),), strength=strength, size=size)
    measure = partial(
        measure_latency, width=width, height=height, rate=Fraction(rate), seconds=seconds
    )
    if client is not None:
        check_no_model(choice)
        with closing(_remote(client, settings)) as remote:
            _show(measure(remote), as_json=as_json)
        return
    local = _unchanged if choice.model == "none" else load_filter(choice, settings, live=True)
    _show(measure(local), as_json=as_json)


def _remote(client: ClientOptions, settings: FilterSettings) -> "RemoteFilter":
    from turbolens.pipelines.webcam.remote import RemoteFilter  # noqa: PLC0415 - aiortc, if asked

    remote = RemoteFilter(client, settings, notify=lambda text: typer.echo(text, err=True))
    try:
        remote.connection.check()
    except BaseException:
        remote.close()
        raise
    return remote


def _show(found: "LatencyReport", *, as_json: bool) -> None:
    if as_json:
        typer.echo(json.dumps({**asdict(found), "stats": found.stats.as_dict()}, indent=2))
        return
    typer.echo(
        f"{found.width}×{found.height} at {found.rate:g} fps for {found.seconds:.1f} s: "
        f"{found.shown} frames shown, {found.repeated} of them repeats, "
        f"{found.unreadable} unreadable"
    )
    for name, p50, p95 in (
        ("capture to send, new frames", found.fresh_p50_ms, found.fresh_p95_ms),
        ("capture to send, all frames", found.age_p50_ms, found.age_p95_ms),
        ("jitter of the output", found.jitter_p50_ms, found.jitter_p95_ms),
    ):
        if p50 is not None and p95 is not None:
            typer.echo(f"  {name:<30} {p50:6.1f} ms (95th percentile {p95:.1f})")
    if found.gap_max_ms is not None:
        typer.echo(f"  {'longest gap between new frames':<30} {found.gap_max_ms:6.1f} ms")
    if found.age_p50_ms is not None:
        typer.echo(
            f"delay the sound of the call by {found.age_p50_ms:.0f} ms (OBS: Advanced Audio "
            "Properties, Sync Offset)"
        )


def _unchanged(frame: Any) -> Any:
    return frame
