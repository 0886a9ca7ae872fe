"""`turbolens bench cluster`: what a segment costs on a cluster, and what a second worker brings."""

import json
import tempfile
from dataclasses import asdict
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from turbolens.filter import FilterSettings
from turbolens.pipelines.model_choice import ModelChoice

if TYPE_CHECKING:
    from turbolens.pipelines.bench.cluster import ClusterReport


def cluster(
    *,
    seconds: Annotated[float, typer.Option(
        min=6, help="Length of the film, which shows the test scene.")] = 19.5,
    size: Annotated[int, typer.Option(help="Working size in pixels.")] = 256,
    rounds: Annotated[int, typer.Option(
        min=1, help="How often with one and with two workers, in turn; the medians count.")] = 3,
    as_json: Annotated[bool, typer.Option("--json", help="Print the results as JSON.")] = False,
) -> None:  # fmt: skip
    """Measure a cluster of one and of two workers on this machine, each with one core.

    The overhead of a segment, the speed-up of the second worker, and the seams between segments.
    Needs turbolens[cluster].
    """
    from turbolens.pipelines.bench.cluster import measure_cluster  # noqa: PLC0415

    with tempfile.TemporaryDirectory() as folder:
        report = measure_cluster(
            Path(folder), FilterSettings(size=size), ModelChoice(acceleration="none"),
            seconds=Fraction(str(seconds)), rounds=rounds,
        )  # fmt: skip
    if as_json:
        figures = {"speed_up": report.speed_up, "possible_speed_up": report.possible_speed_up,
                   "overhead_s": report.overhead_s, "transport_s": report.transport_s,
                   "driver_s": report.driver_s}  # fmt: skip
        typer.echo(json.dumps({**asdict(report), **figures}, indent=2))
        return
    _print(report)


def _print(report: "ClusterReport") -> None:
    one, two = report.one, report.two
    rows = [
        ("segments", f"{one.segments}, {report.frames} frames"),
        ("sent, a segment", f"{one.sent_bytes / one.segments / 1000:.0f} kB"),
        ("received, a segment (FFV1)", f"{one.received_bytes / one.segments / 1000:.0f} kB"),
        ("in the filter, a segment", f"{one.filter_seconds / one.segments:.3f} s"),
        ("following textures, a segment", f"{report.motion_s:.3f} s"),
        ("decoding and encoding besides", f"{report.overhead_s:.3f} s"),
        ("waiting, sending, storing", f"{report.transport_s:.3f} s"),
        ("of a core for the driver, a segment", f"{report.driver_s:.3f} s"),
        ("one worker", f"{report.frames / one.seconds:.1f} fps"),
        ("two workers", f"{report.frames / two.seconds:.1f} fps"),
        ("speed-up", f"{report.speed_up:.2f}"),
        ("speed-up by processor time", f"{report.possible_speed_up:.2f}"),
        ("lowest PSNR against one piece", f"{report.seam_db:.1f} dB"),
    ]
    for name, value in rows:
        typer.echo(f"{name:<36} {value}")
