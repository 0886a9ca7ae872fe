"""A desktop session of the test's own: PipeWire, its session manager, and programs that read."""

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from threading import Event, Thread
from typing import Any

import av
import numpy as np
import pytest
from numpy.typing import NDArray

from tests.pipelines.conftest import started
from turbolens.pipelines.base import Sink

PROGRAMS = ("pipewire", "wireplumber", "pw-dump", "dbus-daemon", "gst-launch-1.0")
QUIET: dict[str, Any] = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
PATIENCE = 30.0  # seconds: far more than anything here takes


def _missing() -> str:
    """What is not installed here; empty in CI, where nothing may be missing."""
    if sys.platform != "linux":
        return "PipeWire is a part of Linux desktops"
    if "CI" in os.environ:
        return ""
    missing = [name for name in PROGRAMS if shutil.which(name) is None]
    command = ["gst-inspect-1.0", "pipewiresrc"]
    if not missing and subprocess.run(command, check=False, **QUIET).returncode:  # noqa: S603
        missing = ["gstreamer1.0-pipewire"]
    return f"needs {', '.join(missing)}" if missing else ""


needs_pipewire = pytest.mark.skipif(bool(_missing()), reason=_missing() or "all is here")


class Desktop:
    """A session in which PipeWire does not run before `start`.

    The environment of the test points to it.
    """

    def __init__(self, folder: Path) -> None:
        self._folder, self._programs = folder, ExitStack()

    def start(self) -> None:
        """Start PipeWire, the session manager, and the bus that this one needs."""
        self._run("dbus-daemon", "--session", "--nofork", f"--address={bus_of(self._folder)}")
        until((self._folder / "bus").exists, "the bus")
        self._run("pipewire")
        until((self._folder / "pipewire-0").exists, "PipeWire to listen")
        self._run("wireplumber")
        until(lambda: "WirePlumber [export]" in dump(), "the session manager")

    def _run(self, *command: str) -> None:
        self._programs.enter_context(started(command, **QUIET))

    def stop(self) -> None:
        """End all of them."""
        self._programs.close()


def bus_of(folder: Path) -> str:
    return f"unix:path={folder / 'bus'}"


@pytest.fixture
def desktop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Desktop]:
    folder = tmp_path / "session"
    folder.mkdir(mode=0o700)
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(folder))
    monkeypatch.setenv("XDG_STATE_HOME", str(folder / "state"))
    monkeypatch.setenv("DBUS_SESSION_BUS_ADDRESS", bus_of(folder))
    for variable in ("PIPEWIRE_REMOTE", "PIPEWIRE_RUNTIME_DIR"):
        monkeypatch.delenv(variable, raising=False)
    session = Desktop(folder)
    try:
        yield session
    finally:
        session.stop()


def dump() -> str:
    """Everything that PipeWire knows, as JSON."""
    done = subprocess.run(["pw-dump"], capture_output=True, text=True, check=False)  # noqa: S607
    return done.stdout


def until(condition: Callable[[], object], what: str) -> None:
    """Wait until the condition is true."""
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline, f"waited in vain for {what}"
        time.sleep(0.02)


@contextmanager
def showing(sink: Sink, frame: av.VideoFrame) -> Iterator[None]:
    """Write the frame to the sink at about 30 frames per second, during a `with` block."""
    stop = Event()

    def write() -> None:
        while not stop.wait(1 / 30):
            sink.write(frame)

    thread = Thread(target=write, daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()
        sink.close()


def reader(*, frames: int = -1) -> list[str]:
    """The command of a program that reads the camera, and writes raw frames to its output."""
    source = f"pipewiresrc target-object=turbolens num-buffers={frames} do-timestamp=true"
    return ["gst-launch-1.0", "-q", *f"{source} ! video/x-raw ! fdsink fd=1".split()]


def read(width: int, height: int, *, frames: int = 3) -> NDArray[np.uint8]:
    """The last of some frames that a program gets from the camera, as RGB (H, W, 3)."""
    done = subprocess.run(  # noqa: S603
        reader(frames=frames), capture_output=True, timeout=PATIENCE, check=True
    )
    size = 2 * width * height
    assert len(done.stdout) == frames * size
    pixels = np.frombuffer(done.stdout[-size:], np.uint8).reshape(height, width, 2)
    frame = av.VideoFrame.from_ndarray(pixels, format="yuyv422")
    return np.asarray(frame.to_ndarray(format="rgb24"), np.uint8)
