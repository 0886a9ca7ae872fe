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
from turbolens.pipelines.base import PictureFilter

from .batching import FrameBatcher
from .mailbox import Closed, Mailbox
from .meter import Clock, Rate, Smoothed

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class TrackStatistics:
    """What went through a track so far, and how it goes now.

    latency_ms: from the arrival of a frame to its delivery. filter_ms: in the filter, waiting for
    its turn included. dropped: received, but a newer one came before its turn.
    """

    received: int
    delivered: int
    dropped: int
    received_fps: float
    delivered_fps: float
    latency_ms: float
    filter_ms: float
    width: int
    height: int


class FilteredTrack(MediaStreamTrack):
    """The filtered pictures of `track`, each with its own pts and time_base.

    The filter runs on a thread (of `batcher`, which sessions may share, or one of its own); the
    event loop never waits for it. The remote track is always drained, since its queue has no bound:
    while a frame is in the filter the newest waits and older ones are dropped and counted, so that
    latency does not grow. Ends as the source ends. A frame that the filter refuses, or one above
    `max_pixels`, ends the track too; `error` then says why. Make it where an event loop runs.
    """

    kind = "video"

    def __init__(
        self,
        track: MediaStreamTrack,
        frame_filter: PictureFilter,
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
        self._arrived: Mailbox[tuple[float, av.VideoFrame]] = Mailbox()
        self._filtered: Mailbox[tuple[float, av.VideoFrame]] = Mailbox()
        self._received, self._delivered = Rate(clock), Rate(clock)
        self._latency, self._filter_time = Smoothed(), Smoothed()
        self._size = (0, 0)
        self.error: Exception | None = None
        loop = get_running_loop()
        self._tasks: list[Task[None]] = [
            loop.create_task(self._drain()), loop.create_task(self._filter_frames())
        ]  # fmt: skip

    @property
    def statistics(self) -> TrackStatistics:
        """What went through so far."""
        return TrackStatistics(
            received=self._received.total,
            delivered=self._delivered.total,
            dropped=self._arrived.dropped,
            received_fps=float(self._received),
            delivered_fps=float(self._delivered),
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
            arrival, frame = await self._filtered.take()
        except Closed:
            self.stop()
            raise MediaStreamError from None
        self._latency.add(self._clock() - arrival)
        self._delivered.count()
        return frame

    def stop(self) -> None:
        """Filter nothing more. The source is drained on, until it ends."""
        super().stop()
        self._arrived.close()
        self._arrived.clear()
        self._filtered.close()
        self._filtered.clear()

    async def _drain(self) -> None:
        with suppress(MediaStreamError):
            while True:
                frame: Any = await self._source.recv()
                if isinstance(frame, av.VideoFrame) and frame.pts is not None:
                    self._received.count()
                    self._size = frame.width, frame.height
                    self._arrived.put((self._clock(), frame))
        self._arrived.close()

    async def _filter_frames(self) -> None:
        """One frame in the filter, at most one waiting before it and one behind it."""
        try:
            with self._batcher.stream():
                while True:
                    await self._filtered.room()
                    arrival, frame = await self._arrived.take()
                    self._filtered.put((arrival, await self._filter_one(frame)))
        except (Closed, UnavailableError):
            pass
        except Exception as error:  # the edge of the task
            self.error = error
            logger.warning("a track ends, its filter failed: %s", error,
                           exc_info=not isinstance(error, FrameError))  # fmt: skip
        finally:
            self._filtered.close()
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
