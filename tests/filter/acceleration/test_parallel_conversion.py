"""Frames converted in parallel: the same results, in order."""

from threading import Barrier, get_ident

import av
import numpy as np
import pytest

from turbolens.filter import FrameError, FrameFilter, TurboModel
from turbolens.filter import beside as threads
from turbolens.filter.acceleration.parallel_conversion import ParallelConversion
from turbolens.filter.frames.conversion import FrameConverter


def frames(count: int, pixel_format: str = "yuv420p") -> list[av.VideoFrame]:
    random = np.random.default_rng(0)
    levels = random.integers(0, 256, (count, 12, 16, 3), dtype=np.uint8).repeat(8, 1).repeat(8, 2)
    return [
        av.VideoFrame.from_ndarray(each, format="rgb24").reformat(format=pixel_format)
        for each in levels
    ]


@pytest.fixture(autouse=True)
def two_processors(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(threads, "processors", lambda: 2)


def test_several_threads_give_the_result_of_one(
    model: TurboModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    alone, together = (FrameFilter(model, size=64, reuse_unchanged=False) for _ in range(2))
    got = together.batch(frames(5))
    monkeypatch.setattr(threads, "processors", lambda: 1)
    for one, other in zip(alone.batch(frames(5)), got, strict=True):
        assert one.format.name == other.format.name == "yuv420p"
        np.testing.assert_array_equal(one.to_ndarray(), other.to_ndarray())


def test_conversions_run_in_parallel_with_separate_converters() -> None:
    meeting = Barrier(2, timeout=30)

    def convert(converter: FrameConverter, number: int) -> tuple[int, int, int]:
        meeting.wait()  # ends only if two are here at once
        return number, id(converter), get_ident()

    results = ParallelConversion()(convert, [1, 2])
    assert [number for number, _, _ in results] == [1, 2]
    assert len({converter for _, converter, _ in results}) == 2


@pytest.mark.parametrize(("processors", "items"), [(2, [0]), (1, [0, 1])])
def test_one_frame_or_one_processor_uses_the_calling_thread(
    processors: int, items: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(threads, "processors", lambda: processors)
    assert set(ParallelConversion()(lambda _converter, _item: get_ident(), items)) == {get_ident()}


def test_an_exception_of_a_conversion_reaches_the_caller(model: TurboModel) -> None:
    frame_filter = FrameFilter(model, size=64)
    with pytest.raises(FrameError, match="pal8"):
        frame_filter.batch([*frames(1), av.VideoFrame(128, 96, "pal8")])
    assert len(frame_filter.batch(frames(2))) == 2
