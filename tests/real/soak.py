#!/usr/bin/env python3
"""Leaves `turbolens webcam` running, and checks that it does not grow.

    python tests/real/soak.py SECONDS [OPTIONS OF THE COMMAND]

It is run on request only, because it takes as long as it is told. The camera is the test scene. The
control page is read now and then, and the program is stopped and continued twice, as in a suspend
of the machine: its clock jumps. The last line is the verdict;
the exit status is 1 if something grew.
"""

import json
import os
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from threading import Thread
from typing import Any

COMMAND = [
    sys.executable, "-m", "turbolens", "webcam", "--camera", "test-scene", "--camera-size",
    "160x90", "--size", "128", "--virtual-camera", "none", "--control", "0", "--json",
]  # fmt: skip
SAMPLES = 30  # in all, after the warm-up
WARM_UP = 300  # frames before the first sample: loading, and the choice of the fastest backend
SUSPENDED = 5.0  # seconds of a simulated suspend
LIMITS = {"memory_mb": (1.05, 0), "threads": (1, 2), "descriptors": (1, 2), "latency_ms": (1.5, 20)}
"""A figure has grown if it is more than this many times its first value, plus this much. A few
megabytes more are the allocator's, a thread or a descriptor that of a request; the latency varies
with what else the machine does."""


def say(line: str) -> None:
    """Print a line at once."""
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


@dataclass(frozen=True)
class Sample:
    """What the process uses at one time."""

    memory_mb: float
    threads: int
    descriptors: int
    latency_ms: float
    fps: float


class Program:
    """The command, and the last statistics that it has printed."""

    def __init__(self, options: list[str]) -> None:
        self.stats: dict[str, Any] = {}
        self.page = ""
        self.process = subprocess.Popen(  # noqa: S603
            [*COMMAND, *options], stdout=subprocess.PIPE, text=True
        )  # fmt: skip
        Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            event = json.loads(line)
            if event["event"] == "stats":
                self.stats = event
            elif event["event"] == "notice":
                say(f"  notice: {event['text']}")
                if event["text"].startswith("control page: "):
                    self.page = event["text"].partition(": ")[2]

    def sample(self) -> Sample:
        """What it uses now."""
        folder = Path(f"/proc/{self.process.pid}")
        status = dict(
            line.split(":", 1) for line in (folder / "status").read_text().splitlines()
        )  # fmt: skip
        return Sample(
            int(status["VmRSS"].split()[0]) / 1024, int(status["Threads"]),
            len(list((folder / "fd").iterdir())),
            self.stats.get("latency_p50_ms") or 0.0, self.stats.get("fps_out") or 0.0,
        )  # fmt: skip

    def look(self) -> None:
        """Read the picture of the control page, as a page that is opened for a moment."""
        if self.page:
            with suppress(OSError):
                urllib.request.urlopen(f"{self.page}api/call/picture.jpg", timeout=30).close()  # noqa: S310

    def suspend(self) -> None:
        """Stop it for a while, as a suspend of the machine does."""
        os.kill(self.process.pid, signal.SIGSTOP)
        time.sleep(SUSPENDED)
        os.kill(self.process.pid, signal.SIGCONT)


def samples(program: Program, seconds: float) -> Iterator[Sample]:
    """One sample after another, until the time is over."""
    while program.process.poll() is None and program.stats.get("filtered", 0) < WARM_UP:
        time.sleep(1)
    for number in range(SAMPLES):
        time.sleep(seconds / SAMPLES)
        if program.process.poll() is not None:
            raise SystemExit(
                f"the program ended by itself with status {program.process.returncode}"
            )
        program.look()
        sample = program.sample()
        say(f"{number:3} {sample}")
        yield sample
        if number in (SAMPLES // 3, SAMPLES // 2):
            program.suspend()


def grown(taken: list[Sample]) -> dict[str, tuple[float, float]]:
    """The figures that grew: their medians in the first and in the last third."""
    third = len(taken) // 3
    found = {}
    for name, (factor, more) in LIMITS.items():
        first, last = (
            median(getattr(sample, name) for sample in part)
            for part in (taken[:third], taken[-third:])
        )
        say(f"{name}: {first:.1f} → {last:.1f}")
        if last > factor * first + more:
            found[name] = first, last
    return found


def main(seconds: str, *options: str) -> None:
    """Run for this many seconds."""
    program = Program(list(options))
    try:
        found = grown(list(samples(program, float(seconds))))
        program.process.send_signal(signal.SIGINT)
        status = program.process.wait(60)
    finally:
        program.process.kill()
    say(f"statistics: {program.stats}")
    if found or status:
        raise SystemExit(f"FAILED: grew: {found}; exit status {status}")
    say("PASSED: nothing grew")


if __name__ == "__main__":
    main(*sys.argv[1:])
