"""Batching: frames that wait at the same time form a batch; a bad one fails alone."""

import asyncio
import threading
from collections.abc import Sequence
from typing import Any

import av
import pytest

from tests.pipelines.webrtc.conftest import Shade, asynchronous, flat, luma_of
from turbolens.filter import FilterSettings, FrameFilter, TurboModel, UnavailableError
from turbolens.pipelines.webrtc import FrameBatcher
from turbolens.pipelines.webrtc.media.batching import SharesModel


class Blocking:
    """A filter that blocks the thread until it is released."""

    def __init__(self) -> None:
        self.entered, self.released = threading.Event(), threading.Event()

    def __call__(self, frame: av.VideoFrame) -> av.VideoFrame:
        self.entered.set()
        assert self.released.wait(30)
        return frame


def refuse(frame: av.VideoFrame) -> av.VideoFrame:
    raise ValueError("not this one")


@asynchronous
async def test_frames_that_wait_at_the_same_time_form_a_batch() -> None:
    batcher, blocking = FrameBatcher(), Blocking()
    first = batcher.submit(blocking, flat(1))
    assert await asyncio.to_thread(blocking.entered.wait, 30)
    rest = [batcher.submit(Shade(), flat(luma)) for luma in (100, 150, 200)]
    blocking.released.set()
    lumas = [luma_of(await each) for each in (first, *rest)]
    assert lumas == pytest.approx([1, 30, 45, 60], abs=1)
    assert batcher.sizes == {1: 1, 3: 1}
    batcher.close()


class WatchedCondition(threading.Condition):
    """Tells when a thread waits for a limited time."""

    def __init__(self) -> None:
        super().__init__()
        self.waits = threading.Event()

    def wait(self, timeout: float | None = None) -> bool:
        if timeout is not None:
            self.waits.set()
        return super().wait(timeout)


@asynchronous
async def test_with_several_streams_it_waits_for_the_frames_of_the_others() -> None:
    batcher = FrameBatcher(wait_ms=20_000)  # ends as soon as all are there
    batcher._changed = changed = WatchedCondition()
    with batcher.stream(), batcher.stream():
        one = batcher.submit(Shade(), flat(100))
        assert await asyncio.to_thread(changed.waits.wait, 30)
        assert not one.done()
        two = batcher.submit(Shade(), flat(200))
        await asyncio.gather(one, two)
    assert batcher.sizes == {2: 1}
    batcher.close()


@asynchronous
async def test_the_wait_for_other_streams_is_limited() -> None:
    batcher = FrameBatcher(wait_ms=2)
    with batcher.stream(), batcher.stream():
        await batcher.submit(Shade(), flat(100))
    assert batcher.sizes == {1: 1}
    batcher.close()


@asynchronous
async def test_a_frame_that_cannot_be_filtered_fails_alone() -> None:
    batcher, blocking = FrameBatcher(), Blocking()
    first = batcher.submit(blocking, flat(1))
    assert await asyncio.to_thread(blocking.entered.wait, 30)
    bad, good = batcher.submit(refuse, flat(1)), batcher.submit(Shade(), flat(100))
    blocking.released.set()
    await first
    with pytest.raises(ValueError, match="not this one"):
        await bad
    assert luma_of(await good) == pytest.approx(30, abs=1)
    batcher.close()


class SharedModel(Shade):
    """A filter that has a model and `batch`, but is not a `FrameFilter`."""

    model = object()

    def batch(self, frames: Sequence[Any]) -> list[Any]:
        return [self(frame) for frame in frames]


@asynchronous
async def test_a_batch_is_never_larger_than_allowed() -> None:
    batcher, blocking = FrameBatcher(max_batch=2), Blocking()
    first = batcher.submit(blocking, flat(1))
    assert await asyncio.to_thread(blocking.entered.wait, 30)
    rest = [batcher.submit(SharedModel(), flat(100)) for _ in range(5)]
    blocking.released.set()
    await asyncio.gather(first, *rest)
    assert batcher.sizes == {1: 2, 2: 2}
    batcher.close()


def test_only_filters_with_a_model_and_batch_share_a_model() -> None:
    assert isinstance(SharedModel(), SharesModel)
    assert not isinstance(Shade(), SharesModel)


@asynchronous
async def test_a_closed_batcher_fails_waiting_and_new_frames() -> None:
    batcher, blocking = FrameBatcher(), Blocking()
    first = batcher.submit(blocking, flat(1))
    assert await asyncio.to_thread(blocking.entered.wait, 30)
    waiting = batcher.submit(Shade(), flat(2))
    batcher.close(timeout=0)
    blocking.released.set()
    await first
    with pytest.raises(UnavailableError):
        await waiting
    with pytest.raises(UnavailableError):
        batcher.submit(Shade(), flat(3))


@asynchronous
async def test_a_batch_gives_the_same_results_as_single_frames() -> None:
    model = TurboModel.load("embedded", dtype="float32")
    looks = [FilterSettings(prompt=look, size=64) for look in ("noir", "neon", "comic")]
    alone = [FrameFilter(model, settings)(flat(100)) for settings in looks]
    batcher = FrameBatcher(wait_ms=20_000)
    with batcher.stream(), batcher.stream(), batcher.stream():
        together = await asyncio.gather(
            *(batcher.submit(FrameFilter(model, settings), flat(100)) for settings in looks)
        )
    assert batcher.sizes == {3: 1}
    for one, other in zip(alone, together, strict=True):
        difference = one.to_ndarray().astype(int) - other.to_ndarray().astype(int)
        assert abs(difference).max() <= 1
    batcher.close()
