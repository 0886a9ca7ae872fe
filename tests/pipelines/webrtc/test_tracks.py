"""Tracks: the newest frame wins, times are kept, sound waits, ends are passed on."""

import asyncio
import threading
from collections.abc import Callable

import av
import pytest
from aiortc import MediaStreamTrack
from aiortc.mediastreams import MediaStreamError

from turbolens.pipelines.webrtc import DelayedTrack, FilteredTrack, Relay
from turbolens.pipelines.webrtc.mailbox import Closed, Mailbox

from .conftest import CLOCK, Shade, asynchronous, flat, luma_of, until


class Script(MediaStreamTrack):
    """A source that gives what it is told to, as a remote track does."""

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
    """A filter that lets frames through one by one, when it is told to."""

    def __init__(self) -> None:
        self.entered, self.allowed = threading.Semaphore(0), threading.Semaphore(0)
        self.threads: set[str] = set()

    def __call__(self, frame: av.VideoFrame) -> av.VideoFrame:
        self.threads.add(threading.current_thread().name)
        self.entered.release()
        assert self.allowed.acquire(timeout=30)
        return frame


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
    assert track.statistics.delivered == 3


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
    assert track.statistics.received == 99
    track.stop()


@asynchronous
async def test_the_filter_runs_off_the_event_loop() -> None:
    source, gate = Script(), Gate()
    track = FilteredTrack(source, gate)
    source.give(1)
    await entered(gate)  # the filter stands still, and this loop does not
    gate.allowed.release()
    await track.recv()
    assert gate.threads == {"filter"}
    track.stop()


@asynchronous
async def test_a_track_that_nobody_reads_filters_one_frame_ahead_and_drains_on() -> None:
    source, gate = Script(), Gate()
    gate.allowed.release(100)
    track = FilteredTrack(source, gate)
    source.give(*range(1, 50))
    await until(source.queue.empty)
    await until(lambda: track.statistics.received == 49)
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
async def test_a_filter_that_fails_ends_the_track_and_says_why() -> None:
    def fail(frame: av.VideoFrame) -> av.VideoFrame:
        raise ZeroDivisionError("in the filter")

    source = Script()
    track = FilteredTrack(source, fail)
    source.give(1)
    with pytest.raises(MediaStreamError):
        await track.recv()
    assert isinstance(track.error, ZeroDivisionError)


@asynchronous
async def test_a_frame_above_the_limit_ends_the_track_in_words() -> None:
    source = Script()
    track = FilteredTrack(source, Shade(), max_pixels=64 * 63)
    source.give(1)
    with pytest.raises(MediaStreamError):
        await track.recv()
    assert str(track.error) == (
        "a frame must have at most 4,032 pixels here, got 64×64; send a smaller picture"
    )


@asynchronous
async def test_no_thread_or_task_stays_when_a_track_has_ended() -> None:
    before = threading.active_count(), len(asyncio.all_tasks())
    source = Script()
    track = FilteredTrack(source, Shade())
    source.give(1)
    await track.recv()
    source.end()
    with pytest.raises(MediaStreamError):
        await track.recv()
    await until(lambda: (threading.active_count(), len(asyncio.all_tasks())) <= before)


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
    assert track.statistics.latency_ms == pytest.approx(250)
    assert track.delay == pytest.approx(0.25)
    track.stop()


@asynchronous
async def test_sound_waits_as_long_as_the_picture_takes() -> None:
    waited: list[float] = []

    async def measured(delay: Callable[[], float]) -> float:
        source = Script("audio")
        track = DelayedTrack(source, delay)
        loop = asyncio.get_running_loop()
        began = loop.time()
        source.give(1)
        await track.recv()
        waited.append(loop.time() - began)
        track.stop()
        source.end()
        return waited[-1]

    assert await measured(lambda: 0.3) >= 0.28  # a clock tick early is not
    assert await measured(lambda: 99.0) >= 1.4  # never longer than sound may wait


@asynchronous
async def test_sound_that_nobody_hears_does_not_pile_up() -> None:
    source = Script("audio")
    track = DelayedTrack(source, lambda: 0.0)
    source.give(*[1] * 1000)
    await until(source.queue.empty)
    assert len(track._arrived) == 150
    track.stop()


@asynchronous
async def test_a_relay_gives_every_viewer_the_frames_and_waits_for_none() -> None:
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
async def test_a_relay_without_viewers_leaves_its_source_alone() -> None:
    source = Script()
    relay = Relay(source)
    source.give(1)
    await asyncio.sleep(0)
    assert source.queue.qsize() == 1
    relay.stop()


@asynchronous
async def test_a_mailbox_gives_what_is_in_it_after_its_end_and_takes_nothing_more() -> None:
    box: Mailbox[int] = Mailbox(2)
    for number in (1, 2, 3):
        box.put(number)
    box.close()
    box.put(4)
    assert [await box.take(), await box.take()] == [2, 3]
    assert box.dropped == 1
    with pytest.raises(Closed):
        await box.take()
    with pytest.raises(Closed):
        await box.room()
