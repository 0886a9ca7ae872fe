"""`PictureMover`: beside the thread that filters, one that moves results along with the cameras."""

import logging
from asyncio import Lock, get_running_loop, sleep
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from time import monotonic, thread_time

import av

from turbolens.pipelines.base import Reprojecting
from turbolens.pipelines.statistics import Clock

SHARE = 0.35  # of one processor; the rest is left to the filter
TRY_AGAIN = 5.0  # seconds until what was too costly is tried once more
RECENT = 0.2  # weight of the last time in the estimate of the cost
logger = logging.getLogger(__name__)


class PictureMover:
    """Calls the `reproject` of the filters of many sessions, one after the other, on one thread.

    It takes a share of one processor at most, which the sessions of its event loop divide. costs:
    the time that the thread has worked, without what it waited.
    """

    def __init__(self, clock: Clock = monotonic, costs: Clock = thread_time) -> None:
        self._clock, self._costs, self._turn = clock, costs, Lock()
        self._cost, self._free_at, self._again_at = 0.0, 0.0, 0.0
        self._threads = ThreadPoolExecutor(1, thread_name_prefix="moving")

    @asynccontextmanager
    async def turn(self) -> AsyncIterator[None]:
        """Wait until there is time for one picture. Who asks first comes first."""
        async with self._turn:
            await sleep(self._free_at - self._clock())
            yield

    def worthwhile(self, usual: float) -> bool:
        """Whether moved pictures would come more often than those of a filter of `usual` s."""
        return self._cost < SHARE * usual or self._clock() >= self._again_at

    async def move(self, frame_filter: Reprojecting, frame: av.VideoFrame) -> av.VideoFrame | None:
        """The filter's last result where this frame is; none where that cannot be. In a `turn`."""
        loop, began = get_running_loop(), self._clock()
        try:
            call = loop.run_in_executor(self._threads, self._measured, frame_filter, frame)
        except RuntimeError:  # closed meanwhile
            return None
        moved, seconds = await call
        self._cost += (RECENT if self._cost else 1.0) * (seconds - self._cost)
        self._free_at = began + seconds / SHARE
        self._again_at = began + TRY_AGAIN
        return moved

    def _measured(
        self, frame_filter: Reprojecting, frame: av.VideoFrame
    ) -> tuple[av.VideoFrame | None, float]:
        began = self._costs()
        try:
            moved = frame_filter.reproject(frame)
        except Exception:  # anyone's filter: its own results are still shown
            logger.debug("a picture could not be moved along", exc_info=True)
            moved = None
        return moved, self._costs() - began

    def close(self) -> None:
        """Move nothing more."""
        self._threads.shutdown(wait=False, cancel_futures=True)
