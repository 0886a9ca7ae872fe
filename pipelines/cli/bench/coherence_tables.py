"""The results of `turbolens bench coherence` as tables."""

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from rich.console import Console
from rich.table import Table

if TYPE_CHECKING:
    from turbolens.pipelines.bench.coherence_clips import ClipResult, FlowResult
    from turbolens.pipelines.bench.coherence_report import CoherenceReport, MethodResult

LONGEST_RESPONSE = 6  # frames; a longer one is not measured


def print_results(
    report: "CoherenceReport",
    flows: "list[FlowResult]",
    clips: "list[ClipResult]",
    console: Console,
) -> None:
    """Print the methods side by side, the figures of this filter alone, flows and clips."""
    console.print(_methods_table(report))
    console.print("\n".join(_own_figures(report)))
    if flows:
        console.print(_flows_table(flows))
    if clips:
        console.print(_clips_table(clips))


def _own_figures(report: "CoherenceReport") -> Iterator[str]:
    reprojection = report.reprojection
    yield f"warp error of the input: {report.input_warp_error:.2f} levels"
    yield (
        f"cuts found: {report.found} of {report.true_cuts} in {report.cut_frames} frames, "
        f"false: {report.false_cuts}"
    )
    yield (
        "with only every third frame filtered: reprojected frames are "
        f"{reprojection.error:.1f} levels from their true results, repeated ones "
        f"{reprojection.repeated_error:.1f}; warp error {reprojection.warp_error:.2f}"
        f" against {reprojection.repeated_warp_error:.2f}; detail "
        f"{reprojection.detail:.2f}"
    )
    yield (
        f"cost of coherence at 512×512: {report.cost_ms:.1f} of {report.frame_ms:.1f} ms per frame,"
        f" {100 * report.cost_ms / report.frame_ms:.0f} %"
    )


def _methods_table(report: "CoherenceReport") -> Table:
    from turbolens.pipelines.bench.coherence_methods import TITLES  # noqa: PLC0415 - imports torch

    table = Table(title="coherence on the test scene and a still image")
    table.add_column("measure")
    for row in report.rows:
        table.add_column(TITLES[row.name], justify="right")
    for title, text in _measures(report):
        table.add_row(title, *map(text, report.rows))
    return table


def _measures(report: "CoherenceReport") -> "Iterator[tuple[str, Callable[[MethodResult], str]]]":
    """Each line of the table: its title, and the text for one method."""
    for noise in report.rows[0].static_gain:
        yield f"static noise gain, σ = {noise:g}", _static_gain(noise)
    yield "warp error, levels", lambda row: f"{row.warp_error:.2f}"
    yield "ghosting after 2 frames", lambda row: f"{100 * row.ghosting:.1f} %"
    yield "detail", lambda row: f"{row.detail:.2f}"
    yield "luminance flicker, levels", lambda row: f"{row.flicker:.4f}"
    yield "response to a new prompt, frames", lambda row: _response(row.response)
    yield "cuts like a fresh stream", lambda row: f"{row.cuts_identical} of {report.cuts}"


def _static_gain(noise: float) -> "Callable[[MethodResult], str]":
    return lambda row: f"{row.static_gain[noise]:.3f}"


def _response(frames: int) -> str:
    return f"{frames}" if frames <= LONGEST_RESPONSE else f"> {LONGEST_RESPONSE}"


def _flows_table(flows: "list[FlowResult]") -> Table:
    table = Table(title="motion: mean end-point error, pixels")
    for heading in ("pair", "motion", "Turbolens", "DIS (fast)"):
        table.add_column(heading, justify="left" if heading == "pair" else "right")
    for result in flows:
        other = "" if result.dis is None else f"{result.dis:.2f}"
        table.add_row(result.name, f"{result.length:.2f}", f"{result.ours:.2f}", other)
    return table


def _clips_table(clips: "list[ClipResult]") -> Table:
    table = Table(title="clips: warp error along estimated motion, levels")
    for heading in ("clip", "input", "fixed noise", "Turbolens", "detail"):
        table.add_column(heading, justify="left" if heading == "clip" else "right")
    for result in clips:
        table.add_row(result.name, f"{result.own:.2f}", f"{result.fixed:.2f}",
                      f"{result.ours:.2f}", f"{result.detail:.2f}")  # fmt: skip
    return table
