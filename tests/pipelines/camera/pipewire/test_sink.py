"""`PipeWireCamera` with a real daemon, session manager and readers."""

import os
import signal
import subprocess
from typing import Any

import av
import numpy as np
import pytest
from numpy.typing import NDArray

from tests.pipelines.conftest import started
from turbolens.filter import MediaError
from turbolens.pipelines.camera.pipewire.sink import PipeWireCamera

from .desktop import Desktop, dump, needs_pipewire, read, reader, showing, until

pytestmark = [pytest.mark.slow, needs_pipewire]
RED, BLUE = (200, 30, 40), (30, 60, 200)
SIZE = 66, 48  # a width that is no multiple of 4: rows must not be padded


def halves(width: int, height: int) -> av.VideoFrame:
    """Red at the left, blue at the right."""
    pixels = np.zeros((height, width, 3), np.uint8)
    pixels[:, : width // 2], pixels[:, width // 2 :] = RED, BLUE
    return av.VideoFrame.from_ndarray(pixels, format="rgb24")


def assert_halves(image: NDArray[np.uint8]) -> None:
    for half, colour in zip(np.split(image, 2, axis=1), (RED, BLUE), strict=True):
        assert np.abs(half[:, 2:-2].mean((0, 1)) - colour).max() < 8


def test_a_program_reads_the_colours_that_were_written(desktop: Desktop) -> None:
    desktop.start()
    camera = PipeWireCamera(width=SIZE[0], height=SIZE[1])
    assert camera.node is not None
    for property_ in ('"Video/Source"', '"media.role": "Camera"', '"Turbolens"'):
        assert property_ in dump()
    with showing(camera, halves(*SIZE)):
        assert_halves(read(*SIZE))
        assert_halves(read(*SIZE))  # a second program, after the first has left
    until(lambda: "Video/Source" not in dump(), "the node to be closed")


def test_a_frame_of_another_shape_is_shown_whole_with_black_bars(desktop: Desktop) -> None:
    desktop.start()
    camera = PipeWireCamera(width=64, height=64)
    with showing(camera, halves(64, 32)):
        image = read(64, 64)
    assert image[:14].max() < 10
    assert image[-14:].max() < 10
    assert_halves(image[18:-18])


def test_a_program_that_stalls_delays_no_other(desktop: Desktop) -> None:
    desktop.start()
    camera = PipeWireCamera(width=SIZE[0], height=SIZE[1])
    options: dict[str, Any] = {"stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL}
    with showing(camera, halves(*SIZE)), started(reader(), **options) as stalled:
        assert stalled.stdout is not None
        assert stalled.stdout.read(2 * SIZE[0] * SIZE[1])
        os.kill(stalled.pid, signal.SIGSTOP)
        assert_halves(read(*SIZE, frames=40))  # more than there are buffers


def test_the_camera_is_back_after_the_daemon_was_restarted(desktop: Desktop) -> None:
    desktop.start()
    camera, frame = PipeWireCamera(), halves(*SIZE)
    camera.write(frame)
    desktop.stop()
    with pytest.raises(MediaError, match="connection to PipeWire was lost"):
        until(lambda: camera.write(frame), "an error")
    with pytest.raises(MediaError, match="systemctl --user start pipewire"):
        camera.reopen()
    desktop.start()
    camera.reopen()
    with showing(camera, frame):
        assert_halves(read(*SIZE))


@pytest.mark.usefixtures("desktop")
def test_without_pipewire_one_line_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(MediaError, match=r"PipeWire is not running .* systemctl --user start"):
        PipeWireCamera()
    monkeypatch.delenv("XDG_RUNTIME_DIR")
    with pytest.raises(MediaError, match=r"XDG_RUNTIME_DIR, .* is not set"):
        PipeWireCamera()
