"""The last result, reprojected to the newest camera frame while the filter is busy."""

import logging
from collections.abc import Callable
from time import monotonic

import av

from turbolens.pipelines.base import SupportsReproject
from turbolens.pipelines.statistics import Smoothed

from .context import CapturedFrame
from .reprojection_budget import ReprojectionBudget

SHARE = 0.5  # of a frame period; a slower reprojection would slow down the output, or the filter
WEIGHT = 0.5  # of the latest measurement in the estimate of the cost
log = logging.getLogger(__name__)


class LiveReprojection:
    """Calls the filter's `reproject`, if it has one, as long as it is fast enough.

    Used by one thread. `frame_filter` returns the filter in use now. `period` is the time of one
    frame of the output in seconds. `frame` is the last reprojected frame, `None` if there is none
    since the last fresh one.
    """

    def __init__(self, frame_filter: Callable[[], object], period: float) -> None:
        self._frame_filter, self._period = frame_filter, period
        self._budget = ReprojectionBudget(SHARE, Smoothed(WEIGHT, start=0.0))
        self._source: CapturedFrame | None = None
        self.frame: av.VideoFrame | None = None

    @property
    def lead(self) -> float:
        """How many seconds before a frame is due its reprojection must begin."""
        return self._budget.cost if self._budget.fits(self._period) else 0.0

    def is_newer_than(self, captured_at: float) -> bool:
        """True if the reprojected frame is newer, so that a frame of this time would step back."""
        return self.frame is not None and self._source is not None and self._source.at > captured_at

    def clear(self) -> None:
        """Forget the reprojected frame, because a fresh one was shown."""
        self._source = self.frame = None

    def update(self, newest: CapturedFrame | None) -> bool:
        """Reproject to this camera frame. True if that gave a new `frame`."""
        frame_filter = self._frame_filter()
        if newest is None or newest is self._source:
            return False
        if not isinstance(frame_filter, SupportsReproject) or not self._budget.allows(self._period):
            return False
        began = monotonic()
        try:
            frame = frame_filter.reproject(newest.frame)
        except Exception as error:
            log.debug("a frame could not be reprojected", exc_info=error)
            frame = None
        ended = monotonic()
        self._budget.add(ended - began, at=ended)
        self._source = newest
        self.frame = self.frame if frame is None else frame
        return frame is not None
