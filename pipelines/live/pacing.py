"""When to show a frame, and when to try again: functions of times alone. Times are in seconds."""

from dataclasses import dataclass, replace
from typing import Literal

OnStall = Literal["slate", "last", "passthrough"]
Choice = Literal["moved", "again", "slate", "camera"]

PULL = 0.1  # share of its distance from the middle of the window that a frame pulls the window by
MAX_PULL = 0.05  # of a period: so much faster or slower than its rate may the output run


@dataclass(frozen=True)
class Window:
    """The time in which one frame must be shown: a period long, around `middle`.

    A fresh frame is shown as soon as it is there, so that waiting for a beat adds no delay; if none
    has come when the window closes, something else is shown. One frame a window keeps the rate.
    Fresh frames pull the next windows around them, so that the output follows the camera's clock
    and frames do not fall on the edge, where a little jitter would show one twice and skip one.
    """

    middle: float
    period: float

    @property
    def opens(self) -> float:
        """No frame is shown before."""
        return self.middle - self.period / 2

    @property
    def closes(self) -> float:
        """By then something is shown."""
        return self.middle + self.period / 2

    def following(self, now: float, *, fresh: bool) -> "Window":
        """The window after this one, in which a frame was shown at `now`.

        After a pause of the whole machine the windows that went by are left out, not made up for.
        """
        pull = 0.0
        if fresh:
            limit = MAX_PULL * self.period
            pull = max(-limit, min(limit, PULL * (now - self.middle)))
        middle = self.middle + self.period + pull
        if now > middle + self.period / 2:
            middle = now + self.period / 2
        return replace(self, middle=middle)


def instead(
    *,
    shown_age: float | None,
    camera_age: float | None,
    moving: float,
    deadline: float,
    on_stall: OnStall,
) -> Choice:
    """What to show when no fresh frame is there.

    shown_age: since the last fresh frame was shown; camera_age: since the camera gave a frame; none
    if there never was one. Until the deadline the last picture, for `moving` seconds moved along if
    the camera went on; then what `on_stall` says. The camera's own picture is shown only where that
    was asked for.
    """
    if shown_age is not None and shown_age <= deadline:
        went_on = camera_age is not None and camera_age < shown_age
        return "moved" if went_on and shown_age <= moving else "again"
    if on_stall == "last" and shown_age is not None:
        return "again"
    if on_stall == "passthrough" and camera_age is not None and camera_age <= deadline:
        return "camera"
    return "slate"


def back_off(attempt: int, *, first: float = 0.1, longest: float = 5.0) -> float:
    """How long to wait before the attempt of this number (1, 2, …): twice as long each time."""
    return float(min(longest, first * 2 ** min(attempt - 1, 30)))


def is_due(since: float | None, now: float, after: float) -> bool:
    """Whether `after` seconds have gone by since then; never, if it never began."""
    return since is not None and now - since >= after
