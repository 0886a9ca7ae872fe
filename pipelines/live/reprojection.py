"""The last picture moved along with the camera while the filter works, where that is cheap."""

import logging
from collections.abc import Callable
from time import monotonic

import av

from turbolens.pipelines.base import PictureFilter, Reprojecting

from .capture import Captured

AFFORDABLE = 0.5  # of a period: what costs more would slow the output down, or the filter
TRY_AGAIN = 5.0  # seconds until what was too costly is tried once more
RECENT = 0.5  # weight of the last time in the estimate of the cost
LATE = 3.0  # times its usual time: then a filter is late, however slow it is
MOVING = 0.5  # seconds after a fresh picture in which it is moved along (longer for a slow filter):
# what comes into view meanwhile is the camera's own picture in other colours
log = logging.getLogger(__name__)


def moving_seconds(usual: float) -> float:
    """How long after a fresh picture it is moved along, if the filter usually takes `usual` s."""
    return max(MOVING, LATE * usual)


class LiveReprojection:
    """Calls the filter's `reproject`, if it has one, and keeps an eye on what that costs.

    Used by one thread. `frame_filter` tells the filter that is at work now.
    """

    def __init__(self, frame_filter: Callable[[], PictureFilter], period: float) -> None:
        self._frame_filter, self._limit = frame_filter, AFFORDABLE * period
        self._cost, self._tried_at = 0.0, -TRY_AGAIN
        self._newest: Captured | None = None
        self.moved: av.VideoFrame | None = None

    @property
    def lead(self) -> float:
        """How many seconds before its time a picture must be begun."""
        return self._cost if self._cost <= self._limit else 0.0

    def shows_later_than(self, captured_at: float) -> bool:
        """Whether what was moved shows a later moment: a picture of this one would turn it back."""
        return self.moved is not None and self._newest is not None and (
            self._newest.at > captured_at
        )  # fmt: skip

    def forget(self) -> None:
        """There is a fresh picture: nothing is moved yet."""
        self._newest = self.moved = None

    def move(self, newest: Captured | None) -> bool:
        """Whether there is a new moved picture, for this frame of the camera, in `moved`."""
        frame_filter = self._frame_filter()
        if newest is None or newest is self._newest or not isinstance(frame_filter, Reprojecting):
            return False
        began = monotonic()
        if self._cost > self._limit and began - self._tried_at < TRY_AGAIN:
            return False
        try:
            frame = frame_filter.reproject(newest.frame)
        except Exception as error:
            log.debug("a picture could not be moved along", exc_info=error)
            frame = None
        self._tried_at = monotonic()
        self._cost += RECENT * (self._tried_at - began - self._cost)
        self._newest = newest
        self.moved = self.moved if frame is None else frame
        return frame is not None
