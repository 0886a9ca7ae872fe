"""`CameraTrack`: the frames that a client sends, with times that survive the way to and fro."""

import asyncio
from fractions import Fraction
from typing import NamedTuple

import av
from aiortc import MediaStreamTrack
from aiortc.mediastreams import MediaStreamError

from turbolens.pipelines.live.latest_slot import AsyncLatestSlot, Closed

TICKS = 90_000  # per second: the clock of video in RTP
FIRST_RESULT_SECONDS = 1.0  # to wait for the first result before the second frame is sent


class TimedFrame(NamedTuple):
    """A frame, and when it was captured (seconds of the monotonic clock)."""

    frame: av.VideoFrame
    captured_at: float


class CameraTrack(MediaStreamTrack):
    """The newest captured frame, each time that the sender is ready for one.

    RTP timestamps have a random origin, and the received ones count from the first frame that came
    back. So the second frame is sent only once the first result is there, or after a second: then
    the first result is that of the first frame, and `captured_at` is exact for all others.
    """

    kind = "video"

    def __init__(self) -> None:
        super().__init__()
        self._frames: AsyncLatestSlot[TimedFrame] = AsyncLatestSlot()
        self._first: TimedFrame | None = None
        self._first_result_pts: int | None = None
        self._answered = asyncio.Event()

    def put(self, timed: TimedFrame) -> None:
        """Send this frame next, unless a newer one comes before the sender is ready."""
        self._frames.put(timed)

    async def recv(self) -> av.VideoFrame:
        """The next frame. Raises `MediaStreamError` once the track has stopped."""
        if self._first is not None and not self._answered.is_set():
            await self._wait_for_first_result()
        try:
            timed = await self._frames.take()
        except Closed:
            self.stop()
            raise MediaStreamError from None
        self._first = self._first or timed
        frame = timed.frame
        frame.pts = round((timed.captured_at - self._first.captured_at) * TICKS)
        frame.time_base = Fraction(1, TICKS)
        return frame

    def captured_at(self, result: av.VideoFrame) -> float:
        """When the frame of a result was captured. Call it with every result, in order."""
        assert self._first is not None  # noqa: S101 - there is no result before a frame
        pts = result.pts or 0
        if self._first_result_pts is None:
            self._first_result_pts = pts
            self._answered.set()
        return self._first.captured_at + (pts - self._first_result_pts) / TICKS

    def stop(self) -> None:
        """End the track."""
        super().stop()
        self._frames.close()
        self._frames.clear()
        self._answered.set()

    async def _wait_for_first_result(self) -> None:
        try:
            await asyncio.wait_for(self._answered.wait(), FIRST_RESULT_SECONDS)
        except (asyncio.TimeoutError, TimeoutError):
            self._answered.set()
