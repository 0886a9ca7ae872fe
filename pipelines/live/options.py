"""The options of a live run."""

from dataclasses import dataclass
from fractions import Fraction
from typing import Literal

OnStall = Literal["slate", "last", "passthrough"]


@dataclass(frozen=True)
class RunOptions:
    """What a live run does when something is late. Times are in seconds.

    on_stall: what is shown once there was no filtered frame for `deadline` (later for a filter that
    always takes longer): "slate", a dark card; "last", the last filtered frame; "passthrough", the
    unfiltered camera, which may show what the filter was hiding. hang_after: a call of the filter
    that takes longer than this hangs, and the filter is reloaded. rate: frames per second to show;
    `None` takes the rate of the first sink that has one. If none has, frames are shown as they are
    filtered, and nothing is shown in place of a late one. stats_interval: time between two calls of
    `on_stats`.
    """

    on_stall: OnStall = "slate"
    deadline: float = 2.0
    hang_after: float = 20.0
    rate: Fraction | None = None
    stats_interval: float = 0.5
