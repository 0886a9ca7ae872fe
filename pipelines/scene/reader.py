"""`SceneReader`: the test scene as an input of the video pipeline."""

from collections.abc import Iterator
from fractions import Fraction

from turbolens.pipelines.base import FrameOrPacket, SourceInfo

from .frames import TestScene

WIDTH, HEIGHT = 640, 360
RATE = Fraction(30)
SECONDS = Fraction(5)


class SceneReader:
    """`seconds` of the test scene (5 by default) at `rate` frames per second (30)."""

    def __init__(self, seconds: Fraction | None = None, *, rate: Fraction | None = None) -> None:
        self._rate = rate or RATE
        frames = max(1, round((seconds or SECONDS) * self._rate))
        self._scene = TestScene(WIDTH, HEIGHT, rate=self._rate, frames=frames)
        self.info = SourceInfo(name="test-scene", rate=self._rate, total_frames=frames)
        self.damaged = 0

    def __iter__(self) -> Iterator[FrameOrPacket]:
        for scene in self._scene:
            frame = scene.frame
            frame.duration = 1
            yield frame

    def close(self) -> None:
        """Nothing to close."""
