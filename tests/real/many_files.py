#!/usr/bin/env python3
"""Filters a folder of 200 short files of many kinds, and watches the memory meanwhile.

    python -m tests.real.many_files [--files 200] [OPTIONS OF THE COMMAND, as --cluster local]

It is run on request only: a few minutes on two cores, from the root of the repository. Each file
must be right or reported, the exit code 1, and the memory of the command flat. The last line is the
verdict.
"""

import argparse
import json
import subprocess
import sys
import time
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from threading import Thread
from typing import Any

from tests.pipelines.video.odd_folder import make_folder, problems

COMMAND = [sys.executable, "-m", "turbolens", "video"]
OPTIONS = ["--size", "64", "--acceleration", "none", "--json"]
MAX_GROWTH = 1.05  # of the memory, from the second quarter of the files to the last


def say(line: str) -> None:
    """Print a line at once."""
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def resident_mb(process: int) -> float:
    """Memory that a process uses now."""
    status = Path(f"/proc/{process}/status").read_text()
    return int(status.partition("VmRSS:")[2].split()[0]) / 1000


class Watch:
    """The command, and its memory after each file that is done. summary: its last line."""

    def __init__(self, arguments: list[str]) -> None:
        self.memory: list[float] = []
        self.summary: dict[str, Any] = {"files": []}
        command = [*COMMAND, *arguments]
        pipes: Any = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
        self.errors: list[str] = []
        process: subprocess.Popen[str]
        with subprocess.Popen(command, **pipes) as process:  # noqa: S603
            assert process.stderr is not None
            errors = Thread(target=self.errors.extend, args=(process.stderr,), daemon=True)
            errors.start()
            assert process.stdout is not None
            for line in process.stdout:
                event = json.loads(line)
                if event["event"] == "done":
                    self.memory.append(resident_mb(process.pid))
                elif event["event"] == "summary":
                    self.summary = event
            errors.join()
        self.code = process.returncode


def main() -> int:
    """Make the files, filter them, check."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--files", type=int, default=200)
    known, options = parser.parse_known_args()
    with TemporaryDirectory() as temporary:
        folder, outputs = Path(temporary) / "in", Path(temporary) / "out"
        make_folder(folder, known.files)
        say(f"{known.files} files")
        begun, inputs = time.monotonic(), [str(path) for path in sorted(folder.iterdir())]
        run = Watch([*inputs, "--output-dir", str(outputs), *OPTIONS, *options])
        seconds = time.monotonic() - begun
        wrong = problems(folder, outputs, run.summary, on_cluster="--cluster" in options)
    counts = {name: run.summary.get(name) for name in ("done", "failed", "kept", "resumed")}
    say(f"{seconds:.0f} s, exit code {run.code}, {counts}")
    wrong += [] if run.code == 1 else [f"exit code {run.code}, must be 1"]
    wrong += [f"on stderr: {line}" for line in run.errors if not line.startswith("turbolens: ")]
    quarters = [median(run.memory[len(run.memory) * each // 4 : len(run.memory) * (each + 1) // 4])
                for each in range(4)] if len(run.memory) >= 4 else [0.0] * 4  # fmt: skip
    say(f"memory in MB, quarters of the run: {[round(each) for each in quarters]}")
    if quarters[3] > quarters[1] * MAX_GROWTH:
        wrong.append("the memory grows")
    for line in wrong:
        say(f"  {line}")
    say("FAILED" if wrong else "passed")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
