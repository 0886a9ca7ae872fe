"""`DelayedTrack`: audio, delayed by the latency of the filtered video beside it."""

from asyncio import get_running_loop, sleep
from collections.abc import Callable
from contextlib import suppress
from time import monotonic
from typing import Any

from aiortc import MediaStreamTrack
from aiortc.mediastreams import MediaStreamError

from turbolens.pipelines.live.latest_slot import AsyncLatestSlot, Closed
from turbolens.pipelines.statistics import Clock

MAX_DELAY = 1.5  # seconds; a conversation bears no more, even if the video is later
MIN_CHANGE = 0.04  # seconds; smaller changes of the delay are ignored, since each is audible
CAPACITY = 150  # frames of 20 ms: twice the longest delay


class DelayedTrack(MediaStreamTrack):
    """The frames of an audio track, each delivered `delay()` seconds after it arrived.

    aiortc takes the time at which frames are sent for their time of capture. Without the delay,
    filtered video would lag behind unfiltered audio. The source is always drained. Create it inside
    a running event loop.
    """

    kind = "audio"

    def __init__(
        self, track: MediaStreamTrack, delay: Callable[[], float], *, clock: Clock = monotonic
    ) -> None:
        super().__init__()
        self._source, self._delay, self._clock = track, delay, clock
        self._arrived: AsyncLatestSlot[tuple[float, Any]] = AsyncLatestSlot(CAPACITY)
        self._applied_delay = 0.0
        self._task = get_running_loop().create_task(self._drain())

    async def recv(self) -> Any:
        """The next frame when it is due. Raises `MediaStreamError` after the last one."""
        if self.readyState != "live":
            raise MediaStreamError
        try:
            arrival, frame = await self._arrived.take()
        except Closed:
            self.stop()
            raise MediaStreamError from None
        target = min(self._delay(), MAX_DELAY)
        if abs(target - self._applied_delay) >= MIN_CHANGE:
            self._applied_delay = target
        remaining = arrival + self._applied_delay - self._clock()
        if remaining > 0:
            await sleep(remaining)
        return frame

    def stop(self) -> None:
        """End the track. The source is drained until it ends."""
        super().stop()
        self._arrived.close()
        self._arrived.clear()

    async def _drain(self) -> None:
        with suppress(MediaStreamError):
            while True:
                self._arrived.put((self._clock(), await self._source.recv()))
        self._arrived.close()
