"""`FilteredTrack`: the filtered version of a remote video track, for any aiortc peer connection."""

import logging
from asyncio import Task, get_running_loop
from contextlib import suppress
from dataclasses import dataclass
from time import monotonic
from typing import Any

import av
from aiortc import MediaStreamTrack
from aiortc.mediastreams import MediaStreamError

from turbolens.filter import FrameError, UnavailableError
from turbolens.pipelines.base import FilterCallable, SupportsReproject, checked_result
from turbolens.pipelines.live.latest_slot import AsyncLatestSlot, Closed
from turbolens.pipelines.live.reprojection_budget import reprojection_seconds
from turbolens.pipelines.statistics import Clock, Smoothed, Stats, StatsCollector

from .batching import FrameBatcher

FLUENT_FPS = 20.0  # a filter this fast needs no reprojected frames between its results
logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Arrival:
    """A frame of the source: its number, counted from 1, and its time of arrival in seconds."""

    number: int
    at: float
    frame: av.VideoFrame


class FilteredTrack(MediaStreamTrack):
    """The filtered frames of `track`, each with its pts and time_base.

    The filter runs on the thread of `batcher`, which several tracks may share; the event loop never
    waits for it. The source is always drained, because aiortc's queue of received frames is
    unbounded. While a frame is in the filter, the newest frame waits; older ones are dropped and
    counted, so that latency does not grow. If the filter gives fewer than 20 frames per second and
    can reproject, its last result is reprojected to the frames in between, as far as time allows.
    Frames are never shown out of order.

    The track ends with its source. It also ends if the filter refuses a frame or if a frame has
    more than `max_pixels`; `error` is then the reason. Needs a running event loop.
    """

    kind = "video"

    def __init__(
        self,
        track: MediaStreamTrack,
        frame_filter: FilterCallable,
        *,
        batcher: FrameBatcher | None = None,
        max_pixels: int | None = None,
        clock: Clock = monotonic,
    ) -> None:
        super().__init__()
        self._source, self._filter, self._clock = track, frame_filter, clock
        self._own_batcher = batcher is None
        self._batcher = batcher or FrameBatcher()
        self._max_pixels = max_pixels
        self._arrived: AsyncLatestSlot[Arrival] = AsyncLatestSlot()
        self._between: AsyncLatestSlot[Arrival] = AsyncLatestSlot()
        self._outgoing: AsyncLatestSlot[tuple[Arrival, av.VideoFrame]] = AsyncLatestSlot()
        self._collector = StatsCollector(clock())
        self._latency = Smoothed()
        self._filter_time = Smoothed()  # without what reprojections took of it
        self.size = (0, 0)
        """Width and height of the last received frame; zeros before the first."""
        self._received = self._newest_sent = 0
        self._filtered_at = 0.0
        self.error: Exception | None = None
        loop = get_running_loop()
        self._tasks: list[Task[None]] = [
            loop.create_task(self._drain()), loop.create_task(self._filter_frames())
        ]  # fmt: skip
        if isinstance(frame_filter, SupportsReproject):
            self._tasks.append(loop.create_task(self._reproject_between(frame_filter)))

    @property
    def statistics(self) -> Stats:
        """The figures up to now. Latency is from the arrival of a frame to its delivery.

        captured: frames received. sent: frames delivered, filtered or reprojected. dropped: frames
        received but not delivered, because a newer one was. The stage "filter" includes the wait
        for its turn in the batch.
        """
        return self._collector.stats(self._clock())

    @property
    def delay(self) -> float:
        """Seconds from the arrival of a frame to its delivery, smoothed; audio is delayed by it."""
        return float(self._latency)

    async def recv(self) -> av.VideoFrame:
        """The next filtered frame. Raises `MediaStreamError` at the end of the track."""
        if self.readyState != "live":
            raise MediaStreamError
        try:
            arrival, frame = await self._outgoing.take()
        except Closed:
            self.stop()
            raise MediaStreamError from None
        now = self._clock()
        self._latency.add(now - arrival.at)
        self._collector.latency(now - arrival.at)
        self._collector.count("sent", now)
        return frame

    def stop(self) -> None:
        """Stop filtering. The source is drained until it ends."""
        super().stop()
        for slot in (self._arrived, self._between, self._outgoing):
            slot.close()
            slot.clear()

    async def _drain(self) -> None:
        with suppress(MediaStreamError):
            while True:
                frame: Any = await self._source.recv()
                if isinstance(frame, av.VideoFrame) and frame.pts is not None:
                    now = self._clock()
                    self._received += 1
                    self._collector.count("captured", now)
                    self.size = frame.width, frame.height
                    arrival = Arrival(self._received, now, frame)
                    self._arrived.put(arrival)
                    self._between.put(arrival)
        self._arrived.close()
        self._between.close()

    async def _filter_frames(self) -> None:
        """Filter one frame at a time; at most one waits before the filter and one after it."""
        try:
            with self._batcher.stream():
                while True:
                    await self._outgoing.wait_empty()
                    arrival = await self._arrived.take()
                    filtered = await self._filter_one(arrival.frame)
                    self._filtered_at = self._clock()
                    self._collector.count("filtered", self._filtered_at)
                    self._deliver(arrival, filtered)
        except (Closed, UnavailableError):
            pass
        except Exception as error:  # the edge of the task: `error` is the reason
            self.error = error
            logger.warning("a track ends, its filter failed: %s", error,
                           exc_info=not isinstance(error, FrameError))  # fmt: skip
        finally:
            self._outgoing.close()
            self._between.close()
            if self._own_batcher:
                self._batcher.close(timeout=0)

    async def _filter_one(self, frame: av.VideoFrame) -> av.VideoFrame:
        if self._max_pixels is not None and frame.width * frame.height > self._max_pixels:
            raise FrameError(
                f"a frame must have at most {self._max_pixels:,} pixels here, got "
                f"{frame.width}×{frame.height}; send a smaller picture"
            )
        began, reprojection = self._clock(), self._batcher.reprojection
        reprojected_before = reprojection.busy_seconds
        pts, time_base = frame.pts, frame.time_base
        filtered = checked_result(await self._batcher.submit(self._filter, frame))
        filtered.pts, filtered.time_base = pts, time_base
        seconds = self._clock() - began
        self._filter_time.add(seconds - (reprojection.busy_seconds - reprojected_before))
        self._collector.stage("filter", seconds)
        return filtered

    async def _reproject_between(self, frame_filter: SupportsReproject) -> None:
        """Reproject the last result to newer frames while the filter is busy."""
        worker = self._batcher.reprojection
        with suppress(Closed):
            while True:
                arrival = await self._between.take()
                filter_seconds = float(self._filter_time)
                if not (
                    self._needs_reprojection(filter_seconds) and worker.worthwhile(filter_seconds)
                ):
                    continue
                async with worker.turn():
                    if len(self._between):
                        arrival = await self._between.take()  # it arrived during the wait
                    reprojected = await worker.reproject(frame_filter, arrival.frame)
                if reprojected is not None and self._deliver(arrival, reprojected):
                    self._collector.count("reprojected")

    def _needs_reprojection(self, filter_seconds: float) -> bool:
        """True if the filter works, but is slower than the source or than 20 frames per second."""
        now = self._clock()
        wanted = min(FLUENT_FPS, self._collector.rate("captured", now))
        late = now - self._filtered_at > reprojection_seconds(filter_seconds)
        return filter_seconds * wanted >= 1.0 and not late and not len(self._outgoing)

    def _deliver(self, arrival: Arrival, frame: av.VideoFrame) -> bool:
        """Queue a frame for `recv`. False if a newer one was queued before: order is kept."""
        if arrival.number <= self._newest_sent:
            return False
        self._collector.count("dropped", number=arrival.number - self._newest_sent - 1)
        self._newest_sent = arrival.number
        self._outgoing.put((arrival, frame))
        return True
