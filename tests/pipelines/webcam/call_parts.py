"""A cheap filter and a call without devices, for the tests of the webcam."""

from pathlib import Path
from typing import Any

import av

from tests.pipelines.live.live_parts import Camera, Screen, lighter
from turbolens.filter import FilterSettings
from turbolens.filter.settings import DEFAULT_PROMPT
from turbolens.pipelines.live.devices import Devices
from turbolens.pipelines.live.options import RunOptions
from turbolens.pipelines.webcam.call import Webcam
from turbolens.pipelines.webcam.filter import WebcamFilter
from turbolens.pipelines.webcam.options import CallOptions

SMALL = ["--camera", "test-scene", "--camera-size", "64x36"]
LOOKS = [DEFAULT_PROMPT, "noir", "neon"]


class Look:
    """A cheap filter whose settings change."""

    def __init__(self, settings: FilterSettings) -> None:
        self.settings = settings
        self.sizes: list[int | None] = []

    def __call__(self, frame: av.VideoFrame, /) -> av.VideoFrame:
        self.sizes.append(self.settings.size)
        return lighter(frame)

    def update(self, **changes: Any) -> FilterSettings:
        self.settings = self.settings.replace(**changes)
        return self.settings

    def reset(self) -> None:
        """Nothing to forget."""


def call_with(
    tmp_path: Path, *, source: Camera | None = None, sink: Screen | None = None
) -> tuple[Webcam, list[str]]:
    notices: list[str] = []
    webcam = Webcam(
        Devices(source or Camera(5), [sink or Screen()]), WebcamFilter(Look, FilterSettings()),
        CallOptions(RunOptions(), folder=tmp_path), looks=LOOKS, notify=notices.append,
    )  # fmt: skip
    return webcam, notices
