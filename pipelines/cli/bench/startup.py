"""`turbolens bench startup`: how long commands take to start."""

import json
import os
import tempfile
from dataclasses import asdict
from typing import Annotated

import typer


def startup(
    *,
    empty_cache: Annotated[bool, typer.Option(
        "--empty-cache", help="Start as on a new machine: without converted networks and results "
        "of trials. The user's cache is not touched (Linux).")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the results as JSON.")] = False,
) -> None:  # fmt: skip
    """Measure the time from a command to its result.

    That is the help, the first filtered frame of the webcam on the test scene, and a server that
    takes sessions. Each command is started once.
    """
    from turbolens.pipelines.bench.startup import measure_startup  # noqa: PLC0415

    with tempfile.TemporaryDirectory() as folder:
        environment = {**os.environ, "XDG_CACHE_HOME": folder} if empty_cache else None
        report = measure_startup(environment)
    if as_json:
        typer.echo(json.dumps(asdict(report), indent=2))
        return
    for name, seconds in (
        ("turbolens --help", report.help_s),
        ("turbolens webcam, first filtered frame", report.webcam_s),
        ("turbolens serve, ready", report.serve_s),
    ):
        typer.echo(f"{name:<40} {seconds:5.1f} s")
