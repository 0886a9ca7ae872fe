#!/usr/bin/env python3
"""Leaves `turbolens webcam` running, and checks that it does not grow.

    python tests/real/soak.py SECONDS [OPTIONS OF THE COMMAND]

It is run on request only, because it takes as long as it is told. The cameras are a clip and the
test scene. With every sample the control page is read and the camera is changed to the other one; a
third of these changes is refused, as by a camera that another program has taken. Twice the program
is stopped and continued, as in a suspend of the machine: its clock jumps. The last line is the
verdict; the exit status is 1 if something grew.
"""

import json
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from threading import Thread, get_native_id
from typing import Any

import av
import numpy as np

from turbolens.pipelines.scene.frames import TestScene

SCENE, SIZE, RATE = "test-scene", (320, 180), 30
COMMAND = [
    sys.executable, "-m", "turbolens", "webcam", "--camera-size", "320x180", "--camera-rate",
    str(RATE), "--size", "128", "--virtual-camera", "none", "--control", "0", "--json",
]  # fmt: skip
SAMPLES = 30  # in all, after the warm-up
WARM_UP = 900  # frames before the first sample: loading, and the choice of the fastest backend
SUSPENDED = 20.0  # seconds of a simulated suspend
LIMITS = {
    "memory_mb": (1.05, 0, 0.25), "threads": (1, 2, 0.75),
    "descriptors": (1, 2, 0.75), "processor_ms": (1.3, 5, 0.25), "latency_ms": (1.5, 20, 0.25),
}  # fmt: skip
"""A figure has grown if it is more than this many times its first value, plus this much. A few
megabytes more are the allocator's, a thread or a descriptor that of a request; the latency varies
with what else the machine does, and may have grown as much as a yardstick did. The last number:
which quantile of the first samples counts. What comes and goes, as the threads of a camera that was
refused, is no growth."""
NICE = 10  # of the thread that filters, see `turbolens webcam`
QUIET = 0.25
"""Of the last samples the quieter ones count: what else the machine does only adds to them."""


def say(line: str) -> None:
    """Print a line at once."""
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


@dataclass(frozen=True)
class Sample:
    """What the process uses at one time, with this camera: a clip has its decoder's threads.

    processor_ms: the processors' time for each filtered frame since the sample before.
    yardstick_ms: the time of a fixed computation, beside which the latency is judged.
    """

    camera: str
    memory_mb: float
    threads: int
    descriptors: int
    processor_ms: float
    latency_ms: float
    yardstick_ms: float
    fps: float


class Program:
    """The command, and the last statistics that it has printed."""

    def __init__(self, options: list[str], folder: Path) -> None:
        self.stats: dict[str, Any] = {}
        self.page = self.camera = ""
        self._used = 0.0, 0  # seconds of the processors and filtered frames, at the last sample
        self._clip = write_clip(folder / "camera.mkv")
        self._hidden = folder / "hidden.mkv"
        self.process = subprocess.Popen(  # noqa: S603
            [*COMMAND, "--camera", str(self._clip), *options], stdout=subprocess.PIPE, text=True
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
            self.camera, int(status["VmRSS"].split()[0]) / 1024, int(status["Threads"]),
            len(list((folder / "fd").iterdir())), self._processor_ms(folder),
            self.stats.get("latency_p50_ms") or 0.0, yardstick_ms(),
            self.stats.get("fps_out") or 0.0,
        )  # fmt: skip

    def _processor_ms(self, folder: Path) -> float:
        ticks = (folder / "stat").read_text().rpartition(")")[2].split()[11:13]  # user, system
        seconds = sum(map(int, ticks)) / os.sysconf("SC_CLK_TCK")
        frames = int(self.stats.get("filtered", 0))
        before, earlier = self._used
        self._used = seconds, frames
        return 1000 * (seconds - before) / max(1, frames - earlier)

    def look(self) -> None:
        """Read the picture of the control page, as a page that is opened for a moment."""
        if self.page:
            with suppress(OSError):
                urllib.request.urlopen(f"{self.page}api/call/picture.jpg", timeout=30).close()  # noqa: S310

    def change_camera(self, *, taken: bool) -> None:
        """Change to the other camera. taken: it cannot be opened, and this one must go on."""
        before = json.load(self._call())["camera"]
        other = str(self._clip) if before == SCENE else SCENE
        if taken and other != SCENE:
            self._clip.rename(self._hidden)
            self._clip.write_text("of another program")
        try:
            self._call({"camera": other})
        except urllib.error.HTTPError as refused:
            say(f"  refused: {refused.code} {refused.read().decode()}")
            other = before
        finally:
            if self._hidden.exists():
                self._hidden.replace(self._clip)
        if (now := json.load(self._call())["camera"]) != other:
            raise SystemExit(f"FAILED: the camera is {now}, not {other}")
        self.camera = Path(now).name

    def _call(self, changes: dict[str, str] | None = None) -> Any:
        body = None if changes is None else json.dumps(changes).encode()
        request = urllib.request.Request(  # noqa: S310
            f"{self.page}api/call", body, {"Content-Type": "application/json"},
            method="GET" if body is None else "PATCH",
        )  # fmt: skip
        try:
            return urllib.request.urlopen(request, timeout=120)  # noqa: S310
        except TimeoutError:  # all of this may have been stopped for that long
            return urllib.request.urlopen(request, timeout=120)  # noqa: S310

    def suspend(self) -> None:
        """Stop it for a while, as a suspend of the machine does."""
        os.kill(self.process.pid, signal.SIGSTOP)
        time.sleep(SUSPENDED)
        os.kill(self.process.pid, signal.SIGCONT)


