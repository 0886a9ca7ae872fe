"""`ReprojectionWorker`: one thread that reprojects the results of all sessions of a server."""

import logging
from asyncio import Lock, get_running_loop, sleep
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from time import monotonic, thread_time

import av

from turbolens.pipelines.base import SupportsReproject
from turbolens.pipelines.live.reprojection_budget import ReprojectionBudget
from turbolens.pipelines.statistics import Clock, Smoothed

SHARE = 0.35  # of one processor; the rest is left to the filter
WEIGHT = 0.2  # of the latest measurement in the estimate of the cost
logger = logging.getLogger(__name__)


class ReprojectionWorker:
    """Calls the `reproject` of the filters of many sessions, one after the other, on one thread.

    It uses at most a share of one processor, which the sessions of its event loop divide. `costs`
    is the clock that measures the cost: the processor time of the thread, without its waiting.
    """

    def __init__(self, clock: Clock = monotonic, costs: Clock = thread_time) -> None:
        self._clock, self._costs, self._turn = clock, costs, Lock()
        self._budget = ReprojectionBudget(SHARE, Smoothed(WEIGHT), clock=clock)
        self._free_at = 0.0
        self.busy_seconds = 0.0
        """Processor time that reprojections have taken."""
        self._threads = ThreadPoolExecutor(1, thread_name_prefix="reproject")

    @asynccontextmanager
    async def turn(self) -> AsyncIterator[None]:
        """Wait until there is time for one reprojection. Turns are given in order of asking."""
        async with self._turn:
            await sleep(self._free_at - self._clock())
            yield

    def worthwhile(self, usual: float) -> bool:
        """True if reprojected frames would come faster than those of a filter of `usual` s."""
        return self._budget.allows(usual)

    async def reproject(
        self, frame_filter: SupportsReproject, frame: av.VideoFrame
    ) -> av.VideoFrame | None:
        """The filter's last result, reprojected to this frame, or `None`. Call it in a `turn`."""
        loop, began = get_running_loop(), self._clock()
        try:
            call = loop.run_in_executor(self._threads, self._measured, frame_filter, frame)
        except RuntimeError:  # the worker was closed meanwhile
            return None
        reprojected, seconds = await call
        self.busy_seconds += seconds
        self._budget.add(seconds, at=began)
        self._free_at = began + seconds / SHARE
        return reprojected

    def _measured(
        self, frame_filter: SupportsReproject, frame: av.VideoFrame
    ) -> tuple[av.VideoFrame | None, float]:
        began = self._costs()
        try:
            reprojected = frame_filter.reproject(frame)
        except Exception:  # any filter, also a user's: its own results are still shown
            logger.debug("a frame could not be reprojected", exc_info=True)
            reprojected = None
        return reprojected, self._costs() - began

    def close(self) -> None:
        """Reproject nothing more."""
        self._threads.shutdown(wait=False, cancel_futures=True)
