"""The results of `turbolens bench` as tables."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from rich.console import Console
from rich.table import Table

if TYPE_CHECKING:
    from turbolens.pipelines.bench.speed import BenchReport, CaseResult, Timing


def print_report(report: "BenchReport", console: Console) -> None:
    """Print the machine, the times of each case and stage, and peak memory."""
    console.print(
        f"{report.model} in {report.dtype} on {report.device}, {report.threads} threads, "
        f"torch {report.torch_version}, {report.system}"
    )
    console.print(f"processor: {', '.join(report.instructions) or 'unknown instructions'}")
    console.print(f"run by: {_backends(report)}")
    console.print(_times_table(report.results))
    console.print(_stages_table(report.results))
    for name, peak in (("main", report.peak_memory_mb), ("GPU", report.peak_gpu_memory_mb)):
        if peak is not None:
            console.print(f"peak {name} memory {peak:,.0f} MB")


def _backends(report: "BenchReport") -> str:
    """What ran each part, for example "encoder by int8, decoder by PyTorch"."""
    named = {part: "PyTorch" if name == "none" else name
             for part, name in report.accelerations.items()}  # fmt: skip
    return ", ".join(f"{part} by {name}" for part, name in named.items()) or "PyTorch"


def _times_table(results: "tuple[CaseResult, ...]") -> Table:
    first = results[0] if results else None
    batches = [f"in batches of {count}" for count in first.batches] if first else []
    headings = ["frames", "working size", "model only", "of the floor", "end to end"]
    headings += [*(["in a stream"] if first and first.in_stream else []), "fps"]
    table = Table(title="ms per frame: median (95th, 99th percentile)")
    for heading in (*headings, *batches, *(first.baselines if first else ())):
        table.add_column(heading, justify="right")
    for result in results:
        table.add_row(*_times_row(result))
    return table


def _times_row(result: "CaseResult") -> Iterator[str]:
    share = result.share_of_floor
    yield _size(result)
    yield f"{result.working_width}×{result.working_height}"
    yield _ms(result.model)
    yield "" if share is None else f"{share:.0%}"
    yield _ms(result.end_to_end)
    if result.in_stream is not None:
        yield _ms(result.in_stream)
    yield f"{result.fps:.1f}"
    for timing in result.batches.values():
        yield _ms(timing)
    for name, timing in result.baselines.items():
        ratio = f"{result.ratios[name]:.1f} × ours"
        if result.in_stream is not None:
            ratio += f" ({result.single_ratios[name]:.1f} × a frame alone)"
        yield f"{_ms(timing)}, {ratio}"


def _stages_table(results: "tuple[CaseResult, ...]") -> Table:
    table = Table(title="stages, ms: median (95th, 99th percentile)")
    table.add_column("frames", justify="right")
    for name in results[0].stages if results else ():
        table.add_column(name, justify="right")
    for result in results:
        table.add_row(_size(result), *map(_ms, result.stages.values()))
    return table


def _size(result: "CaseResult") -> str:
    return f"{result.case.width}×{result.case.height}"


def _ms(timing: "Timing") -> str:
    return f"{timing.median_ms:.1f} ({timing.p95_ms:.1f}, {timing.p99_ms:.1f})"