def yardstick_ms() -> float:
    """Milliseconds that a fixed computation takes now: it is longer on a busy machine.

    It takes about as long as a frame, on a thread of the same priority as the filter's.
    """
    times: list[float] = []

    def measure() -> None:
        os.setpriority(os.PRIO_PROCESS, get_native_id(), NICE)
        matrix = np.ones((900, 900), np.float32)
        for _ in range(15):
            began = time.perf_counter()
            matrix @ matrix
            times.append(1000 * (time.perf_counter() - began))
            time.sleep(0.05)

    thread = Thread(target=measure)
    thread.start()
    thread.join()
    return float(median(times))


def write_clip(path: Path) -> Path:
    """Five seconds of the test scene, which play as a camera."""
    scene = TestScene(*SIZE, rate=Fraction(RATE))
    with av.open(str(path), "w") as output:
        stream = output.add_stream("mjpeg", rate=RATE, width=SIZE[0], height=SIZE[1])
        stream.pix_fmt = "yuvj420p"
        for index in range(5 * RATE):
            output.mux(stream.encode(scene[index].frame.reformat(format="yuvj420p")))
        output.mux(stream.encode(None))
    return path


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
        program.change_camera(taken=number % 3 == 2)
        sample = program.sample()
        say(f"{number:3} {sample}")
        yield sample
        if number in (SAMPLES // 3, SAMPLES // 2):
            program.suspend()


def grown(taken: list[Sample]) -> dict[str, tuple[float, float]]:
    """The figures that grew with a camera: their values in the first and in the last third."""
    found = {}
    third = len(taken) // 3
    for camera in sorted({sample.camera for sample in taken}):
        parts = [
            [each for each in part if each.camera == camera]
            for part in (taken[:third], taken[-third:])
        ]
        if not all(parts):
            continue
        idle, busy = (_quantile(part, "yardstick_ms", QUIET) for part in parts)
        for name, (factor, more, share) in LIMITS.items():
            first, last = (
                _quantile(part, name, at) for part, at in zip(parts, (share, QUIET), strict=True)
            )
            say(f"{camera}: {name} {first:.1f} → {last:.1f}")
            slower = max(1.0, busy / idle) if name == "latency_ms" else 1.0
            if last > slower * (factor * first + more):
                found[f"{name} with {camera}"] = first, last
    return found


def _quantile(part: list[Sample], name: str, share: float) -> float:
    return float(np.quantile([getattr(each, name) for each in part], share, method="lower"))


def main(seconds: str, *options: str) -> None:
    """Run for this many seconds."""
    with TemporaryDirectory() as folder:
        _run(Program(list(options), Path(folder)), float(seconds))


def _run(program: Program, seconds: float) -> None:
    try:
        found = grown(list(samples(program, seconds)))
        program.process.send_signal(signal.SIGTERM)  # a job in the background ignores SIGINT
        status = program.process.wait(60)
    finally:
        program.process.kill()
    say(f"statistics: {program.stats}")
    if found or status:
        raise SystemExit(f"FAILED: grew: {found}; exit status {status}")
    say("PASSED: nothing grew")


if __name__ == "__main__":
    main(*sys.argv[1:])
