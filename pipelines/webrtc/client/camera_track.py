"""`CameraTrack`: the frames that a client sends, with times that survive the way to and fro."""

import asyncio
from fractions import Fraction
from time import monotonic
from typing import NamedTuple

import av
from aiortc import MediaStreamTrack
from aiortc.mediastreams import MediaStreamError

from turbolens.pipelines.live.latest_slot import AsyncLatestSlot, Closed
from turbolens.pipelines.statistics import Clock

TICKS = 90_000  # per second: the clock of video in RTP
FIRST_RESULT_SECONDS = 1.0  # to wait for the first result before the second frame is sent
LONGEST_HOLD = 1.0  # seconds between two frames, however late the results are
MORE_DELAYS, MORE_SECONDS = 2.0, 0.2
"""How much later than the quickest result the last one may be: that many times its delay, and more,
which loss and jitter need."""
FORGETTING = 0.02  # of the quickest delay towards each longer one


class TimedFrame(NamedTuple):
    """A frame, and when it was captured (seconds of the monotonic clock)."""

    frame: av.VideoFrame
    captured_at: float


class CameraTrack(MediaStreamTrack):
    """The newest captured frame, each time that the sender is ready for one.

    RTP timestamps have a random origin, and the received ones count from the first frame that came
    back. So the second frame is sent only once the first result is there, or after a second: then
    the first result is that of the first frame, and `captured_at` is exact for all others.

    Where results come back late, the line is full, and frames that are sent wait in it. So no frame
    is sent while too many are on their way: the newest one waits here, and the others are dropped.
    """

    kind = "video"

    def __init__(self, clock: Clock = monotonic) -> None:
        super().__init__()
        self._clock = clock
        self._sent_capture = self._seen_capture = 0.0  # times of capture: last sent, last result
        self._quickest: float | None = None  # seconds from capture to result
        self._result = asyncio.Event()
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
        await self._wait_for_the_line()
        try:
            timed = await self._frames.take()
        except Closed:
            self.stop()
            raise MediaStreamError from None
        self._first = self._first or timed
        self._sent_capture = timed.captured_at
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
        captured_at = self._first.captured_at + (pts - self._first_result_pts) / TICKS
        self._note(captured_at)
        return captured_at

    @property
    def is_full(self) -> bool:
        """True while so much is on its way that another frame would wait in the line."""
        if self._quickest is None:
            return False
        on_the_way = self._sent_capture - self._seen_capture
        return on_the_way > (1 + MORE_DELAYS) * self._quickest + MORE_SECONDS

    def stop(self) -> None:
        """End the track."""
        super().stop()
        self._frames.close()
        self._frames.clear()
        self._answered.set()
        self._result.set()

    def _note(self, captured_at: float) -> None:
        """A result has come of a frame that was captured then."""
        delay = max(0.0, self._clock() - captured_at)
        quickest = delay if self._quickest is None else self._quickest
        self._quickest = min(delay, quickest + FORGETTING * (delay - quickest))
        self._seen_capture = max(self._seen_capture, captured_at)
        self._result.set()

    async def _wait_for_the_line(self) -> None:
        """Wait until results have come, for `LONGEST_HOLD` at most."""
        ends = self._clock() + LONGEST_HOLD
        while self.is_full and self.readyState == "live":
            self._result.clear()
            try:
                await asyncio.wait_for(self._result.wait(), ends - self._clock())
            except (asyncio.TimeoutError, TimeoutError):
                return

    async def _wait_for_first_result(self) -> None:
        try:
            await asyncio.wait_for(self._answered.wait(), FIRST_RESULT_SECONDS)
        except (asyncio.TimeoutError, TimeoutError):
            self._answered.set()
