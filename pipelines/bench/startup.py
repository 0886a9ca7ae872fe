"""Measures how long commands take to start, each in a process of its own."""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from time import perf_counter
from typing import IO

from turbolens.filter.errors import MediaError

COMMAND = (sys.executable, "-m", "turbolens")
WEBCAM = (
    "webcam", "--camera", "test-scene", "--camera-size", "640x360", "--virtual-camera", "none",
    "--json",
)  # fmt: skip
SERVE = ("serve", "--port", "0")
READY = "the model is ready"


@dataclass(frozen=True)
class StartupReport:
    """Seconds from the command to its result.

    help_s: the list of commands. webcam_s: the first filtered frame, to within half a second.
    serve_s: a server that takes sessions.
    """

    help_s: float
    webcam_s: float
    serve_s: float


def measure_startup(environment: Mapping[str, str] | None = None) -> StartupReport:
    """Start each command once. Raises `MediaError` if one ends too early.

    environment: variables of the commands, by default those of this process.
    """
    variables = dict(environment or os.environ)
    return StartupReport(_help_s(variables), _webcam_s(variables), _serve_s(variables))


def _help_s(variables: Mapping[str, str]) -> float:
    began = perf_counter()
    command = [*COMMAND, "--help"]
    subprocess.run(command, env=variables, capture_output=True, check=True)  # noqa: S603 - ours
    return perf_counter() - began


def _webcam_s(variables: Mapping[str, str]) -> float:
    def is_filtered(line: str) -> bool:
        return line.startswith("{") and bool(json.loads(line).get("filtered"))

    return _seconds_until(WEBCAM, is_filtered, variables)


def _serve_s(variables: Mapping[str, str]) -> float:
    return _seconds_until(SERVE, lambda line: READY in line, variables)


def _seconds_until(
    arguments: Sequence[str],
    is_reached: Callable[[str], bool],
    variables: Mapping[str, str],
) -> float:
    """Seconds until the command prints such a line. It is then stopped."""
    began = perf_counter()
    with subprocess.Popen(  # noqa: S603 - this package
        [*COMMAND, *arguments], env=variables, text=True,
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    ) as process:  # fmt: skip
        try:
            last = _line_that(process.stdout, is_reached)
            seconds = perf_counter() - began
        finally:
            process.kill()
    if last is not None:
        raise MediaError(f"turbolens {arguments[0]} ended before it was ready: {last.strip()}")
    return seconds


def _line_that(output: IO[str] | None, is_reached: Callable[[str], bool]) -> str | None:
    """Read up to such a line. Returns `None`, or the last line if there was none."""
    last = ""
    for line in output or ():
        if is_reached(line):
            return None
        last = line
    return last
