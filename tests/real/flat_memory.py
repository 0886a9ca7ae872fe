#!/usr/bin/env python3
"""Watches the memory while a very long film is made in segments.

    python -m tests.real.flat_memory [--minutes 120]

It is run on request only, from the root of the repository. The film is 64×36 pixels with sound, 30
frames a second, and passes through unfiltered, so that what is measured belongs to reading,
cutting, encoding, storing and joining. The last line is the verdict.
"""

import argparse
import subprocess
import sys
from fractions import Fraction
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from turbolens.pipelines.video.job import VideoJob, VideoOptions
from turbolens.pipelines.video.segments.segmentation import Segmentation

RATE = 30
SAMPLES = 20
MAX_GROWTH_MB = 8.0  # from the first fifth of the film to its end; joining is not part of it


def say(line: str) -> None:
    """Print a line at once."""
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def resident_mb() -> float:
    """Memory that this process uses."""
    status = Path("/proc/self/status").read_text()
    return int(status.partition("VmRSS:")[2].split()[0]) / 1000


def make_film(path: Path, seconds: float) -> None:
    """Write the film: H.264, a key frame every two seconds, with AAC."""
    sources = [f"testsrc2=s=64x36:r={RATE}:d={seconds}", f"sine=r=8000:d={seconds}"]
    inputs = [word for source in sources for word in ("-f", "lavfi", "-i", source)]
    encoders = ["-c:v", "libx264", "-preset", "ultrafast", "-g", "60", "-threads", "1",
                "-c:a", "aac", "-b:a", "16k"]  # fmt: skip
    subprocess.run(["ffmpeg", "-v", "error", *inputs, *encoders, str(path)], check=True)  # noqa: S603, S607


def main() -> int:
    """Make the film, pass it through, and compare the memory."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=120)
    minutes = parser.parse_args().minutes
    memory: list[float] = []
    step = max(1, round(minutes * 60 * RATE / SAMPLES))

    def watch(frame: Any) -> Any:
        watch.frames += 1  # type: ignore[attr-defined]
        if watch.frames % step == 0:  # type: ignore[attr-defined]
            memory.append(resident_mb())
            say(f"  {watch.frames} frames, {memory[-1]:.1f} MB")  # type: ignore[attr-defined]
        return frame

    watch.frames = 0  # type: ignore[attr-defined]
    with TemporaryDirectory() as folder:
        film, target = Path(folder) / "film.mp4", Path(folder) / "out.mp4"
        make_film(film, minutes * 60)
        job = VideoJob.prepare(str(film), str(target), VideoOptions())
        report = job.run(watch, segmentation=Segmentation(Fraction(20)))
    growth = memory[-1] - memory[len(memory) // 5]
    say(f"{report.frames} frames, {growth:+.1f} MB, {resident_mb():.1f} MB after joining")
    passed = growth <= MAX_GROWTH_MB and report.frames == round(minutes * 60 * RATE)
    say("passed" if passed else "FAILED")
    return 0 if passed else 1


if __name__ == "__main__":
    sys.exit(main())
