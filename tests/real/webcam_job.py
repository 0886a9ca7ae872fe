"""Run in the virtual machine: `turbolens webcam` between a camera and a virtual camera.

python webcam_job.py steady replug browser soak model

The camera shows a ramp of grey that moves a step with each frame, so that the place of its edge
tells which frame a picture is. What the virtual camera shows is read by an ffmpeg of its own, as a
call would read it, and in the job `browser` by a page in Chromium. Prints what was found; ends with
code 1 if it is not as it must be. How fast it is says as much of the machine that emulates this
one: rates and gaps are printed, and count only where TURBOLENS_STRICT is set.
"""

import ctypes
import json
import os
import re
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Thread
from typing import Any

import numpy as np
from browser_call import BrowserCall  # type: ignore[import-not-found] # beside this program

CAMERA, SHOWN = "/dev/video0", "/dev/video10"
NAME = "Turbolens"  # of the device SHOWN
WIDTH, HEIGHT, RATE = 320, 180, 15
STEP = 4  # pixels that the ramp moves with each frame
START = 150  # seconds that a program may take to start where all is emulated
BEGAN = time.monotonic()
DELETE_MODULE = 176  # the number of the system call on x86_64
STRICT = bool(os.environ.get("TURBOLENS_STRICT"))
SOAK_MINUTES = 10
DARK = 60  # levels: the slate is darker, any picture brighter


