"""When to show a frame, and when to retry: pure functions of times. All times are in seconds."""

from dataclasses import dataclass, replace
from typing import Literal

from .options import OnStall

StandIn = Literal["reprojected", "repeated", "slate", "camera"]

PULL = 0.1  # share of a fresh frame's distance from the middle by which the next window is shifted
SUSPENDED = 1.0  # seconds more than usual after which the whole program must have stood still
MAX_PULL = 0.05  # of a period: the output may run at most this much faster or slower than its rate


@dataclass(frozen=True)
class Window:
    """The time in which one frame must be shown. It is one period long, around `middle`.

    A fresh frame is shown as soon as it arrives, so that waiting for a tick adds no latency. If
    none has arrived when the window closes, something else is shown. One frame per window keeps the
    rate. A fresh frame shifts the next window towards itself: the output follows the clock of the
    camera, and frames do not arrive at the border of two windows, where a little jitter would
    repeat one frame and skip the next.
    """

    middle: float
    period: float

    @property
    def opens(self) -> float:
        """No frame is shown before this time."""
        return self.middle - self.period / 2

    @property
    def closes(self) -> float:
        """A frame is shown at this time at the latest."""
        return self.middle + self.period / 2

    def following(self, now: float, *, fresh: bool) -> "Window":
        """The next window, after a frame was shown at `now`.

        Windows that passed while the machine was suspended are skipped, not caught up on.
        """
        pull = 0.0
        if fresh:
            limit = MAX_PULL * self.period
            pull = max(-limit, min(limit, PULL * (now - self.middle)))
        middle = self.middle + self.period + pull
        if now > middle + self.period / 2:
            middle = now + self.period / 2
        return replace(self, middle=middle)


def choose_stand_in(
    *,
    fresh_age: float | None,
    camera_age: float | None,
    reproject_for: float,
    deadline: float,
    on_stall: OnStall,
) -> StandIn:
    """What to show when no fresh frame has arrived.

    fresh_age: time since the last fresh frame was shown. camera_age: time since the last camera
    frame. Each is `None` if there was none. Until `deadline` the last result is shown, reprojected
    for the first `reproject_for` seconds if there is a newer camera frame; after it, what
    `on_stall` says. The unfiltered camera is shown only if `on_stall` is "passthrough".
    """
    if fresh_age is not None and fresh_age <= deadline:
        is_newer = camera_age is not None and camera_age < fresh_age
        return "reprojected" if is_newer and fresh_age <= reproject_for else "repeated"
    if on_stall == "last" and fresh_age is not None:
        return "repeated"
    if on_stall == "passthrough" and camera_age is not None and camera_age <= deadline:
        return "camera"
    return "slate"


def without_suspend(since: float, *, last: float, now: float, usual: float) -> float:
    """`since`, moved by the time in which the whole program stood still.

    last: when this thread looked at the clock before; `usual` seconds ago if nothing happened. The
    clock of a suspended machine or a stopped process may go on, but then nothing is late.
    """
    stood_still = now - last - usual
    return min(now, since + stood_still) if stood_still > SUSPENDED else since


def back_off(attempt: int, *, first: float = 0.1, longest: float = 5.0) -> float:
    """How long to wait before attempt number 1, 2, …: twice as long each time, up to a limit."""
    return float(min(longest, first * 2 ** min(attempt - 1, 30)))


def is_due(since: float | None, now: float, after: float) -> bool:
    """True once `after` seconds have passed since `since`. False if `since` is `None`."""
    return since is not None and now - since >= after
