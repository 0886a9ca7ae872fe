"""Tracks: the newest frame wins, times are kept, audio is delayed, ends are passed on."""

import asyncio
import threading
from contextlib import suppress

import av
import pytest
from aiortc import MediaStreamTrack
from aiortc.mediastreams import MediaStreamError

from tests.pipelines.webrtc.conftest import CLOCK, Shade, asynchronous, flat, luma_of, until
from turbolens.pipelines.webrtc import DelayedTrack, FilteredTrack, Relay
from turbolens.pipelines.webrtc.media import audio, reprojection
from turbolens.pipelines.webrtc.media.batching import FrameBatcher
from turbolens.pipelines.webrtc.media.reprojection import ReprojectionWorker


class Script(MediaStreamTrack):
    """A remote track whose frames are given by `give`, until `end`."""

    def __init__(self, kind: str = "video") -> None:
        super().__init__()
        self.kind = kind
        self.queue: asyncio.Queue[av.VideoFrame | None] = asyncio.Queue()

    def give(self, *lumas: int) -> None:
        for luma in lumas:
            self.queue.put_nowait(flat(luma, pts=luma * 3000))

    def end(self) -> None:
        self.queue.put_nowait(None)

    async def recv(self) -> av.VideoFrame:
        frame = await self.queue.get()
        if frame is None:
            self.stop()
            raise MediaStreamError
        return frame


class Gate:
    """A filter that passes one frame for each release of `allowed`."""

    def __init__(self) -> None:
        self.entered, self.allowed = threading.Semaphore(0), threading.Semaphore(0)
        self.threads: set[str] = set()

    def __call__(self, frame: av.VideoFrame) -> av.VideoFrame:
        self.threads.add(threading.current_thread().name)
        self.entered.release()
        assert self.allowed.acquire(timeout=30)
        return frame


