"""A call that runs on another thread, with its control page."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from threading import Condition, Thread

from tests.pipelines.live.live_parts import WAIT
from turbolens.filter import FilterSettings
from turbolens.pipelines.statistics import Stats
from turbolens.pipelines.webcam.call import Webcam
from turbolens.pipelines.webcam.options import WebcamOptions
from turbolens.pipelines.webcam.setup import open_devices, prepare_call


@dataclass
class RunningCall:
    """The call, and what it has told its user."""

    notices: list[str] = field(default_factory=list)
    stats: Stats = field(default_factory=Stats)
    changed: Condition = field(default_factory=Condition)
    webcam: Webcam | None = None

    def wait_filtered(self, frames: int) -> None:
        """Wait until this many frames were filtered in all."""
        with self.changed:
            assert self.changed.wait_for(lambda: self.stats.filtered >= frames, WAIT)

    @property
    def url(self) -> str:
        """The address of the control page."""
        return next(line for line in self.notices if "control page" in line).split(": ", 1)[1]

    def update(self, stats: Stats) -> None:
        with self.changed:
            self.stats = stats
            self.changed.notify_all()


@contextmanager
def running_call(options: WebcamOptions, settings: FilterSettings) -> Iterator[RunningCall]:
    """Run the call during a `with` block, once it has filtered a frame."""
    running = RunningCall()
    devices = open_devices(options, running.notices.append)
    webcam = prepare_call(options, settings, devices, notify=running.notices.append)
    running.webcam = webcam
    thread = Thread(target=webcam.run, args=(running.update,))
    thread.start()
    try:
        running.wait_filtered(1)
        yield running
    finally:
        webcam.press("q")
        thread.join()
