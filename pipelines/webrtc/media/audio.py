"""`DelayedTrack`: sound that waits as long as the picture beside it takes."""

from asyncio import get_running_loop, sleep
from collections.abc import Callable
from contextlib import suppress
from time import monotonic
from typing import Any

from aiortc import MediaStreamTrack
from aiortc.mediastreams import MediaStreamError

from turbolens.pipelines.latest_slot import AsyncLatestSlot, Closed
from turbolens.pipelines.statistics import Clock

MAX_DELAY = 1.5  # seconds; beyond it the picture is so late that sound had better not wait
STEP = 0.04  # seconds: the wait changes by no less, or speech would warble all the time
CAPACITY = 150  # frames of 20 ms: twice the longest delay


class DelayedTrack(MediaStreamTrack):
    """The frames of an audio track, each handed on `delay()` seconds after it came.

    A sender stamps sound and picture when they leave, so that a picture that was in a filter would
    lag behind sound that was not. The source is always drained. Make it where a loop runs.
    """

    kind = "audio"

    def __init__(
        self, track: MediaStreamTrack, delay: Callable[[], float], *, clock: Clock = monotonic
    ) -> None:
        super().__init__()
        self._source, self._delay, self._clock = track, delay, clock
        self._arrived: AsyncLatestSlot[tuple[float, Any]] = AsyncLatestSlot(CAPACITY)
        self._waits = 0.0
        self._task = get_running_loop().create_task(self._drain())

    async def recv(self) -> Any:
        """The next frame, in its time. Raises `MediaStreamError` when there will be none."""
        if self.readyState != "live":
            raise MediaStreamError
        try:
            arrival, frame = await self._arrived.take()
        except Closed:
            self.stop()
            raise MediaStreamError from None
        wanted = min(self._delay(), MAX_DELAY)
        if abs(wanted - self._waits) >= STEP:
            self._waits = wanted
        rest = arrival + self._waits - self._clock()
        if rest > 0:
            await sleep(rest)
        return frame

    def stop(self) -> None:
        """Hand on nothing more. The source is drained on, until it ends."""
        super().stop()
        self._arrived.close()
        self._arrived.clear()

    async def _drain(self) -> None:
        with suppress(MediaStreamError):
            while True:
                self._arrived.put((self._clock(), await self._source.recv()))
        self._arrived.close()