class Reader:
    """Reads the virtual camera with ffmpeg: for each picture its time and the middle row."""

    def __init__(self) -> None:
        command = [
            "ffmpeg", "-v", "fatal", "-f", "v4l2", "-i", SHOWN, "-fps_mode", "passthrough",
            "-pix_fmt", "gray", "-f", "rawvideo", "-",
        ]  # fmt: skip
        self.times: list[float] = []
        self.rows: list[Any] = []
        self.levels: list[float] = []
        self._process = subprocess.Popen(command, stdout=subprocess.PIPE)  # noqa: S603
        Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        assert self._process.stdout is not None
        while len(data := self._process.stdout.read(WIDTH * HEIGHT)) == WIDTH * HEIGHT:
            picture = np.frombuffer(data, np.uint8).reshape(HEIGHT, WIDTH)
            self.rows.append(picture[HEIGHT // 2].astype(int))
            self.levels.append(float(picture.mean()))
            self.times.append(time.monotonic())

    def close(self) -> None:
        self._process.kill()
        self._process.wait()

    def longest_gap(self, since: float) -> float:
        """Seconds between two pictures, at most."""
        times = [at for at in self.times if at >= since]
        return max(np.diff([since, *times, time.monotonic()])) if times else float("inf")


class Webcam:
    """`turbolens webcam` with the figures it prints."""

    def __init__(self, *options: str) -> None:
        command = [
            sys.executable, "-m", "turbolens", "webcam", "--camera", CAMERA, "--virtual-camera",
            NAME, "--camera-size", f"{WIDTH}x{HEIGHT}", "--camera-rate", str(RATE), "--json",
            *options,
        ]  # fmt: skip
        self.stats: dict[str, Any] = {}
        self.notices: list[str] = []
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)  # noqa: S603
        Thread(target=self._listen, daemon=True).start()

    def _listen(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            event = json.loads(line)
            if event["event"] == "notice":
                self.notices.append(event["text"])
                say(f"  it says: {event['text']}")
            else:
                self.stats = event


@contextmanager
def running(*options: str) -> Iterator[tuple[Webcam, Reader]]:
    """The command, and who watches it, from its first picture on."""
    webcam = Webcam(*options)
    try:
        until("the virtual camera shows something", lambda: webcam.stats.get("sent", 0) > 3, START)
        reader = Reader()
        try:
            until("the reader sees something", lambda: len(reader.times) > 3)
            yield webcam, reader
        finally:
            reader.close()
    finally:
        webcam.process.terminate()
        webcam.process.wait(20)


def camera_control(**values: int) -> None:
    """Set controls of vivid, which refuses while it is unplugged."""
    settings = ",".join(f"{name}={value}" for name, value in values.items())
    run("v4l2-ctl", "-d", CAMERA, "-c", settings)


def show_moving_ramp() -> None:
    """A ramp of grey without text over it, at the fast move to the left."""
    camera_control(test_pattern=ramp(), osd_text_mode=2, horizontal_movement=0)


def ramp() -> int:
    listed = run("v4l2-ctl", "-d", CAMERA, "-L")
    found = re.search(r"^\s*(\d+): Gray Ramp$", listed, re.MULTILINE)
    assert found, listed
    return int(found[1])


def edge_of(row: Any) -> int:
    """Where the ramp begins anew: the largest step in the row, around the ends too."""
    return int(np.argmax(np.abs(np.roll(row, -2) - row)))


def steady(webcam: Webcam, reader: Reader) -> None:
    """The camera's frames, mirrored, in order, at their rate."""
    time.sleep(2)
    first, began = len(reader.times), time.monotonic()
    time.sleep(10)
    rows, gap = reader.rows[first:], reader.longest_gap(began)
    steps = np.diff([edge_of(row) for row in rows]) % WIDTH
    say(f"  {len(rows)} pictures in 10 s, longest gap {gap * 1000:.0f} ms")
    say(f"  steps of the ramp and how often: {sorted(Counter(steps.tolist()).items())}")
    say(f"  {webcam.stats}")
    in_time("the virtual camera keeps its rate", 0.8 * RATE <= len(rows) / 10 <= 1.1 * RATE)
    in_time("no picture is missing for long", gap < 1.0)
    near = np.minimum(steps % STEP, -steps % STEP) <= 1
    check("every picture is one of the camera's", near.mean() > 0.95)
    check("they come in order, mirrored", (steps <= WIDTH // 2).mean() > 0.98)
    check("and are fresh", (steps > 0).mean() > 0.6)


def replug(webcam: Webcam, reader: Reader) -> None:
    """The camera goes away twice; the reader goes on seeing something, then the camera again."""
    for way in (shake_cable, pull_cable):
        began = time.monotonic()
        webcam.notices.clear()
        way(webcam, reader)
        until("the camera is back", lambda: said(webcam, "the source is back"))
        seen = len(reader.rows)
        until("pictures move again", lambda seen=seen: moves(reader, seen))  # type: ignore[misc]
        gap = reader.longest_gap(began)
        say(f"  back, after {time.monotonic() - began:.1f} s; longest gap {gap:.2f} s")
        in_time("the reader never waits for long", gap < 1.5)


def shake_cable(webcam: Webcam, reader: Reader) -> None:
    """A moment without contact: vivid is there again as soon as its last user has let go."""
    say("  contact is lost for a moment")
    camera_control(disconnect=1)
    until("it notices", lambda: said(webcam, "the source is lost"))


def pull_cable(webcam: Webcam, reader: Reader) -> None:
    """The device is gone for some seconds: its driver is taken away as soon as it is let go."""
    say("  the cable is pulled")
    camera_control(disconnect=1)
    until("nobody holds the driver", driver_is_removed, pause=0.001)
    until("it notices", lambda: said(webcam, "the source is lost"))
    until("the slate is shown", lambda: max(reader.levels[-5:]) < DARK)
    time.sleep(2)
    run("modprobe", "-d", os.environ["TURBOLENS_MODULES"], "vivid", "n_devs=1", "node_types=0x1")
    until("it is plugged in", Path(CAMERA).exists)
    show_moving_ramp()


def driver_is_removed() -> bool:
    """delete_module(2) at once, in the tenth of a second before the camera is opened again."""
    return bool(ctypes.CDLL(None).syscall(DELETE_MODULE, b"vivid", os.O_NONBLOCK) == 0)


def soak(webcam: Webcam, reader: Reader) -> None:
    """A whole call: the rate holds, nothing freezes, memory does not grow."""
    memory = [resident_mb(webcam.process.pid)]
    for minute in range(1, SOAK_MINUTES + 1):
        began, first = time.monotonic(), len(reader.times)
        time.sleep(60)
        memory.append(resident_mb(webcam.process.pid))
        rate, gap = (len(reader.times) - first) / 60, reader.longest_gap(began)
        say(f"  minute {minute}: {rate:.1f} fps, longest gap {gap:.2f} s, {memory[-1]:.1f} MB")
        in_time("no second is frozen", gap < 1.0)
        in_time("the rate holds", rate > 0.8 * RATE)
        check("it runs", webcam.process.poll() is None)
    say(f"  {webcam.stats}")
    check("memory is where it was after a minute", memory[-1] - memory[1] < 16)


def resident_mb(pid: int) -> float:
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGESIZE") / 1e6


def browser(webcam: Webcam, reader: Reader) -> None:
    """A page in Chromium finds the virtual camera by its name, and gets its pictures."""
    reader.close()  # a camera of this kind has one reader at a time in a call
    call = BrowserCall()
    try:
        until("the page gets pictures", lambda: bool(call.error) or len(call.rows) > 20, START)
    finally:
        say(f"  the page was offered {call.cameras} and saw {len(call.rows)} pictures {call.error}")
        call.close()
    rows = [np.array(row) for row in call.rows]
    edges = [edge_of(row) for row in rows]
    steps = np.diff(edges) % WIDTH
    say(f"  steps of the ramp and how often: {sorted(Counter(steps.tolist()).items())}")
    check("it is offered by its name", any("Turbolens" in name for name in call.cameras))
    check("the pictures have its size", {len(row) for row in rows} == {WIDTH})
    falling = np.mean([ramp_falls(row) for row in rows])
    check("they are filtered: mirrored, the ramp falls", falling > 0.9)
    check("they move on", len(set(edges)) > 10)
    in_time("in order", (steps <= WIDTH // 2).mean() > 0.9)


def ramp_falls(row: Any) -> bool:
    """From left to right, as in a mirror: the one step up is steeper than any step down."""
    return bool(np.diff(row).max() > -np.diff(row).min())


def said(webcam: Webcam, words: str) -> bool:
    return any(words in text for text in webcam.notices)


def moves(reader: Reader, since: int) -> bool:
    edges = {edge_of(row) for row in reader.rows[since:]}
    return reader.levels[-1] > DARK and len(edges) > 4


def model(webcam: Webcam, reader: Reader) -> None:
    """A few frames through the embedded model: neither the camera's picture nor the slate."""
    until("frames are filtered", lambda: webcam.stats.get("filtered", 0) >= 3, 420)
    time.sleep(2)
    say(f"  {webcam.stats}")
    say(f"  brightness {reader.levels[0]:.0f} (slate) → {reader.levels[-1]:.0f}")
    check("the styled picture is shown", abs(reader.levels[-1] - reader.levels[0]) > 10)


def until(
    what: str, condition: Callable[[], bool], seconds: float = 100, *, pause: float = 0.1
) -> None:
    began = time.monotonic()
    while not condition():
        if time.monotonic() - began > seconds:
            sys.exit(f"  FAILED: {what}, not within {seconds:.0f} s")
        time.sleep(pause)


def check(what: str, holds: Any) -> None:
    say(f"  {'ok' if holds else 'FAILED'}: {what}")
    if not holds:
        sys.exit(1)


def in_time(what: str, holds: Any) -> None:
    if holds or STRICT:
        check(what, holds)
    else:
        say(f"  slow: {what}: not so")


def run(*command: str) -> str:
    done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=True)  # noqa: S603
    return done.stdout


def say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


JOBS = {"steady": steady, "replug": replug, "browser": browser, "soak": soak, "model": model}
CHEAP = "--no-enabled", "--mirror"  # torch takes the better part of a minute to import here
STYLED = (
    "--size", "64", "--dtype", "float32", "--acceleration", "none",
    "--prompt", "pencil sketch", "--strength", "1.0",
)  # fmt: skip


def main() -> None:
    show_moving_ramp()
    wanted = sys.argv[1:]
    for options, names in ((CHEAP, ["steady", "replug", "soak", "browser"]), (STYLED, ["model"])):
        chosen = [name for name in names if name in wanted]
        if not chosen:
            continue
        with running(*options) as (webcam, reader):
            for name in chosen:
                say(f"{name}:")
                JOBS[name](webcam, reader)
                say(f"{name} passed, {time.monotonic() - BEGAN:.0f} s after the beginning")


if __name__ == "__main__":
    main()
