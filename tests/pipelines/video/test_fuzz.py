"""`turbolens video` on files of every kind, whole and damaged: it succeeds, or says why in a line.

By default a few dozen files, the same every time. For as long as asked, files at random, and every
finding is printed with the call that makes it:

    FUZZ_SECONDS=3600 python -m pytest -s tests/pipelines/video/test_fuzz.py

FUZZ_FILE=path keeps a copy of the file of the last call, and the call itself beside it in path.txt,
for a crash of the process.
"""

import io
import os
import signal
import sys
import time
import traceback
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple, TypeAlias
from unittest.mock import patch

import av
import pytest
from hypothesis import HealthCheck, Phase, given, reject, settings
from hypothesis import strategies as st

from turbolens.pipelines.cli import app as cli

from .odd_files import PHOTOS, CannotMakeError, Recipe, recipes

SECONDS = float(os.environ.get("FUZZ_SECONDS", "0"))
EXAMPLES = 40  # of one round
ROUND_SECONDS = 45  # after which a round that was not asked for ends on a slow machine
OUTPUTS = ("out.mp4", "out.mkv", "out.webm", "out.mov", "out.ts", "out.flv", "out.nut")
IMAGES = ("out.png", "out.jpg")
OPTIONS: tuple[tuple[str, ...], ...] = (
    (), ("--start", "0.05"), ("--duration", "0.1"), ("--compare",), ("--codec", "hevc"),
    ("--codec", "ffv1"), ("--preview", "2"), ("--pixel-format", "yuv444p"),
)  # fmt: skip
Call: TypeAlias = tuple[Recipe, str, tuple[str, ...]]
"""A file, the name of the output, and options."""
UNCLEAR = ("[Errno", "Invalid argument", "Generic error", "Unknown error", ".part")


class Outcome(NamedTuple):
    """What the command did. failure: the traceback of an error that it did not catch."""

    code: object
    errors: str
    failure: str


def run_command(*arguments: str) -> Outcome:
    """Run `turbolens` in this process."""
    handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    errors = io.StringIO()
    try:
        with (
            redirect_stderr(errors), redirect_stdout(io.StringIO()),
            patch.object(sys, "argv", ["turbolens", *arguments]),
        ):  # fmt: skip
            cli.main()
    except SystemExit as ended:
        return Outcome(ended.code or 0, errors.getvalue(), "")
    except Exception:  # noqa: BLE001 - a finding
        return Outcome(None, errors.getvalue(), traceback.format_exc())
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)
    return Outcome(None, errors.getvalue(), "")


def findings(recipe: Recipe, output: str, options: tuple[str, ...]) -> list[str]:
    """What is wrong about `turbolens video` for this file. Raises `CannotMakeError`."""
    with TemporaryDirectory() as folder:
        source, target = Path(folder) / f"in.{recipe.suffix}", Path(folder) / output
        recipe.write(source)
        if "FUZZ_FILE" in os.environ:
            Path(os.environ["FUZZ_FILE"]).write_bytes(source.read_bytes())
            Path(os.environ["FUZZ_FILE"] + ".txt").write_text(repr((recipe, output, options)))
        outcome = run_command("video", str(source), str(target), "--size", "64", *options)
        left = {path.name for path in Path(folder).iterdir()} - {source.name}
        return [*_about_message(outcome), *_about_files(outcome, target, left)]


def _about_message(outcome: Outcome) -> list[str]:
    found = []
    if outcome.code not in (0, 1, 2):
        found.append(f"exit code {outcome.code}")
    if outcome.failure or "Traceback" in outcome.errors:
        found.append(outcome.failure or outcome.errors)
    lines = [line for line in outcome.errors.splitlines() if line.startswith("turbolens: ")]
    if len(lines) != (0 if outcome.code == 0 else 1):
        found.append(f"{len(lines)} lines: {outcome.errors}")
    found += [f"unclear: {line}" for line in lines if any(words in line for words in UNCLEAR)]
    return found


def _about_files(outcome: Outcome, target: Path, left: set[str]) -> list[str]:
    if outcome.code != 0:
        return [f"left behind after a failure: {left}"] if left else []
    if not target.exists():
        return ["no output, but exit code 0"]
    found = [f"left behind: {name}" for name in left if name.startswith(".")]
    try:
        # A tiny MPEG-TS cannot be told from other formats.
        name = "mpegts" if target.suffix == ".ts" else None
        with av.open(str(target), format=name, metadata_errors="replace") as container:
            frames = sum(1 for _ in container.decode(video=0))
    except (av.FFmpegError, IndexError) as error:
        return [*found, f"the output cannot be read: {error!r}"]
    return found if frames else [*found, "the output has no frame"]


@st.composite
def calls(draw: st.DrawFn) -> Call:
    """A file, the name of the output, and options."""
    recipe = draw(recipes())
    names = IMAGES if recipe.suffix in PHOTOS else OUTPUTS
    return recipe, draw(st.sampled_from(names)), draw(st.just(()) | st.sampled_from(OPTIONS))


@dataclass
class Search:
    """What was tried and found so far. ends: the time of the clock at which it ends."""

    ends: float
    calls: int = 0
    found: list[str] = field(default_factory=list)

    def add(self, call: Call) -> None:
        """Try a call, and print what is wrong about it."""
        try:
            found = findings(*call)
        except CannotMakeError:
            reject()
        self.calls += 1
        if found:
            self.found.append(f"{call}: {found}")
            tell(f"finding {len(self.found)}, call {self.calls}: {self.found[-1]}")


def tell(text: str) -> None:
    """Print a line at once."""
    sys.stdout.write(f"\n{text}\n")
    sys.stdout.flush()


@settings(
    max_examples=EXAMPLES, deadline=None, database=None, phases=[Phase.generate],
    derandomize=not SECONDS, suppress_health_check=list(HealthCheck),
)  # fmt: skip
@given(call=calls())
def one_round(search: Search, call: Call) -> None:
    if time.monotonic() < search.ends:
        search.add(call)


@pytest.mark.slow
@pytest.mark.timeout(SECONDS + 600)
def test_a_file_is_filtered_or_a_line_says_why_not() -> None:
    search = Search(time.monotonic() + (SECONDS or ROUND_SECONDS))
    one_round(search)
    while SECONDS and time.monotonic() < search.ends:
        one_round(search)
    tell(f"{search.calls} calls, {len(search.found)} findings")
    assert not search.found