@pytest.fixture
def pauses(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The pauses that are made, in seconds. They take no time."""
    made: list[float] = []

    async def sleep(seconds: float) -> None:
        made.append(seconds)
        await asyncio.sleep(0)  # a loop of pauses must not block the event loop

    for module in (audio, reprojection):
        monkeypatch.setattr(module, "sleep", sleep)
    return made


async def entered(gate: Gate) -> None:
    assert await asyncio.to_thread(gate.entered.acquire, timeout=30)


@asynchronous
async def test_every_frame_keeps_its_time_and_the_track_ends_with_its_source() -> None:
    source = Script()
    track = FilteredTrack(source, Shade())
    seen = []
    for luma in (10, 20, 30):
        source.give(luma)
        seen.append(await track.recv())
    source.end()
    with pytest.raises(MediaStreamError):
        await track.recv()
    assert [(frame.pts, frame.time_base) for frame in seen] == [
        (luma * 3000, CLOCK) for luma in (10, 20, 30)
    ]
    assert track.readyState == "ended"
    assert track.statistics.sent == 3


@asynchronous
async def test_a_slow_filter_gets_the_newest_frame_and_the_rest_are_counted() -> None:
    source, gate = Script(), Gate()
    track = FilteredTrack(source, gate)
    source.give(1)
    await entered(gate)
    source.give(*range(2, 100))  # while the first is in the filter
    await until(source.queue.empty, "the draining of the source")
    gate.allowed.release(2)
    first, second = await track.recv(), await track.recv()
    assert [round(luma_of(first)), round(luma_of(second))] == [1, 99]
    assert track.statistics.dropped == 97
    assert track.statistics.captured == 99
    track.stop()


@asynchronous
async def test_the_filter_runs_off_the_event_loop() -> None:
    source, gate = Script(), Gate()
    track = FilteredTrack(source, gate)
    source.give(1)
    await entered(gate)  # the filter is blocked, but not this event loop
    gate.allowed.release()
    await track.recv()
    assert gate.threads == {"filter"}
    track.stop()


@asynchronous
async def test_a_track_that_is_not_read_filters_one_frame_ahead_and_drains_its_source() -> None:
    source, gate = Script(), Gate()
    gate.allowed.release(100)
    track = FilteredTrack(source, gate)
    source.give(*range(1, 50))
    await until(source.queue.empty)
    await until(lambda: track.statistics.captured == 49)
    assert gate.entered.acquire(timeout=30)
    assert not gate.entered.acquire(blocking=False)
    track.stop()


@asynchronous
async def test_a_stopped_track_still_drains_its_source() -> None:
    source = Script()
    track = FilteredTrack(source, Shade())
    track.stop()
    source.give(1, 2, 3)
    await until(source.queue.empty)
    with pytest.raises(MediaStreamError):
        await track.recv()


@asynchronous
async def test_a_filter_that_fails_ends_the_track_with_its_error() -> None:
    def fail(frame: av.VideoFrame) -> av.VideoFrame:
        raise ZeroDivisionError("in the filter")

    source = Script()
    track = FilteredTrack(source, fail)
    source.give(1)
    with pytest.raises(MediaStreamError):
        await track.recv()
    assert isinstance(track.error, ZeroDivisionError)


@asynchronous
async def test_a_frame_above_the_limit_ends_the_track_with_a_message() -> None:
    source = Script()
    track = FilteredTrack(source, Shade(), max_pixels=64 * 63)
    source.give(1)
    with pytest.raises(MediaStreamError):
        await track.recv()
    assert str(track.error) == (
        "a frame must have at most 4,032 pixels here, got 64×64; send a smaller picture"
    )


@asynchronous
async def test_no_thread_or_task_is_left_after_a_track() -> None:
    before = {*threading.enumerate(), *asyncio.all_tasks()}
    source = Script()
    track = FilteredTrack(source, Shade())
    source.give(1)
    await track.recv()
    source.end()
    with pytest.raises(MediaStreamError):
        await track.recv()
    await until(lambda: {*threading.enumerate(), *asyncio.all_tasks()} <= before)


@asynchronous
async def test_latency_and_delay_are_measured_from_arrival_to_delivery() -> None:
    now = [100.0]
    source, gate = Script(), Gate()
    track = FilteredTrack(source, gate, clock=lambda: now[0])
    source.give(1)
    await entered(gate)
    now[0] += 0.25
    gate.allowed.release()
    await track.recv()
    assert track.statistics.latency_p50_ms == pytest.approx(250)
    assert track.delay == pytest.approx(0.25)
    track.stop()


class ReprojectingGate(Gate):
    """A gate that can reproject: its result is the frame, 100 levels lighter."""

    def __init__(self) -> None:
        super().__init__()
        self.reprojected: list[int] = []

    def reproject(self, frame: av.VideoFrame) -> av.VideoFrame:
        luma = round(luma_of(frame))
        self.reprojected.append(luma)
        return flat(luma + 100, pts=luma * 3000)


@asynchronous
async def test_between_results_of_a_slow_filter_the_last_one_is_reprojected() -> None:
    now = [100.0]
    source, gate = Script(), ReprojectingGate()
    track = FilteredTrack(source, gate, clock=lambda: now[0])

    async def shown() -> tuple[int, int | None]:
        frame = await track.recv()
        return round(luma_of(frame)), frame.pts

    source.give(1)
    await entered(gate)
    now[0] += 0.25  # 4 results a second
    gate.allowed.release()
    assert await shown() == (1, 3000)
    source.give(2)
    await entered(gate)
    assert await shown() == (102, 6000)
    source.give(3)
    assert await shown() == (103, 9000)
    now[0] += 0.125
    gate.allowed.release()  # the result for 2 is not shown: 3 was shown before
    await entered(gate)
    source.give(4)
    assert await shown() == (104, 12000)
    figures = track.statistics
    assert (figures.captured, figures.sent, figures.reprojected) == (4, 4, 3)
    assert figures.dropped == 0
    assert track.statistics.fps_filtered == 8.0  # an eighth of a second between the two results
    track.stop()
    gate.allowed.release()


@asynchronous
async def test_nothing_is_reprojected_while_a_filter_hangs() -> None:
    """Reprojection shows parts of the unfiltered frame, which must not happen after a failure."""
    now = [100.0]
    source, gate = Script(), ReprojectingGate()
    track = FilteredTrack(source, gate, clock=lambda: now[0])
    source.give(1)
    await entered(gate)
    now[0] += 0.25
    gate.allowed.release()
    await track.recv()
    source.give(2)
    await entered(gate)
    await track.recv()
    now[0] += 10.0
    source.give(3)
    await until(lambda: track.statistics.captured == 3)
    gate.allowed.release(2)
    assert round(luma_of(await track.recv())) == 3  # by the filter
    assert gate.reprojected == [2]
    track.stop()


@asynchronous
async def test_nothing_is_reprojected_if_the_filter_is_fast_enough() -> None:
    now = [100.0]
    source, gate = Script(), ReprojectingGate()
    track = FilteredTrack(source, gate, clock=lambda: now[0])
    for luma in range(1, 20):
        source.give(luma)
        await entered(gate)
        now[0] += 0.03
        gate.allowed.release()
        assert round(luma_of(await track.recv())) == luma
    assert gate.reprojected == []
    track.stop()


@asynchronous
async def test_reprojection_ends_if_the_filter_is_only_slow_because_of_it(
    pauses: list[float],
) -> None:
    """Such a filter is fast enough alone, and its own results are better than reprojected ones."""
    now, cost = [100.0], [0.0]
    source, gate = Script(), ReprojectingGate()
    reproject = gate.reproject

    def costly_reproject(frame: av.VideoFrame) -> av.VideoFrame:
        cost[0] += 0.01
        return reproject(frame)

    gate.reproject = costly_reproject  # type: ignore[method-assign]
    batcher = FrameBatcher()
    batcher.reprojection = ReprojectionWorker(lambda: now[0], lambda: cost[0])
    track = FilteredTrack(source, gate, batcher=batcher, clock=lambda: now[0])

    async def show() -> None:
        with suppress(MediaStreamError):
            while True:
                await track.recv()

    showing = asyncio.create_task(show())
    source.give(1)
    for number in range(1, 81):
        await entered(gate)
        before = cost[0]
        source.give(2 * number, 2 * number + 1)  # the source is faster than the filter
        for _ in range(20):  # time for a reprojection, which may not come
            await asyncio.to_thread(lambda: None)
        now[0] += (0.2 if number == 1 else 0.045) + cost[0] - before
        gate.allowed.release()
        await until(lambda number=number: track.statistics.filtered == number)  # type: ignore[misc]
    assert gate.reprojected, "the slow first frame was to be bridged"
    assert max(gate.reprojected) < 120, "of 161 frames of the source"
    assert pauses
    track.stop()
    gate.allowed.release(2)
    await showing
    batcher.close()


class Costly:
    """A reprojection that takes `seconds` on a virtual clock, `now`."""

    def __init__(self, seconds: float) -> None:
        self.now, self._seconds = 100.0, seconds

    def reproject(self, frame: av.VideoFrame) -> av.VideoFrame:
        self.now += self._seconds
        return frame


@asynchronous
async def test_reprojection_leaves_most_of_the_time_to_the_filter(pauses: list[float]) -> None:
    costly = Costly(0.035)
    worker = ReprojectionWorker(lambda: costly.now, lambda: costly.now)
    async with worker.turn():
        assert await worker.reproject(costly, flat(1)) is not None
    async with worker.turn():
        assert pauses[-1] == pytest.approx(0.1 - 0.035)  # the cost over its share, less the cost
    worker.close()


@asynchronous
async def test_a_reprojection_that_is_too_slow_is_not_tried_for_a_while() -> None:
    costly = Costly(0.05)
    worker = ReprojectionWorker(lambda: costly.now, lambda: costly.now)
    assert worker.worthwhile(0.1)  # nothing is known yet
    async with worker.turn():
        await worker.reproject(costly, flat(1))
    assert not worker.worthwhile(0.1)  # at its share of 0.35, one would come every 0.14 s
    assert worker.worthwhile(0.2)
    costly.now += 5.0
    assert worker.worthwhile(0.1)
    worker.close()


@asynchronous
async def test_a_frame_that_cannot_be_reprojected_gives_none() -> None:
    class Broken:
        def reproject(self, frame: av.VideoFrame) -> av.VideoFrame:
            raise ZeroDivisionError

    worker = ReprojectionWorker()
    async with worker.turn():
        assert await worker.reproject(Broken(), flat(1)) is None
    worker.close()
    assert await worker.reproject(Costly(0.0), flat(1)) is None


@asynchronous
async def test_audio_is_delayed_as_long_as_the_video(pauses: list[float]) -> None:
    source, delays = Script("audio"), iter([0.3, 0.31, 99.0])
    track = DelayedTrack(source, lambda: next(delays), clock=lambda: 100.0)
    source.give(1, 2, 3)
    for _ in range(3):
        await track.recv()
    # A change of 0.01 s is ignored, and 1.5 s is the longest delay.
    assert pauses == pytest.approx([0.3, 0.3, 1.5])
    track.stop()
    source.end()


@asynchronous
async def test_audio_that_is_not_received_is_dropped() -> None:
    source = Script("audio")
    track = DelayedTrack(source, lambda: 0.0)
    source.give(*[1] * 1000)
    await until(source.queue.empty)
    assert len(track._arrived) == 150
    track.stop()


@asynchronous
async def test_a_relay_sends_frames_to_every_viewer_and_waits_for_none() -> None:
    source = Script()
    relay = Relay(source)
    eager, lazy = relay.subscribe(), relay.subscribe()
    source.give(1, 2, 3)
    assert [luma_of(await eager.recv()) for _ in range(3)] == [1, 2, 3]
    assert luma_of(await lazy.recv()) == 3
    eager.stop()
    source.give(4)
    assert luma_of(await lazy.recv()) == 4
    relay.stop()
    with pytest.raises(MediaStreamError):
        await lazy.recv()
    assert relay.viewers == 0
    assert relay.subscribe().readyState == "ended"


@asynchronous
async def test_a_relay_without_viewers_does_not_read_its_source() -> None:
    source = Script()
    tasks = asyncio.all_tasks()
    relay = Relay(source)
    source.give(1)
    assert asyncio.all_tasks() == tasks
    assert luma_of(await relay.subscribe().recv()) == 1
    relay.stop()
