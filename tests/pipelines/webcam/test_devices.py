"""Camera and virtual camera of a call, by their names."""

import threading

import numpy as np
import pytest

from tests.pipelines.camera.pipewire.desktop import Desktop, desktop, needs_pipewire, read
from tests.pipelines.cli.test_cli import one_line
from tests.pipelines.live.live_parts import WAIT
from tests.pipelines.webcam.call_parts import SMALL
from turbolens.filter import FilterSettings
from turbolens.pipelines.live.running import OnStats
from turbolens.pipelines.scene.frames import TestScene
from turbolens.pipelines.webcam.options import WebcamOptions
from turbolens.pipelines.webcam.setup import open_devices, prepare_call

from .test_webcam import Call

__all__ = ["desktop"]


@pytest.mark.slow
@needs_pipewire
def test_a_desktop_program_sees_the_call_on_the_camera_of_pipewire(desktop: Desktop) -> None:
    desktop.start()
    options = WebcamOptions(camera="test-scene", size=(64, 36), virtual_camera="pipewire")
    notices: list[str] = []
    devices = open_devices(options, notices.append)
    settings = FilterSettings(enabled=False)
    call = prepare_call(options, settings, devices, notify=notices.append)
    filtering = threading.Event()
    report: OnStats = lambda stats: filtering.set() if stats.filtered else None  # noqa: E731
    thread = threading.Thread(target=call.run, args=(report,))
    thread.start()
    try:
        assert filtering.wait(WAIT)
        seen = read(64, 36, frames=5).astype(int)
    finally:
        call.press("q")
        thread.join()
    assert "showing on Turbolens (PipeWire): choose it in the call" in notices
    scene = TestScene(64, 36)
    nearest = min(np.abs(seen - scene[index].picture).mean() for index in range(0, 300, 2))
    assert nearest < 12  # of 255


@pytest.mark.usefixtures("desktop")
def test_without_pipewire_the_command_says_so_in_one_line(turbolens: Call) -> None:
    code, _, err = turbolens("webcam", *SMALL, "--virtual-camera", "pipewire")
    assert code == 1
    assert "turbolens: cannot open a PipeWire camera: PipeWire is not running" in one_line(err)
