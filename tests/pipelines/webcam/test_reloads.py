"""A call whose filter is loaded again and again does not grow."""

import os
from fractions import Fraction
from pathlib import Path
from threading import Event
from typing import Any

import av
import pytest

from tests.pipelines.live.live_parts import Screen
from turbolens.filter import FilterSettings, FrameFilter, MediaError
from turbolens.pipelines.live.running import run
from turbolens.pipelines.model_choice import ModelChoice, load_filter
from turbolens.pipelines.scene.camera import SceneCamera
from turbolens.pipelines.webcam.filter import WebcamFilter

RELOADS = 4
FRAMES = 10  # from one reload to the next, with the fast networks compiled
GROWTH = 100  # MB in two reloads: a model with its compiled networks has 120
pytestmark = pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="needs Linux' /proc")


def resources() -> tuple[float, int]:
    """The resident memory in MB, and the threads, those of libraries included."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6, len(os.listdir("/proc/self/task"))


class Fails:
    """The embedded model, which fails once its acceleration has been in use for some frames."""

    def __init__(self, settings: FilterSettings, used: list[tuple[float, int]]) -> None:
        self._inner: FrameFilter = load_filter(
            ModelChoice(acceleration="int8"), settings, live=True
        )
        self._used, self._frames, self.broken = used, 0, False

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)

    def __call__(self, frame: av.VideoFrame) -> av.VideoFrame:
        if self._frames == FRAMES:
            if not self.broken:
                self._used.append(resources())
            self.broken = True
            raise MediaError("the device was lost")  # not logged: pytest keeps what is logged
        self._frames += not self._inner.settling
        return self._inner(frame)


@pytest.mark.timeout(480)  # the networks are compiled five times
@pytest.mark.slow
def test_a_filter_that_is_loaded_again_leaves_no_memory_and_no_threads_of_the_one_before() -> None:
    used, stop = list[tuple[float, int]](), Event()

    def load(settings: FilterSettings) -> Any:
        return Fails(settings, used)

    frame_filter = [WebcamFilter(load, FilterSettings(size=128))]

    def reloaded() -> WebcamFilter:
        if len(used) > RELOADS:
            stop.set()
        frame_filter[0] = frame_filter[0].reloaded()
        return frame_filter[0]

    scene = SceneCamera(128, 72, rate=Fraction(12))
    run(scene, frame_filter[0], Screen(), reload=reloaded, stop=stop)
    memory, threads = zip(*used, strict=True)
    assert len(used) == RELOADS + 1
    assert memory[-1] - memory[2] < GROWTH, memory
    assert threads[-1] <= threads[2] + 2, threads
