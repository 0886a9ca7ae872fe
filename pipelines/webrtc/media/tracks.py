"""`FilteredTrack`: a remote video track in, a filtered one out, for anyone's peer connection."""

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
from turbolens.pipelines.base import FilterCallable, SupportsReproject
from turbolens.pipelines.latest_slot import AsyncLatestSlot, Closed
from turbolens.pipelines.reprojection import reprojection_seconds
from turbolens.pipelines.webrtc.meter import Clock, Rate, Smoothed

from .batching import FrameBatcher

FLUENT_FPS = 20.0  # a filter that gives as many needs no reprojected pictures between its own
logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Arrival:
    """A frame of the source: the how many-th it is, and when it came."""

    number: int
    at: float
    frame: av.VideoFrame


@dataclass(frozen=True)
class TrackStatistics:
    """What went through a track so far, and how it goes now.

    latency_ms: from the arrival of a frame to its delivery. filter_ms: in the filter, waiting for
    its turn included. delivered: filtered or reprojected. dropped: received, but a newer one was
    delivered instead. filtered_fps: results of the filter, whether shown themselves or moved on.
    """

    received: int
    delivered: int
    reprojected: int
    dropped: int
    received_fps: float
    delivered_fps: float
    filtered_fps: float
    latency_ms: float
    filter_ms: float
    width: int
    height: int


class FilteredTrack(MediaStreamTrack):
    """The filtered pictures of `track`, each with its own pts and time_base.

    The filter runs on a thread (of `batcher`, which sessions may share, or one of its own); the
    event loop never waits for it. The remote track is always drained, since its queue has no bound:
    while a frame is in the filter the newest waits and older ones are dropped and counted, so that
    latency does not grow. Where that gives fewer than 20 pictures a second and the filter can
    reproject, its last result is moved along with the frames between, as far as there is time for
    it; what is shown never goes back in time. Ends as the source ends. A frame that the filter
    refuses, or one above `max_pixels`, ends the track too; `error` then says why. Make it where an
    event loop runs.
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
        self._received, self._delivered = Rate(clock), Rate(clock)
        self._filtered = Rate(clock)
        self._latency, self._filter_time = Smoothed(), Smoothed()
        self._size = (0, 0)
        self._shown = self._dropped = self._reprojected = 0
        self._fresh_at = 0.0
        self.error: Exception | None = None
        loop = get_running_loop()
        self._tasks: list[Task[None]] = [
            loop.create_task(self._drain()), loop.create_task(self._filter_frames())
        ]  # fmt: skip
        if isinstance(frame_filter, SupportsReproject):
            self._tasks.append(loop.create_task(self._move_along(frame_filter)))

    @property
    def statistics(self) -> TrackStatistics:
        """What went through so far."""
        return TrackStatistics(
            received=self._received.total,
            delivered=self._delivered.total,
            reprojected=self._reprojected,
            dropped=self._dropped,
            received_fps=float(self._received),
            delivered_fps=float(self._delivered),
            filtered_fps=float(self._filtered),
            latency_ms=float(self._latency) * 1000,
            filter_ms=float(self._filter_time) * 1000,
            width=self._size[0],
            height=self._size[1],
        )

    @property
    def delay(self) -> float:
        """Seconds from the arrival of a frame to its delivery, smoothed: what sound must wait."""
        return float(self._latency)

    async def recv(self) -> av.VideoFrame:
        """The next filtered frame. Raises `MediaStreamError` when there will be none."""
        if self.readyState != "live":
            raise MediaStreamError
        try:
            arrival, frame = await self._outgoing.take()
        except Closed:
            self.stop()
            raise MediaStreamError from None
        self._latency.add(self._clock() - arrival.at)
        self._delivered.count()
        return frame

    def stop(self) -> None:
        """Filter nothing more. The source is drained on, until it ends."""
        super().stop()
        for slot in (self._arrived, self._between, self._outgoing):
            slot.close()
            slot.clear()

    async def _drain(self) -> None:
        with suppress(MediaStreamError):
            while True:
                frame: Any = await self._source.recv()
                if isinstance(frame, av.VideoFrame) and frame.pts is not None:
                    self._received.count()
                    self._size = frame.width, frame.height
                    arrival = Arrival(self._received.total, self._clock(), frame)
                    self._arrived.put(arrival)
                    self._between.put(arrival)
        self._arrived.close()
        self._between.close()

    async def _filter_frames(self) -> None:
        """One frame in the filter, at most one waiting before it and one behind it."""
        try:
            with self._batcher.stream():
                while True:
                    await self._outgoing.wait_empty()
                    arrival = await self._arrived.take()
                    filtered = await self._filter_one(arrival.frame)
                    self._filtered.count()
                    self._fresh_at = self._clock()
                    self._show(arrival, filtered)
        except (Closed, UnavailableError):
            pass
        except Exception as error:  # the edge of the task
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
        began = self._clock()
        pts, time_base = frame.pts, frame.time_base
        filtered = await self._batcher.submit(self._filter, frame)
        filtered.pts, filtered.time_base = pts, time_base
        self._filter_time.add(self._clock() - began)
        return filtered

    async def _move_along(self, frame_filter: SupportsReproject) -> None:
        """The last result, where newer frames are."""
        worker = self._batcher.reprojection
        with suppress(Closed):
            while True:
                arrival = await self._between.take()
                usual = float(self._filter_time)
                if not (self._needs_more(usual) and worker.worthwhile(usual)):
                    continue
                async with worker.turn():
                    if len(self._between):
                        arrival = await self._between.take()  # has come meanwhile
                    moved = await worker.reproject(frame_filter, arrival.frame)
                if moved is not None and self._show(arrival, moved):
                    self._reprojected += 1

    def _needs_more(self, usual: float) -> bool:
        """Whether a filter of `usual` seconds gives pictures, but too few of them."""
        wanted = min(FLUENT_FPS, float(self._received))
        late = self._clock() - self._fresh_at > reprojection_seconds(usual)
        return usual * wanted > 1.0 and not late and not len(self._outgoing)

    def _show(self, arrival: Arrival, picture: av.VideoFrame) -> bool:
        """Whether it is to be shown: not if a newer one was, which this would turn back."""
        if arrival.number <= self._shown:
            return False
        self._dropped += arrival.number - self._shown - 1
        self._shown = arrival.number
        self._outgoing.put((arrival, picture))
        return True
