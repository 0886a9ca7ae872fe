"""The track that a client sends: the newest frame, and none that would wait in the line."""

import asyncio

import av
import pytest
from aiortc.mediastreams import MediaStreamError

from tests.pipelines.webrtc.conftest import asynchronous, flat
from turbolens.pipelines.webrtc.client.camera_track import (
    LONGEST_HOLD,
    TICKS,
    CameraTrack,
    TimedFrame,
)

DELAY = 0.1  # seconds from capture to result


class Camera:
    """A track with a clock of its own. Its frames are captured at once, 30 per second."""

    def __init__(self) -> None:
        self.now = 100.0
        self.track = CameraTrack(lambda: self.now)

    async def send(self) -> av.VideoFrame:
        """Capture a frame and send it."""
        self.now += 1 / 30
        self.track.put(TimedFrame(flat(100, 0), self.now))
        return await asyncio.wait_for(self.track.recv(), 5)

    def result(self, seconds_ago: float = DELAY) -> None:
        """The result of the frame that was captured that long ago arrives."""
        result = flat(100, round((self.now - seconds_ago - 100.0) * TICKS))
        self.track.captured_at(result)


async def started() -> Camera:
    camera = Camera()
    await camera.send()
    camera.now += DELAY
    camera.track.captured_at(flat(100, 0))
    return camera


@asynchronous
async def test_frames_are_sent_while_results_keep_coming() -> None:
    camera = await started()
    for _ in range(100):
        await camera.send()
        camera.result()
        assert not camera.track.is_full


async def filled() -> Camera:
    """Sends until the line is full: no result comes."""
    camera = await started()
    for _ in range(60):
        await camera.send()
        if camera.track.is_full:
            return camera
    raise AssertionError("60 frames were sent without a result")


@asynchronous
async def test_the_newest_frame_waits_while_no_result_comes() -> None:
    camera = await filled()
    for _ in range(5):
        camera.now += 1 / 30
        camera.track.put(TimedFrame(flat(100, 0), camera.now))
    waiting = asyncio.create_task(camera.track.recv())
    await asyncio.sleep(0.05)
    assert not waiting.done()
    camera.result()
    frame = await asyncio.wait_for(waiting, 5)
    first = 100.0 + 1 / 30
    assert frame.pts == round((camera.now - first) * TICKS), "the newest one"


@asynchronous
async def test_one_frame_in_a_while_is_sent_without_results() -> None:
    camera = await filled()
    waiting = asyncio.create_task(camera.send())
    await asyncio.sleep(LONGEST_HOLD / 4)
    assert not waiting.done()
    await waiting


@asynchronous
async def test_a_track_that_stops_ends_its_wait() -> None:
    camera = await filled()
    waiting = asyncio.create_task(camera.send())
    await asyncio.sleep(0.05)
    camera.track.stop()
    with pytest.raises(MediaStreamError):
        await asyncio.wait_for(waiting, 0.5)
