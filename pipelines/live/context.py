"""`RunContext`: what the three threads of a live run share."""

from dataclasses import dataclass, field
from threading import Event
from time import monotonic

import av

from turbolens.pipelines.base import Notify
from turbolens.pipelines.statistics import StatsCollector

from .latest_slot import LatestSlot
from .options import RunOptions


@dataclass(frozen=True)
class CapturedFrame:
    """A frame of the source, and when it was captured (seconds of the monotonic clock)."""

    frame: av.VideoFrame
    at: float


@dataclass(frozen=True)
class FilteredFrame:
    """A filtered frame, when it was captured, and when the filter finished it (seconds)."""

    frame: av.VideoFrame
    captured_at: float
    finished_at: float


@dataclass(frozen=True)
class RunContext:
    """Shared by the threads of one run.

    notify: takes a line for the user, from any thread. stop: set to end the run. captured and
    filtered: the newest frame of the source, and the newest result of the filter.
    """

    options: RunOptions
    notify: Notify
    stop: Event
    stats: StatsCollector = field(default_factory=lambda: StatsCollector(monotonic()))
    captured: LatestSlot[CapturedFrame] = field(default_factory=LatestSlot)
    filtered: LatestSlot[FilteredFrame] = field(default_factory=LatestSlot)
