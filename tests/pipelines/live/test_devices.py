"""The devices of a run are closed together, once, and in order."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from turbolens.filter import MediaError
from turbolens.pipelines.live.devices import Devices

from .live_parts import Camera, Screen


class Opened:
    """Notes in which order devices are closed."""

    def __init__(self) -> None:
        self.closed: list[str] = []
        closed = self.closed

        class NotedCamera(Camera):
            def close(self) -> None:
                closed.append("camera")

        class NotedScreen(Screen):
            def close(self) -> None:
                closed.append("screen")

        self.camera, self.screen = NotedCamera(1), NotedScreen()

    @contextmanager
    def service(self) -> Iterator[str]:
        yield "open"
        self.closed.append("service")


def test_sinks_are_closed_first_then_the_source_then_the_services_and_only_once() -> None:
    opened = Opened()
    with Devices(opened.camera, [opened.screen]) as devices:
        assert devices.enter(opened.service()) == "open"
        devices.close()
        assert opened.closed == ["screen", "camera", "service"]
    assert opened.closed == ["screen", "camera", "service"]


def test_a_device_that_a_thread_hangs_in_stays_open() -> None:
    opened = Opened()
    with Devices(opened.camera, [opened.screen]) as devices:
        devices.close(in_use=[opened.camera])
    assert opened.closed == ["screen"]


def test_one_that_cannot_be_closed_does_not_keep_the_others_open() -> None:
    class Stuck(Screen):
        def close(self) -> None:
            raise MediaError("the disk is full")

    opened = Opened()
    devices = Devices(opened.camera, [Stuck(), opened.screen])
    devices.enter(opened.service())
    with pytest.raises(MediaError, match="disk is full"):
        devices.close()
    assert opened.closed == ["screen", "camera", "service"]
